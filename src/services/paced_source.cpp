#include "services/paced_source.hpp"

#include <algorithm>
#include <stop_token>

namespace signalbox {

Polled PacedSource::poll(const PollLimits& limits, std::chrono::milliseconds wait) {
  const auto due_in =
      std::chrono::ceil<std::chrono::milliseconds>(budget_.wait(clock_.steady_now()));
  if (due_in.count() > 0) {
    clock_.wait(std::min(due_in, wait), std::stop_token{});
    if (due_in > wait) return {};
  }
  Polled polled = inner_->poll(limits, wait - std::min(due_in, wait));
  std::uint64_t signals = 0;
  for (const Run& run : polled.batch.runs) signals += run.messages.size();
  if (signals > 0) budget_.took(signals, clock_.steady_now());
  return polled;
}

}  // namespace signalbox
