#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "app/command.hpp"

namespace signalbox {

enum class Verdict : std::uint8_t { Good, Warning, Bad };

/// Prints findings as they come and remembers the worst.
class Findings {
 public:
  void add(Verdict verdict, const char* subject, const std::string& text) {
    constexpr const char* kMarks[] = {"ok     ", "warning", "WRONG  "};
    std::printf("%s  %-10s %s\n", kMarks[static_cast<std::size_t>(verdict)], subject, text.c_str());
    if (verdict == Verdict::Bad) is_bad_ = true;
  }

  int status() const { return is_bad_ ? exit_status::kFailed : exit_status::kStopped; }

 private:
  bool is_bad_ = false;
};

}  // namespace signalbox
