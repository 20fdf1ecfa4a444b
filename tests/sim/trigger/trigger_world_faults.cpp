// What can go wrong in the trigger's world, and when it does.

#include <algorithm>

#include "sim/trigger/scale.hpp"
#include "sim/trigger/trigger_world.hpp"

namespace signalbox::sim {
namespace {

/// What a storm is made of: faults that excuse nothing.
constexpr std::array kStorm{TriggerFault::Crash,      TriggerFault::Zombie,
                            TriggerFault::LostReply,  TriggerFault::LostReply,
                            TriggerFault::Duplicate,  TriggerFault::Late,
                            TriggerFault::Rebalance,  TriggerFault::WorkerDies,
                            TriggerFault::LateResult, TriggerFault::RestartedQueue};

}  // namespace

NetFault TriggerWorld::reach(Replica& replica, TriggerStep step) {
  trace(name_of(step).data(), replica.id);
  NetFault faults;
  const auto suffer = [&](TriggerFault fault) {
    const NetFault more = fire(fault, replica, step);
    faults.is_lost_before |= more.is_lost_before;
    faults.is_lost_after |= more.is_lost_after;
    faults.is_doubled |= more.is_doubled;
    faults.is_late |= more.is_late;
  };
  for (TriggerTarget& target : targets_) {
    if (target.step == step && target.countdown > 0 && --target.countdown == 0) {
      suffer(target.fault);
    }
  }
  if (storm_percent_ > 0 && step != TriggerStep::Poll && random_.chance(storm_percent_)) {
    const TriggerFault fault = kStorm[random_.below(kStorm.size())];
    if (impossible_because(fault, step).empty()) suffer(fault);
  }
  return faults;
}

NetFault TriggerWorld::fire(TriggerFault fault, Replica& replica, TriggerStep step) {
  ++result_.coverage.at(fault, step);
  trace(name_of(fault).data(), replica.id);
  const Micros a_while = random_.between(200, 8'000) * kMillisecond;
  switch (fault) {
    case TriggerFault::Crash:
      replica.is_dead = true;
      scheduler_.at(now() + a_while, [this] { start_replica(); });
      return {};
    case TriggerFault::Zombie:
      stop_for_a_while(replica);
      return {};
    case TriggerFault::LostReply:
      return random_.chance(50) ? NetFault{.is_lost_before = true}
                                : NetFault{.is_lost_after = true};
    case TriggerFault::Duplicate:
      return {.is_doubled = true};
    case TriggerFault::Late:
      return {.is_late = true};
    case TriggerFault::StalledQueue:
      tasks_.stall(a_while);
      return {};
    case TriggerFault::UnavailableQueue:
      tasks_.make_unavailable(a_while);
      return {};
    case TriggerFault::RestartedQueue:
      tasks_.restart();
      return {};
    case TriggerFault::EmptiedQueue:
      tasks_.empty();
      return {};
    case TriggerFault::QueueClockJump:
      tasks_.jump(random_.between(-20, 20) * kSecond);
      return {};
    case TriggerFault::LedgerDown:
      executions_.go_down(a_while);
      return {};
    case TriggerFault::LogOutage:
      log_out_until_ = now() + a_while;
      return {};
    case TriggerFault::Rebalance:
      rebalance();
      return {};
    case TriggerFault::HostClockJump:
      replica.utc_jump = random_.between(-kSkewMax, kSkewMax);
      return {};
    case TriggerFault::WorkerDies:
      workers_.die_with_next();
      return {};
    case TriggerFault::WorkerKilled:
      workers_.kill_one();
      return {};
    case TriggerFault::LateResult:
      workers_.be_late_with_next();
      return {};
    case TriggerFault::Deactivation:
      switch_off_and_on();
      return {};
    case TriggerFault::RepeatedSignal:
      if (!signals_.empty()) {
        produce(random_.below(log_.size()), signals_[random_.below(signals_.size())]);
      }
      return {};
  }
  return {};
}

void TriggerWorld::stop_for_a_while(Replica& replica) {
  replica.paused_until =
      now() + (random_.chance(50) ? random_.between(500, 9'000) : random_.between(10'500, 22'000)) *
                  kMillisecond;
}

void TriggerWorld::rebalance() {
  std::vector<Replica*> alive;
  for (const auto& replica : replicas_) {
    if (!replica->is_done && !replica->is_dead) alive.push_back(replica.get());
  }
  const std::int64_t kind = random_.between(0, 2);
  if (kind == 0 && alive.size() < 3) {
    start_replica();
  } else if (kind == 1 && alive.size() > 1) {
    Replica& leaver = *alive[random_.below(alive.size())];
    leaver.stop.request_stop();
    scheduler_.wake(leaver.fiber, now());
    scheduler_.wake(leaver.keeper_fiber, now());
    scheduler_.at(now() + random_.between(500, 5'000) * kMillisecond, [this] { start_replica(); });
  } else {
    group_.shuffle();
  }
}

}  // namespace signalbox::sim
