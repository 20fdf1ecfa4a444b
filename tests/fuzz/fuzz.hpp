#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// Ends the run with the input kept when `condition` does not hold.
#define FUZZ_REQUIRE(condition, text)                                           \
  do {                                                                          \
    if (!(condition)) {                                                         \
      std::fprintf(stderr, "%s:%d: %s: %.*s\n", __FILE__, __LINE__, #condition, \
                   static_cast<int>(std::string_view(text).size()),             \
                   std::string_view(text).data());                              \
      std::abort();                                                             \
    }                                                                           \
  } while (false)

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}
