#include "sim/trigger/platform.hpp"

#include <algorithm>
#include <utility>

#include "sim/trigger/scale.hpp"
#include "sim/trigger/trigger_world.hpp"

namespace signalbox::sim {

bool SimPipeline::was_active_all_of(Micros from, Micros to) const {
  bool active = false;
  for (const Change& change : changes) {
    if (change.at <= from) {
      active = change.is_active;
    } else if (change.at <= to && !change.is_active) {
      return false;
    }
  }
  return active;
}

bool SimPipeline::was_active_at_any_of(Micros from, Micros to) const {
  bool active = false;
  for (const Change& change : changes) {
    if (change.at > to) break;
    if (change.at <= from) {
      active = change.is_active;
    } else if (change.is_active) {
      return true;
    }
  }
  return active;
}

bool SimPipeline::wants(const TradingSignal& signal) const {
  if (pipeline.subscriptions.empty()) return true;
  return std::ranges::any_of(pipeline.subscriptions, [&](const Subscription& subscription) {
    return subscription.signal_type == signal.type;
  });
}

DatabaseTime SimExecutions::now() const {
  return DatabaseTime{world_.utc_now()} + std::chrono::microseconds{skew_ + world_.now() % 1'000};
}

std::size_t SimExecutions::start(const PairKey& pair) {
  rows_.push_back({.pair = pair, .created_at = now(), .started_at = world_.now()});
  return rows_.size() - 1;
}

void SimExecutions::end(std::size_t row) { rows_[row].has_ended = true; }

ActiveRuns SimExecutions::active(const std::vector<Uuid>& pipelines) const {
  ActiveRuns active{.now = now(), .runs = {}};
  for (const Row& row : rows_) {
    if (row.has_ended || row.started_at + kRunStale <= world_.now()) continue;
    if (std::ranges::find(pipelines, row.pair.pipeline) == pipelines.end()) continue;
    active.runs.push_back({row.pair.pipeline, row.pair.ticker});
  }
  return active;
}

std::vector<std::size_t> SimExecutions::finished(const std::vector<PairSince>& pairs) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const PairKey pair{pairs[i].pipeline, pairs[i].ticker};
    if (std::ranges::any_of(rows_, [&](const Row& row) {
          return row.has_ended && row.pair == pair && row.created_at > pairs[i].since;
        })) {
      found.push_back(i);
    }
  }
  return found;
}

void SimExecutions::clean() {
  for (Row& row : rows_) row.has_ended |= row.started_at + kRunStale <= world_.now();
}

bool SimExecutions::is_down() const { return down_until_ > world_.now(); }

void SimExecutions::go_down(Micros duration) {
  down_until_ = std::max(down_until_, world_.now() + duration);
}

void Workers::start(std::size_t count, bool leaves_results) {
  leaves_results_ = leaves_results;
  for (std::size_t i = 0; i < count; ++i) {
    workers_.push_back({.skew = world_.random().between(-kSkewMax, kSkewMax)});
    look(i);
  }
}

/// A worker's life: takes the next task when it has none.
void Workers::look(std::size_t number) {
  if (world_.is_over()) return;
  Worker& worker = workers_[number];
  if (!worker.is_busy && worker.dead_until <= world_.now()) {
    if (auto delivery = world_.tasks().take()) take_up(number, std::move(delivery));
  }
  world_.scheduler().at(world_.now() + world_.random().between(100, 900) * kMillisecond,
                        [this, number] { look(number); });
}

void Workers::take_up(std::size_t number, std::shared_ptr<Delivery> delivery) {
  Worker& worker = workers_[number];
  ++at_work_;
  worker.is_busy = true;
  worker.running = delivery;
  world_.trace("task taken", static_cast<int>(number));
  // Nobody has heard of the worker for so long that the broker gives the task away again.
  world_.scheduler().at(world_.now() + kVisibility, [this, delivery] { give_again(delivery); });
  if (std::exchange(dies_with_next_, false)) return die(number);
  // A worker takes some tasks ahead of their turn.
  const Micros wait = world_.random().chance(80) ? world_.random().between(1, 100) * kMillisecond
                                                 : world_.random().between(1, 8) * kSecond;
  world_.scheduler().at(world_.now() + wait, [this, number, delivery, life = worker.life] {
    if (workers_[number].life == life) run(number, delivery);
  });
}

void Workers::run(std::size_t number, std::shared_ptr<Delivery> delivery) {
  Worker& worker = workers_[number];
  const EventTime by_its_clock =
      world_.utc_now() + std::chrono::milliseconds{worker.skew / kMillisecond};
  if (delivery->expires_at <= by_its_clock) {
    world_.oracle().ended(*delivery, "discarded");
    leave_result(delivery, 0);
    worker.is_busy = false;
    worker.running.reset();
    --at_work_;
    return;
  }
  world_.oracle().began(*delivery);
  const std::size_t row = world_.executions().start(delivery->task.pair);
  Random& random = world_.random();
  Micros length = random.between(200, 4'000) * kMillisecond;
  if (random.chance(10)) length = random.between(4 * kSecond, kHardLimit);
  if (std::exchange(kills_next_, false)) length = kHardLimit;
  world_.scheduler().at(world_.now() + length, [this, number, delivery, row, life = worker.life] {
    if (workers_[number].life == life) finish(number, delivery, row);
  });
}

void Workers::finish(std::size_t number, const std::shared_ptr<Delivery>& delivery,
                     std::size_t row) {
  Worker& worker = workers_[number];
  world_.executions().end(row);
  world_.oracle().ended(*delivery, "finished");
  const bool is_late = std::exchange(is_late_with_next_, false);
  leave_result(delivery, is_late ? world_.random().between(5 * kSecond, 80 * kSecond)
                                 : world_.random().between(0, 50) * kMillisecond);
  worker.is_busy = false;
  worker.running.reset();
  --at_work_;
}

void Workers::leave_result(const std::shared_ptr<Delivery>& delivery, Micros delay) {
  delivery->is_acknowledged = true;
  if (!leaves_results_) return;
  world_.scheduler().at(world_.now() + delay, [this, delivery] {
    if (world_.is_over()) return;
    if (world_.tasks().is_reachable()) return world_.tasks().finish(delivery->task);
    leave_result(delivery, kSecond);
  });
}

void Workers::die(std::size_t number) {
  Worker& worker = workers_[number];
  ++worker.life;
  worker.is_busy = false;
  worker.dead_until = world_.now() + world_.random().between(1, 10) * kSecond;
  world_.trace("worker dies", static_cast<int>(number));
  world_.oracle().ended(*worker.running, "died");
  worker.running.reset();
  --at_work_;
}

bool Workers::has_taken(std::string_view task_id) const {
  return std::ranges::any_of(workers_, [&](const Worker& worker) {
    return worker.running && worker.running->task.task_id == task_id;
  });
}

void Workers::kill_one() {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].is_busy) return die(i);
  }
  kills_next_ = true;  // and found at work by the next one
}

void Workers::give_again(const std::shared_ptr<Delivery>& delivery) {
  if (world_.is_over() || delivery->is_acknowledged) return;
  world_.trace("task given again");
  world_.tasks().give_again(delivery);
}

}  // namespace signalbox::sim
