#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "ports/clock.hpp"

namespace signalbox {

/// Stands still until the test moves it. A wait moves it and returns.
class ManualClock final : public Clock {
 public:
  ReceivedAt now() const override {
    return ReceivedAt{std::chrono::seconds{1'700'000'000} + std::chrono::microseconds{elapsed_}};
  }
  std::chrono::steady_clock::time_point steady_now() const override {
    return std::chrono::steady_clock::time_point{std::chrono::hours{1} +
                                                 std::chrono::microseconds{elapsed_}};
  }
  void wait(std::chrono::milliseconds duration, std::stop_token) override {
    waits.push_back(duration);
    advance(duration);
  }

  void advance(std::chrono::microseconds duration) { elapsed_ += duration.count(); }

  std::vector<std::chrono::milliseconds> waits;

 private:
  std::atomic<std::int64_t> elapsed_ = 0;
};

}  // namespace signalbox
