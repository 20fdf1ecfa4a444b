#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace signalbox {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "signalbox: check failed: %s (%s:%d)\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace signalbox
