#pragma once

namespace signalbox {

/// Says on stderr which condition is false and where, then aborts. Called by SB_CHECK only.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace signalbox

/// Aborts the program when `condition` is false, in release builds too. For bugs only, never for
/// what a user, a file or a server sent: a wrong program must not go on writing.
#define SB_CHECK(condition)                                      \
  do {                                                           \
    if (!(condition)) [[unlikely]] {                             \
      ::signalbox::check_failed(#condition, __FILE__, __LINE__); \
    }                                                            \
  } while (false)
