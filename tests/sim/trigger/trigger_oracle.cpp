#include "sim/trigger/trigger_oracle.hpp"

#include <algorithm>
#include <utility>

#include "sim/trigger/planted_scripts.hpp"
#include "sim/trigger/scale.hpp"
#include "sim/trigger/trigger_world.hpp"

namespace signalbox::sim {
namespace {

PairKey pair_of(const TaskRequest& request) {
  return {request.pipeline, std::string(request.signal->tickers[request.ticker].ticker)};
}

}  // namespace

void TriggerOracle::count(std::string_view what) { world_.count(what); }

std::string TriggerOracle::describe(const PairKey& pair) const {
  return "pipeline " + std::to_string(pair.pipeline.bytes[15]) + ", " + pair.ticker;
}

void TriggerOracle::claimed(const ClaimCopy& call, const Claimed& claimed) {
  std::vector<MessageId> passed;
  std::set<MessageId> begun;  // in an earlier call
  std::optional<MessageId> cut;
  for (const FenceMove& move : call.moves) {
    if (!move.expected) continue;
    const PartitionId id = *world_.log().find(move.partition);
    const SimPartition& partition = world_.log().partition(id);
    for (std::int64_t at = move.expected->next.value; at < move.next.next.value; ++at) {
      if (const auto slot = partition.slots[static_cast<std::size_t>(at)]) passed.push_back(*slot);
    }
    const auto at = [&](Offset offset) {
      return *partition.slots[static_cast<std::size_t>(offset.value)];
    };
    if (move.expected->part > 0) begun.insert(at(move.expected->next));
    if (call.cut && call.cut->partition == move.partition) {
      count("a signal cut");
      cut = at(move.next.next);
      passed.push_back(*cut);
    }
  }
  std::multiset<std::pair<std::string, PairKey>> settled;
  for (const SettledPair& pair : call.settled) {
    settled.emplace(pair.signal_key, PairKey{pair.pipeline, std::string(pair.ticker)});
  }
  std::set<std::pair<MessageId, PairKey>> requested;
  for (const TaskRequest& request : call.requests) {
    const auto message = std::ranges::find_if(
        passed, [&](MessageId id) { return &world_.signal_of(id).signal == request.signal; });
    if (message == passed.end()) {
      return world_.fail("a task is asked for whose signal the fence does not pass");
    }
    requested.emplace(*message, pair_of(request));
  }
  for (const MessageId message : passed) {
    const SimSignal& signal = world_.signal_of(message);
    for (const SimPipeline& pipeline : world_.pipelines()) {
      for (const std::string& ticker : signal.tickers) {
        if (std::ranges::find(pipeline.pipeline.tickers, ticker) ==
            pipeline.pipeline.tickers.end()) {
          continue;
        }
        const PairKey pair{pipeline.pipeline.id, ticker};
        const bool is_requested = requested.erase({message, pair}) > 0;
        const auto found = settled.find({signal.key, pair});
        const bool is_settled = !is_requested && found != settled.end();
        if (is_settled) settled.erase(found);
        if (!is_requested && !is_settled) {
          if (message == cut || handled_[message].contains(pair)) continue;
          // What an earlier call began with other pipelines goes on in the order of then.
          const Micros from = call.view_from - (begun.contains(message) ? 90 * kSecond : 0);
          if (!pipeline.was_active_all_of(from, call.view_to)) continue;
          return world_.fail("matched and forgotten: " + signal.key + ", " + describe(pair));
        }
        if (!pipeline.was_active_at_any_of(call.view_from, call.view_to)) {
          return world_.fail("a pipeline that is off gets a signal: " + describe(pair));
        }
        if (is_requested && !pipeline.wants(signal.signal)) {
          return world_.fail("a pipeline runs on a signal that it does not want");
        }
        if (!handled_[message].insert(pair).second) {
          return world_.fail("settled twice: " + signal.key + ", " + describe(pair));
        }
      }
    }
  }
  if (!requested.empty() || !settled.empty()) {
    return world_.fail("an outcome for a pair that nobody matches");
  }
  judge(call, claimed, passed);
}

/// What became of each request, one after the other.
void TriggerOracle::judge(const ClaimCopy& call, const Claimed& claimed,
                          const std::vector<MessageId>& passed) {
  std::multiset<std::pair<std::string, PairKey>> superseded;
  for (std::size_t i = 0; i < call.requests.size(); ++i) {
    const TaskRequest& request = call.requests[i];
    const PairKey pair = pair_of(request);
    const MessageId message = *std::ranges::find_if(
        passed, [&](MessageId id) { return &world_.signal_of(id).signal == request.signal; });
    const TriggerOutcome outcome = claimed.outcomes[i];
    count(name_of(outcome));
    check_repeat(request, message, outcome);
    std::deque<Waits>& line = waiting_[pair];
    const bool takes_its_place =
        outcome == TriggerOutcome::Held || outcome == TriggerOutcome::Enqueued;
    if (takes_its_place && request.busy.policy == BusyPolicy::KeepLatest) {
      for (const Waits& waits : line) superseded.emplace(waits.key, pair);
      line.clear();
    }
    if (outcome == TriggerOutcome::Held) {
      line.push_back({std::string(request.signal_key), message});
      if (line.size() > std::max<std::size_t>(1, request.busy.slots)) {
        world_.fail("more wait than the pipeline's policy lets: " + describe(pair));
      }
    } else if (outcome == TriggerOutcome::QueueFull && line.size() < request.busy.slots) {
      world_.fail("turned away though there was room: " + describe(pair));
    } else if (outcome == TriggerOutcome::Enqueued) {
      if (!line.empty()) world_.fail("enqueued before those who wait: " + describe(pair));
      enqueue({.pair = pair,
               .key = std::string(request.signal_key),
               .task_id = call.drafts[i].task_id,
               .message = message,
               .asked_at = call.asked_at,
               .expires_at = call.expires_at});
    }
  }
  for (const EndedWait& ended : claimed.ended) {
    const auto found = superseded.find({ended.signal_key, {ended.pipeline, ended.ticker}});
    if (found == superseded.end()) return world_.fail("superseded, and did not wait");
    superseded.erase(found);
    count("superseded");
  }
  if (!superseded.empty()) world_.fail("a newer signal took its slot, and nobody says so");
}

/// A name that is known in this epoch is a repeat for as long as names are kept; no other is one.
void TriggerOracle::check_repeat(const TaskRequest& request, MessageId message,
                                 TriggerOutcome outcome) {
  const std::string key{request.signal_key};
  const auto known = signals_.find(key);
  const bool is_known = known != signals_.end() && known->second.epoch == world_.tasks().epoch();
  if (outcome == TriggerOutcome::Duplicate) {
    if (!is_known || known->second.message == message) {
      world_.fail("a signal that never came before is taken for a repeat: " + key);
    }
    return;
  }
  const bool is_repeat = is_known && known->second.message != message;
  if (is_repeat && !request.is_repeat_checked) {
    // Cut, and its first part was a repeat: whoever goes on with it in another run cannot know.
    return count("a repeat that was cut, and went on in another run");
  }
  if (is_repeat && world_.tasks().most_elapsed() - known->second.by_the_queue < kSeenAtLeast) {
    world_.fail("a repeat was not recognised: " + key);
  }
  signals_.insert_or_assign(key,
                            Seen{message, world_.tasks().epoch(), world_.tasks().most_elapsed()});
}

void TriggerOracle::settled(const SettleCopy& call, const Claimed& claimed) {
  for (std::size_t i = 0; i < call.held.size(); ++i) {
    const TriggerOutcome outcome = claimed.outcomes[i];
    if (outcome == TriggerOutcome::Held) continue;
    const HeldTask& held = call.held[i];
    const PairKey pair{held.pipeline, held.ticker};
    std::deque<Waits>& line = waiting_[pair];
    const auto found = std::ranges::find(line, held.signal_key, &Waits::key);
    if (found == line.end()) return world_.fail("ended its waiting, and did not wait");
    const Waits waits = *found;
    const SimPipeline& pipeline = world_.pipelines()[held.pipeline.bytes[15]];
    if (outcome == TriggerOutcome::Deactivated &&
        pipeline.was_active_all_of(call.view_from, call.view_to)) {
      world_.fail("ended as deactivated, and was active: " + describe(pair));
    }
    count(outcome == TriggerOutcome::Enqueued ? "enqueued after waiting" : name_of(outcome));
    if (outcome == TriggerOutcome::Enqueued) {
      if (found != line.begin()) world_.fail("enqueued out of order: " + describe(pair));
      if (!pipeline.was_active_at_any_of(call.view_from, call.view_to)) {
        world_.fail("a pipeline that is off runs what waited: " + describe(pair));
      }
      enqueue({.pair = pair,
               .key = held.signal_key,
               .task_id = task_name(held.signal_key, held.pipeline, held.ticker),
               .message = waits.message,
               .asked_at = call.asked_at,
               .expires_at = call.expires_at});
    }
    line.erase(found);
  }
}

void TriggerOracle::enqueue(const Enqueue& task) {
  const bool is_first = check_first(task);
  check_alone(task);
  tasks_[task.pair].push_back({.id = task.task_id,
                               .epoch = world_.tasks().epoch(),
                               .stamp = world_.tasks().now(),
                               .expires_at = task.expires_at,
                               .enqueued_at = world_.now(),
                               .by_the_queue = world_.tasks().most_elapsed(),
                               .is_named_again = !is_first});
  world_.trace("enqueued", -1, -1, task.pair.pipeline.bytes[15], task.message);
}

bool TriggerOracle::check_first(const Enqueue& task) {
  const Seen seen{task.message, world_.tasks().epoch(), world_.tasks().most_elapsed()};
  const auto [first, is_first] = seen_.emplace(task.task_id, seen);
  if (is_first) return true;
  if (first->second.epoch != seen.epoch) {
    count("a task again, after the queue was emptied");
  } else if (first->second.message == task.message) {
    world_.fail("two tasks for " + task.task_id);
  } else {
    count("a task again, for a repeat later than names are kept");
  }
  first->second = seen;
  return false;
}

/// Two on their way at once are never to be, unless the queue has forgotten its claims, or its
/// clock has passed a claim's deadline before its time. Even then no run is overlooked that the
/// ledger shows.
void TriggerOracle::check_alone(const Enqueue& task) {
  for (const Task& other : tasks_[task.pair]) {
    if (other.has_ended) continue;
    // No worker begins it any more, whatever its clock says.
    const bool has_expired =
        world_.utc_now() > other.expires_at + std::chrono::microseconds{kSkewMax};
    if (has_expired && !other.began_at) continue;
    const Micros age = world_.now() - other.enqueued_at;
    const Micros by_the_queue = world_.tasks().most_elapsed() - other.by_the_queue;
    const bool is_forgotten = other.epoch != world_.tasks().epoch() || other.is_named_again;
    const bool has_jumped = age < kClaimLength && by_the_queue >= kClaimLength;
    if (!is_forgotten && !has_jumped && !other.is_given_back) {
      return world_.fail("two on their way at once: " + describe(task.pair) + ", " + other.id +
                         " and " + task.task_id);
    }
    if (other.began_at && *other.began_at < task.asked_at) {
      return world_.fail("enqueued beside a run that the ledger shows: " + describe(task.pair));
    }
    count(is_forgotten ? "two on their way, after the queue was emptied"
          : has_jumped ? "two on their way, after the queue's clock had run ahead"
                       : "two on their way, for an earlier task's row");
  }
}

void TriggerOracle::released(const OpenClaim& claim) {
  for (Task& task : tasks_[{claim.pipeline, claim.ticker}]) {
    if (task.id == claim.task_id && task.epoch == world_.tasks().epoch()) task.is_given_back = true;
  }
}

TriggerOracle::Task* TriggerOracle::find(const Delivery& delivery) {
  std::vector<Task>& tasks = tasks_[delivery.task.pair];
  const auto found = std::ranges::find_if(tasks, [&](const Task& task) {
    return task.id == delivery.task.task_id && task.epoch == delivery.epoch &&
           task.stamp == delivery.task.enqueued_at;
  });
  return found == tasks.end() ? nullptr : &*found;
}

void TriggerOracle::began(const Delivery& delivery) {
  Task* task = find(delivery);
  if (task == nullptr) return world_.fail("a task runs that nobody enqueued");
  if (task->began_at || task->has_ended) return world_.fail("a task runs twice: " + task->id);
  task->began_at = world_.now();
  world_.trace("run begins", -1, -1, delivery.task.pair.pipeline.bytes[15]);
}

void TriggerOracle::ended(const Delivery& delivery, const char* how) {
  world_.trace(how);
  count(how);
  if (Task* task = find(delivery)) task->has_ended = true;
}

void TriggerOracle::emptied() {
  for (auto& [pair, line] : waiting_) {
    for (std::size_t i = 0; i < line.size(); ++i) count("waited, and the queue was emptied");
    line.clear();
  }
  handled_.clear();
  // What was in the queue is gone with it; what a worker has taken is on its way still.
  for (auto& [pair, tasks] : tasks_) {
    for (Task& task : tasks) {
      if (world_.workers().has_taken(task.id)) continue;
      if (!task.has_ended) count("a task in the queue when it was emptied");
      task.has_ended = true;
    }
  }
}

void TriggerOracle::check_counters(const Replica& replica) {
  const TriggerCounters counters = replica.tally.copy();
  if (!counters.balanced()) world_.fail("outcomes do not add up to the pairs");
  if (counters.pairs != replica.lane_queue.pairs_known()) {
    world_.fail("counted " + std::to_string(counters.pairs) + " pairs of " +
                std::to_string(replica.lane_queue.pairs_known()));
  }
}

std::string TriggerOracle::owed(Owed what) const {
  for (PartitionId id = 0; id < world_.log().size(); ++id) {
    const SimPartition& partition = world_.log().partition(id);
    const FenceMap fences = world_.tasks().book().fences(std::span{&partition.name, 1});
    if (partition.end() == 0) continue;
    if (fences.empty() || fences.begin()->second.next.value < partition.end()) {
      return "signals of partition " + std::to_string(id) + " are still not handled";
    }
  }
  for (const auto& [pair, line] : waiting_) {
    if (!line.empty()) return "matched and forgotten, still waits: " + line.front().key;
  }
  if (what == Owed::SignalsAndTasks &&
      (world_.tasks().has_tasks() || !world_.workers().are_idle())) {
    return "tasks are still there";
  }
  return {};
}

}  // namespace signalbox::sim
