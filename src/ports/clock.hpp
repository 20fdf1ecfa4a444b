#pragma once

#include <chrono>
#include <stop_token>

#include "domain/message.hpp"

namespace signalbox {

/// Time and waiting, so that a simulation can own both. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  /// UTC now; may jump.
  virtual ReceivedAt now() const = 0;

  /// Monotonic, for durations and deadlines.
  virtual std::chrono::steady_clock::time_point steady_now() const = 0;

  /// Returns after `duration`, or at once when a stop is requested.
  virtual void wait(std::chrono::milliseconds duration, std::stop_token stop) = 0;
};

}  // namespace signalbox
