// `signalbox docs`: the documents that follow from the code. A test compares them with docs/.

#include <cstdio>

#include "app/command.hpp"
#include "app/configuration.hpp"
#include "app/generated_docs.hpp"

namespace signalbox {

int run_docs(std::span<const std::string> arguments, const Environment&) {
  if (arguments.size() == 1) {
    if (const auto text = generated_document(arguments.front())) {
      std::fwrite(text->data(), 1, text->size(), stdout);
      return exit_status::kStopped;
    }
  }
  std::fprintf(stderr, "usage: signalbox docs config|metrics|reasons\n");
  return exit_status::kConfiguration;
}

}  // namespace signalbox
