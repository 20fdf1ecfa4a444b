#include "app/lane_unit.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <future>

#include "base/log.hpp"

namespace signalbox {
namespace {

/// Market data gives way: a signal must not wait for a core behind a backlog of candles.
constexpr int kBackgroundNice = 5;

void give_way() {
  const auto self = static_cast<id_t>(syscall(SYS_gettid));
  // From where an operator has put the process: a level of its own would undo that. A refusal
  // leaves the lane as urgent as the others, which is no failure.
  const int nice = getpriority(PRIO_PROCESS, self) + kBackgroundNice;
  static_cast<void>(setpriority(PRIO_PROCESS, self, nice));
}

}  // namespace

LaneUnit::LaneUnit(const std::function<LaneParts()>& make, Urgency urgency, Clock& clock,
                   LatencySummary& delays)
    : delays_(delays) {
  std::promise<void> made;
  std::future<void> is_made = made.get_future();
  thread_ = std::jthread{[this, &make, &clock, urgency,
                          made = std::move(made)](std::stop_token stop) mutable {
    try {
      if (urgency == Urgency::Background) give_way();
      parts_ = make();
      lane_ = std::make_unique<DeliveryLane>(DeliveryLane::Io{.source = *parts_.source,
                                                              .sink = *parts_.sink,
                                                              .dead_letters = *parts_.dead_letters,
                                                              .reader = *parts_.reader,
                                                              .clock = clock,
                                                              .delays = delays_},
                                             parts_.options);
    } catch (const std::exception&) {
      made.set_exception(std::current_exception());
      return;
    }
    made.set_value();
    run(stop);
  }};
  is_made.get();
}

LaneUnit::~LaneUnit() = default;

/// Each lane leaves its group as soon as it is done: those that are not may be waiting for the
/// group, and the group for those that leave.
void LaneUnit::run(const std::stop_token& stop) {
  lane_->run(stop);
  phase_ = Phase::Leaving;
  if (parts_.leave_log) parts_.leave_log();
  phase_ = Phase::Ended;
  log_info("lane_stopped", {{"lane", parts_.options.label}});
}

std::string LaneUnit::waits_for() const {
  const std::string& label = parts_.options.label;
  switch (phase_.load()) {
    case Phase::Delivering:
      return label + ": an answer of " + (lane_->talks_to_sink() ? sink_name() : log_name());
    case Phase::Leaving:
      return label + ": its leave of " + log_name();
    case Phase::Ended:
      return {};
  }
  return {};
}

}  // namespace signalbox
