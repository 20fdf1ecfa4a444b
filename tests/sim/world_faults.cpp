// What can go wrong in a simulated world, and when it does.

#include <algorithm>
#include <utility>

#include "sim/world.hpp"

namespace signalbox::sim {
namespace {

/// What a storm is made of: faults of one process or one request. Faults of the whole world come
/// from targets only, so that the rest of a seed stays strict.
constexpr std::array kStorm{Fault::Crash,         Fault::Zombie,    Fault::LostReply,
                            Fault::LostReply,     Fault::Duplicate, Fault::Reorder,
                            Fault::RestartedSink, Fault::Rebalance};

/// Made partitions beyond this are too many for a seed of some hundred messages.
constexpr std::size_t kPartitionsMax = 9;

}  // namespace

NetFault World::reach(Process& process, Step step) {
  trace(name_of(step).data(), process.id);
  NetFault faults;
  const auto suffer = [&](Fault fault) {
    const NetFault more = fire(fault, process, step);
    faults.is_lost_before |= more.is_lost_before;
    faults.is_lost_after |= more.is_lost_after;
    faults.is_doubled |= more.is_doubled;
    faults.is_late |= more.is_late;
  };
  for (Target& target : targets_) {
    if (target.step == step && target.countdown > 0 && --target.countdown == 0) {
      suffer(target.fault);
    }
  }
  if (storm_percent_ > 0 && step != Step::Poll && random_.chance(storm_percent_)) {
    const Fault fault = kStorm[random_.below(kStorm.size())];
    if (impossible_because(fault, step).empty()) suffer(fault);
  }
  return faults;
}

NetFault World::fire(Fault fault, Process& process, Step step) {
  ++result_.coverage.at(fault, step);
  trace(name_of(fault).data(), process.id);
  switch (fault) {
    case Fault::Crash:
      process.is_dead = true;
      start_again(random_.between(200, 8'000) * kMillisecond);
      return {};
    case Fault::Zombie:
      process.paused_until = now() + random_.between(10'500, 22'000) * kMillisecond;
      return {};
    case Fault::LostReply:
      return random_.chance(50) ? NetFault{.is_lost_before = true}
                                : NetFault{.is_lost_after = true};
    case Fault::Duplicate:
      return {.is_doubled = true};
    case Fault::Reorder:
      return {.is_late = true};
    case Fault::StalledSink:
      store_.stall(random_.between(200, 8'000) * kMillisecond);
      return {};
    case Fault::UnavailableSink:
      store_.make_unavailable(random_.between(200, 8'000) * kMillisecond);
      return {};
    case Fault::RestartedSink:
      store_.restart();
      return {};
    case Fault::EmptiedSink:
      store_.empty();
      return {};
    case Fault::RestoredSink:
      store_.restore();
      return {};
    case Fault::LogOutage:
      log_out_until_ = now() + random_.between(200, 8'000) * kMillisecond;
      return {};
    case Fault::Retention:
    case Fault::Truncation:
    case Fault::LogReplaced:
    case Fault::Compaction:
      break_log(fault);
      return {};
    case Fault::ClockJump:
      process.utc_jump += random_.between(-7'200, 7'200) * kSecond;
      return {};
    case Fault::NewPartition:
      add_new_partition();
      return {};
    case Fault::Rebalance:
      rebalance();
      return {};
  }
  return {};
}

void World::break_log(Fault fault) {
  const PartitionId id = random_.below(log_.size());
  const int shown = static_cast<int>(id);
  SimPartition& partition = log_.partition(id);
  const std::int64_t length = partition.end() - partition.begin;
  switch (fault) {
    case Fault::Retention:
      trace("retained from", -1, shown, log_.retain(id, random_.between(0, length)),
            partition.begin);
      break;
    case Fault::Truncation:
      trace("truncated to", -1, shown, log_.truncate(id, random_.between(1, 5), now()),
            partition.end());
      for (const auto& process : processes_) process->source.on_truncated(id);
      break;
    case Fault::LogReplaced:
      log_.replace(id, now());
      trace("made anew", -1, shown);
      group_.forget(id);
      break;
    default:
      for (int i = 0; i < 3; ++i) {
        const std::int64_t offset = partition.begin + random_.between(0, length);
        if (log_.compact(id, offset)) trace("compacted", -1, shown, offset);
      }
      break;
  }
}

void World::add_new_partition() {
  if (log_.size() >= kPartitionsMax) return;
  const TopicPartition& first = log_.partition(0).name;
  TopicPartition name{first.topic, static_cast<std::int32_t>(log_.size())};
  if (!has_new_topics_ && random_.chance(50)) {
    name = {coalesces_ ? "market.data.newusdc.1d" : "analyzer.signals", 0};
    has_new_topics_ = true;
  }
  const Micros visible_at = now() + random_.between(0, 3 * kSecond);
  const PartitionId id = log_.add_partition(std::move(name), visible_at);
  trace("new partition", -1, static_cast<int>(id));
  const std::int64_t messages = random_.between(1, 5);
  for (std::int64_t i = 0; i < messages; ++i) produce_one(id);
}

void World::rebalance() {
  std::vector<Process*> alive;
  for (const auto& process : processes_) {
    if (!process->is_done && !process->is_dead) alive.push_back(process.get());
  }
  const std::int64_t kind = random_.between(0, 2);
  if (kind == 0 && alive.size() < 4) {
    start_process();
  } else if (kind == 1 && alive.size() > 1) {
    Process& leaver = *alive[random_.below(alive.size())];
    leaver.stop.request_stop();
    scheduler_.wake(leaver.fiber, now());
    start_again(random_.between(500, 5'000) * kMillisecond);
  } else {
    group_.shuffle();
  }
}

}  // namespace signalbox::sim
