#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox {

/// Decides which repeats of a log line are written: the first at once, then at most one per window,
/// which tells how many were left out. Pure: time is an argument. Belongs to one thread or a lock.
class LogLimiter {
 public:
  struct Limits {
    std::chrono::seconds window{30};
    std::size_t keys_max = 256;  // the oldest key is forgotten for a new one
  };

  /// Repeats that nobody has told yet.
  struct Untold {
    std::string event;
    std::string key;
    std::uint64_t repeated;

    bool operator==(const Untold&) const = default;
  };

  using Time = std::chrono::system_clock::time_point;

  LogLimiter() : LogLimiter{Limits{}} {}
  explicit LogLimiter(Limits limits) : limits_{limits} {}

  /// How many repeats this line must tell, when it is to be written; nothing when it is a repeat
  /// inside the window, which is counted.
  std::optional<std::uint64_t> admit(std::string_view event, std::string_view key, Time now);

  /// Takes the repeats that were counted and not told, keys that had to be forgotten included.
  std::vector<Untold> drain();

 private:
  struct Entry {
    Time written;
    std::uint64_t repeated = 0;
  };

  void forget_oldest();

  Limits limits_;
  std::map<std::pair<std::string, std::string>, Entry> entries_;
  std::vector<Untold> forgotten_;
};

}  // namespace signalbox
