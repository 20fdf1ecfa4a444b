#include <algorithm>
#include <utility>

#include "ports/io_error.hpp"
#include "sim/ground.hpp"
#include "sim/process.hpp"

namespace signalbox::sim {
namespace {

constexpr std::size_t kHeldMessagesMax = 40;

}  // namespace

Polled SimSource::poll(const PollLimits& limits, std::chrono::milliseconds wait) {
  Ground& ground = member_.ground;
  member_.before_poll();
  member_.enter(Step::Poll);
  if (ground.is_log_out() && ground.random().chance(50))
    throw IoError("kafka", "no broker answers");
  const Micros deadline = ground.now() + wait.count() * kMillisecond;
  while (true) {
    Polled polled = collect(limits);
    const bool is_empty = polled.lost.empty() && polled.assigned.empty() &&
                          polled.out_of_range.empty() && polled.batch.empty();
    if (!is_empty || ground.now() >= deadline) return polled;
    ground.scheduler().park(deadline);
    member_.check_alive();
  }
}

Polled SimSource::collect(const PollLimits& limits) {
  SimLog& log = member_.ground.log();
  fetch();
  Polled polled;
  for (const PartitionId id : std::exchange(lost_untold_, {})) {
    polled.lost.push_back(log.partition(id).name);
  }
  for (const PartitionId id : std::exchange(assigned_untold_, {})) {
    polled.assigned.push_back(log.partition(id).name);
  }
  for (const PartitionId id : std::exchange(out_of_range_, {})) {
    polled.out_of_range.push_back(log.partition(id).name);
  }
  std::set<PartitionId> partitions;
  std::size_t messages = 0;
  std::vector<Run> runs;
  while (!held_.empty() && messages < limits.messages) {
    Held& held = held_.front();
    if (partitions.insert(held.partition).second && partitions.size() > limits.partitions) break;
    Run run{.partition = log.partition(held.partition).name, .fetch = held.fetch, .messages = {}};
    const std::size_t take = std::min(held.messages.size(), limits.messages - messages);
    for (std::size_t i = 0; i < take; ++i) {
      const SimMessage& message = log.message(held.messages[i]);
      run.messages.push_back({.offset = message.offset,
                              .timestamp = message.timestamp,
                              .key = message.key,
                              .payload = message.payload});
    }
    messages += take;
    held_messages_ -= take;
    runs.push_back(std::move(run));
    if (take == held.messages.size()) {
      held_.pop_front();
    } else {
      held.messages.erase(held.messages.begin(),
                          held.messages.begin() + static_cast<std::ptrdiff_t>(take));
    }
  }
  polled.batch = MessageBatch{std::move(runs), nullptr};
  fetch();  // the next messages are held already while the lane works on these
  return polled;
}

void SimSource::fetch() {
  if (member_.ground.is_log_out()) return;
  std::vector<PartitionId> order;
  for (const auto& [id, fetch] : fetches_) order.push_back(id);
  member_.ground.random().shuffle(std::span{order});
  for (const PartitionId id : order) fetch_some(id, fetches_.at(id));
}

void SimSource::fetch_some(PartitionId id, Fetch& fetch) {
  const SimPartition& partition = member_.ground.log().partition(id);
  if (fetch.position < partition.begin || fetch.position > partition.end() ||
      fetch.incarnation != partition.incarnation) {
    out_of_range_.insert(id);
    fetches_.erase(id);
    return;
  }
  const auto wanted = static_cast<std::size_t>(member_.ground.random().between(1, 10));
  Held held{.partition = id, .fetch = fetch.id, .messages = {}};
  while (fetch.position < partition.end() && held.messages.size() < wanted &&
         held_messages_ < kHeldMessagesMax) {
    const auto slot = partition.slots[static_cast<std::size_t>(fetch.position)];
    if (slot) {
      held.messages.push_back(*slot);
      ++held_messages_;
    }
    ++fetch.position;
  }
  if (!held.messages.empty()) held_.push_back(std::move(held));
}

std::optional<FetchId> SimSource::begin(const TopicPartition& partition, Offset offset) {
  member_.enter(Step::Begin);
  if (member_.ground.is_log_out() && member_.ground.random().chance(30)) {
    throw IoError("kafka", "no broker answers");
  }
  const PartitionId id = *member_.ground.log().find(partition);
  if (!owns(id)) return std::nullopt;
  drop_held(id);
  out_of_range_.erase(id);
  const Fetch fetch{.id = FetchId{++next_fetch_},
                    .position = offset.value,
                    .incarnation = member_.ground.log().partition(id).incarnation};
  fetches_.insert_or_assign(id, fetch);
  incarnations_[id] = fetch.incarnation;
  member_.ground.trace("begin", member_.id, static_cast<int>(id), offset.value);
  return fetch.id;
}

bool SimSource::owns(const TopicPartition& partition) const {
  const auto id = member_.ground.log().find(partition);
  return id && owns(*id);
}

std::map<TopicPartition, LogRange> SimSource::ranges(std::span<const TopicPartition> partitions) {
  await_log();
  std::map<TopicPartition, LogRange> ranges;
  for (const TopicPartition& partition : partitions) {
    const auto id = member_.ground.log().find(partition);
    if (!id || member_.ground.log().partition(*id).visible_at > member_.ground.now()) continue;
    const LogRange range = member_.ground.log().range(*id);
    told_.insert_or_assign(*id, range);
    was_told_of_a_commit_ |= range.committed.has_value();
    told_first_.emplace(*id, range);
    first_incarnations_.emplace(*id, member_.ground.log().partition(*id).incarnation);
    incarnations_[*id] = member_.ground.log().partition(*id).incarnation;
    ranges.emplace(partition, range);
  }
  return ranges;
}

Offset SimSource::offset_at(const TopicPartition& partition, EventTime time) {
  await_log();
  const PartitionId id = *member_.ground.log().find(partition);
  incarnations_[id] = member_.ground.log().partition(id).incarnation;
  return member_.ground.log().offset_at(id, time);
}

std::vector<TopicPartition> SimSource::all_partitions() {
  await_log();
  std::vector<TopicPartition> all;
  for (PartitionId id = 0; id < member_.ground.log().size(); ++id) {
    const SimPartition& partition = member_.ground.log().partition(id);
    if (partition.visible_at <= member_.ground.now()) all.push_back(partition.name);
  }
  return all;
}

void SimSource::await_log() {
  member_.pass_time(100, member_.ground.latency_max());
  if (!member_.ground.is_log_out()) return;
  member_.pass_time(kSecond, kSecond);
  if (member_.ground.is_log_out()) throw IoError("kafka", "no broker answers");
}

void SimSource::commit(const TopicPartition& partition, Offset next) {
  const NetFault fault = member_.enter(Step::Commit);
  if (fault.is_lost_before || fault.is_lost_after) return;
  Ground& ground = member_.ground;
  const PartitionId id = *ground.log().find(partition);
  const PendingCommit commit{next, incarnation_of(id)};
  if (!fault.is_late) {
    commits_.insert_or_assign(id, commit);
    return;
  }
  ground.scheduler().at(ground.now() + ground.random().between(kSecond, 20 * kSecond), [=, this] {
    if (member_.ground.group().has(member_)) accept(id, commit);
  });
}

void SimSource::flush_commits() {
  for (const auto& [id, commit] : std::exchange(commits_, {})) accept(id, commit);
}

/// A topic that is deleted takes its commits with it.
void SimSource::accept(PartitionId id, const PendingCommit& commit) {
  SimPartition& partition = member_.ground.log().partition(id);
  if (partition.incarnation != commit.incarnation) return;
  partition.committed = commit.next;
  member_.ground.trace("committed", member_.id, static_cast<int>(id), commit.next.value);
}

void SimSource::on_assigned(PartitionId partition) {
  owned_.insert(partition);
  assigned_untold_.insert(partition);
  member_.ground.trace("assigned", member_.id, static_cast<int>(partition));
  member_.ground.scheduler().wake(member_.fiber, member_.ground.now());
}

void SimSource::on_lost(PartitionId partition) {
  if (owned_.erase(partition) == 0) return;
  assigned_untold_.erase(partition);
  lost_untold_.insert(partition);
  out_of_range_.erase(partition);
  fetches_.erase(partition);
  if (member_.ground.random().chance(50)) commits_.erase(partition);
  if (!member_.ground.keeps_held_messages()) drop_held(partition);
  member_.ground.trace("lost", member_.id, static_cast<int>(partition));
}

void SimSource::on_lost_all() {
  for (const PartitionId partition : std::set<PartitionId>{owned_}) on_lost(partition);
  commits_.clear();
}

void SimSource::on_truncated(PartitionId partition) {
  const auto found = fetches_.find(partition);
  if (found == fetches_.end()) return;
  if (found->second.position <= member_.ground.log().partition(partition).end()) return;
  fetches_.erase(found);
  out_of_range_.insert(partition);
}

void SimSource::drop_held(PartitionId partition) {
  std::erase_if(held_, [&](const Held& held) {
    if (held.partition != partition) return false;
    held_messages_ -= held.messages.size();
    return true;
  });
}

int SimSource::incarnation_of(PartitionId partition) const {
  const auto found = incarnations_.find(partition);
  return found == incarnations_.end() ? 0 : found->second;
}

int SimSource::first_incarnation_of(PartitionId partition) const {
  const auto found = first_incarnations_.find(partition);
  return found == first_incarnations_.end() ? 0 : found->second;
}

const LogRange* SimSource::told(PartitionId partition) const {
  const auto found = told_.find(partition);
  return found == told_.end() ? nullptr : &found->second;
}

const LogRange* SimSource::told_first(PartitionId partition) const {
  const auto found = told_first_.find(partition);
  return found == told_first_.end() ? nullptr : &found->second;
}

}  // namespace signalbox::sim
