#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace signalbox {

/// How long to wait before the next try: doubles from `first` to `most`, each wait shortened by up
/// to half at random, so that replicas do not come back in step. A value; the caller keeps it.
class Backoff {
 public:
  struct Limits {
    std::chrono::milliseconds first{50};
    std::chrono::milliseconds most{2'000};
  };

  Backoff(Limits limits, std::uint64_t seed) : limits_(limits), state_(seed | 1) {}

  std::chrono::milliseconds next() {
    const std::int64_t doubled = limits_.first.count() << std::min(failures_, 20);
    const std::int64_t full = std::min<std::int64_t>(limits_.most.count(), doubled);
    ++failures_;
    return std::chrono::milliseconds{full / 2 + random() % (full / 2 + 1)};
  }

  void reset() { failures_ = 0; }

 private:
  /// Marsaglia's xorshift64: spread is all that is asked of it.
  std::int64_t random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::int64_t>(state_ >> 1);
  }

  Limits limits_;
  std::uint64_t state_;
  int failures_ = 0;
};

}  // namespace signalbox
