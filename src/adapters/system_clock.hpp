#pragma once

#include <condition_variable>
#include <mutex>

#include "ports/clock.hpp"

namespace signalbox {

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  ReceivedAt now() const override;
  std::chrono::steady_clock::time_point steady_now() const override;
  void wait(std::chrono::milliseconds duration, std::stop_token stop) override;

 private:
  std::mutex mutex_;
  std::condition_variable_any never_notified_;
};

}  // namespace signalbox
