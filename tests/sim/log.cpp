#include "sim/log.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "domain/text.hpp"

namespace signalbox::sim {

PartitionId SimLog::add_partition(TopicPartition name, Micros visible_at) {
  const PartitionId id = partitions_.size();
  by_name_.emplace(name, id);
  SimPartition& partition = partitions_.emplace_back();
  partition.name = std::move(name);
  partition.visible_at = visible_at;
  return id;
}

std::optional<PartitionId> SimLog::find(const TopicPartition& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

SimMessage& SimLog::produce(PartitionId partition, EventTime timestamp, Content content,
                            std::string key) {
  // A log that was made anew is recognised by its timestamps, so no two messages share one.
  while (!timestamps_.insert(timestamp).second) timestamp += std::chrono::milliseconds{1};
  SimPartition& home = partitions_[partition];
  const auto id = static_cast<MessageId>(messages_.size());
  SimMessage& message = messages_.emplace_back();
  message.id = id;
  message.partition = partition;
  message.incarnation = home.incarnation;
  message.offset = Offset{home.end()};
  message.timestamp = timestamp;
  message.content = content;
  message.key = std::move(key);
  message.payload = std::to_string(id);
  home.slots.emplace_back(id);
  return message;
}

SimMessage& SimLog::message_of(std::string_view payload) {
  const auto id = integer_from<MessageId>(payload);
  SB_CHECK(id && *id < messages_.size());
  return messages_[*id];
}

LogRange SimLog::range(PartitionId id) const {
  const SimPartition& partition = partitions_[id];
  return {Offset{partition.begin}, Offset{partition.end()}, partition.committed};
}

Offset SimLog::offset_at(PartitionId id, EventTime time) const {
  const SimPartition& partition = partitions_[id];
  for (std::int64_t offset = partition.begin; offset < partition.end(); ++offset) {
    const auto slot = partition.slots[static_cast<std::size_t>(offset)];
    if (slot && messages_[*slot].timestamp >= time) return Offset{offset};
  }
  return Offset{partition.end()};
}

std::int64_t SimLog::retain(PartitionId id, std::int64_t keep) {
  SimPartition& partition = partitions_[id];
  const std::int64_t begin = std::max(partition.begin, partition.end() - keep);
  const std::int64_t taken = begin - partition.begin;
  for (std::int64_t offset = partition.begin; offset < begin; ++offset) remove(partition, offset);
  partition.begin = begin;
  return taken;
}

std::int64_t SimLog::truncate(PartitionId id, std::int64_t drop, Micros now) {
  SimPartition& partition = partitions_[id];
  const std::int64_t end = std::max(partition.begin, partition.end() - drop);
  const std::int64_t taken = partition.end() - end;
  for (std::int64_t offset = end; offset < partition.end(); ++offset) remove(partition, offset);
  partition.slots.resize(static_cast<std::size_t>(end));
  partition.is_truncated = true;
  partition.broken_at = now;
  return taken;
}

void SimLog::replace(PartitionId id, Micros now) {
  SimPartition& partition = partitions_[id];
  for (std::int64_t offset = partition.begin; offset < partition.end(); ++offset) {
    remove(partition, offset);
  }
  partition.slots.clear();
  partition.begin = 0;
  partition.committed.reset();
  partition.broken_at = now;
  ++partition.incarnation;
}

bool SimLog::compact(PartitionId id, std::int64_t offset) {
  SimPartition& partition = partitions_[id];
  if (offset < partition.begin || offset >= partition.end()) return false;
  remove(partition, offset);
  return true;
}

void SimLog::remove(SimPartition& partition, std::int64_t offset) {
  auto& slot = partition.slots[static_cast<std::size_t>(offset)];
  if (slot) messages_[*slot].is_removed = true;
  slot.reset();
}

}  // namespace signalbox::sim
