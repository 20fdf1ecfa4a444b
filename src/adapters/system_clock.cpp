#include "adapters/system_clock.hpp"

namespace signalbox {

ReceivedAt SystemClock::now() const {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::chrono::steady_clock::time_point SystemClock::steady_now() const {
  return std::chrono::steady_clock::now();
}

void SystemClock::wait(std::chrono::milliseconds duration, std::stop_token stop) {
  std::unique_lock lock{mutex_};
  never_notified_.wait_for(lock, stop, duration, [] { return false; });
}

}  // namespace signalbox
