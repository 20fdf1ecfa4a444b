#include "sim/trigger/task_store.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "sim/trigger/scale.hpp"
#include "sim/trigger/trigger_world.hpp"

namespace signalbox::sim {

TaskStore::TaskStore(TriggerWorld& world) : world_(world), book_(kClaimRules) {
  SB_CHECK(kClaimRules.claim_length() == std::chrono::microseconds{kClaimLength});
}

EventTime TaskStore::now() const {
  return world_.utc_now() + std::chrono::milliseconds{clock_jump_ / kMillisecond};
}

Micros TaskStore::most_elapsed() const { return world_.now() + jumped_ahead_; }

void TaskStore::send(const std::shared_ptr<ScriptCall>& call, const NetFault& fault) {
  if (fault.is_lost_before) return;
  Random& random = world_.random();
  const Micros delay = fault.is_late ? random.between(2 * kSecond, 30 * kSecond)
                                     : random.between(100, world_.latency_max());
  const bool wants_reply = !fault.is_lost_after;
  world_.scheduler().at(world_.now() + delay,
                        [this, call, wants_reply] { deliver(call, wants_reply); });
  if (fault.is_doubled) repeat(call, delay + random.between(0, 3 * kSecond));
}

void TaskStore::repeat(const std::shared_ptr<ScriptCall>& call, Micros delay) {
  world_.scheduler().at(world_.now() + delay, [this, call] { deliver(call, false); });
}

void TaskStore::deliver(const std::shared_ptr<ScriptCall>& call, bool wants_reply) {
  if (world_.is_over()) return;
  if (call->boot != boot_) {  // the connection died with the server
    call->is_cut = true;
    if (wants_reply) answer(call);
    return;
  }
  if (stalled_until_ > world_.now()) {
    const Micros later = stalled_until_ + world_.random().between(0, 2 * kMillisecond);
    world_.scheduler().at(later, [this, call, wants_reply] { deliver(call, wants_reply); });
    return;
  }
  if (call->is_refused || (!call->has_run && is_unavailable())) {
    call->is_refused = true;
  } else {
    call->execute();
    call->has_run = true;
  }
  if (!wants_reply) return;
  const Micros back = world_.now() + world_.random().between(100, world_.latency_max());
  world_.scheduler().at(back, [this, call] {
    if (call->boot != boot_) call->is_cut = true;
    answer(call);
  });
}

void TaskStore::answer(const std::shared_ptr<ScriptCall>& call) {
  call->is_answered = true;
  world_.scheduler().wake(call->waiter, world_.now());
}

void TaskStore::restart() {
  ++boot_;
  stalled_until_ = 0;
  world_.trace("queue restarts");
}

void TaskStore::empty() {
  if (world_.random().chance(50)) restart();
  book_ = ClaimBook{kClaimRules};
  given_again_.clear();
  ++epoch_;
  world_.oracle().emptied();
  world_.trace("queue emptied");
}

void TaskStore::stall(Micros duration) {
  stalled_until_ = std::max(stalled_until_, world_.now() + duration);
}

void TaskStore::make_unavailable(Micros duration) {
  unavailable_until_ = std::max(unavailable_until_, world_.now() + duration);
}

bool TaskStore::is_unavailable() const { return unavailable_until_ > world_.now(); }

bool TaskStore::is_reachable() const { return !is_unavailable() && stalled_until_ <= world_.now(); }

/// Whether a task has expired is the worker's to say, by its own clock.
std::shared_ptr<Delivery> TaskStore::take() {
  if (!is_reachable()) return nullptr;
  if (!given_again_.empty()) {
    auto delivery = std::make_shared<Delivery>(*given_again_.front());
    given_again_.pop_front();
    return delivery;
  }
  auto task = book_.take(EventTime::min());
  if (!task) return nullptr;
  auto delivery = std::make_shared<Delivery>();
  delivery->expires_at = expires_.at(task->task_id);
  delivery->task = *std::move(task);
  delivery->epoch = epoch_;
  return delivery;
}

void TaskStore::finish(const QueuedTask& task) { book_.finish(task.pair, task.task_id); }

void TaskStore::give_again(std::shared_ptr<Delivery> delivery) {
  if (delivery->epoch == epoch_) given_again_.push_back(std::move(delivery));
}

}  // namespace signalbox::sim
