// .env files: names are names, and the error never shows the text, which may be a secret.

#include <algorithm>
#include <string>

#include "app/env.hpp"
#include "fuzz/fuzz.hpp"

namespace signalbox {
namespace {

/// Single quotes keep everything but themselves and line ends as it is.
bool fits_single_quotes(std::string_view value) {
  return value.find_first_of("'\r\n") == std::string_view::npos && !value.contains('\0');
}

}  // namespace
}  // namespace signalbox

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace signalbox;
  const std::string_view text = as_text(data, size);
  const auto environment = parse_env_file(text);
  if (!environment) {
    FUZZ_REQUIRE(!environment.error().empty() && environment.error().size() < 200, text);
    return 0;
  }
  std::string again;
  for (const auto& [name, value] : environment->variables()) {
    FUZZ_REQUIRE(!name.empty(), text);
    if (!fits_single_quotes(value)) return 0;
    again += name + "='" + value + "'\n";
  }
  FUZZ_REQUIRE(parse_env_file(again) == *environment, again);
  return 0;
}
