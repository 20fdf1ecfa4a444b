#include "app/lane_unit.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <future>

namespace signalbox {
namespace {

/// Market data gives way: a signal must not wait for a core behind a backlog of candles.
constexpr int kBackgroundNice = 5;

void give_way() {
  const auto self = static_cast<id_t>(syscall(SYS_gettid));
  // A refusal leaves the lane as urgent as the others, which is no failure.
  static_cast<void>(setpriority(PRIO_PROCESS, self, kBackgroundNice));
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
    lane_->run(stop);
  }};
  is_made.get();
}

LaneUnit::~LaneUnit() = default;

}  // namespace signalbox
