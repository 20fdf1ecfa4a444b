#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "domain/dead_letter.hpp"
#include "domain/fence.hpp"
#include "domain/message.hpp"
#include "sim/scheduler.hpp"

namespace signalbox::sim {

using MessageId = std::uint32_t;
using PartitionId = std::size_t;

enum class Content : std::uint8_t {
  Good,
  Poison,         ///< the reader refuses it
  RefusedBySink,  ///< the sink refuses its row
};

/// A message and what has become of it: the truth that lanes are judged by.
struct SimMessage {
  MessageId id = 0;
  PartitionId partition = 0;
  int incarnation = 0;  ///< of its topic: grows when the topic is made anew
  Offset offset;
  EventTime timestamp;
  Content content = Content::Good;
  std::string key;
  std::string payload;      ///< its id as text
  bool is_removed = false;  ///< by retention, compaction, truncation, or with its topic
  bool is_excused = false;  ///< lost inside an interval that the protocol names
  int published = 0;        ///< writes of it that the sink has executed
  int in_content = 0;       ///< copies that the sink holds now
  int letters = 0;
};

struct SimPartition {
  TopicPartition name;
  int incarnation = 0;
  std::int64_t begin = 0;
  std::vector<std::optional<MessageId>> slots;  ///< by offset; empty: removed
  std::optional<Offset> committed;
  Micros visible_at = 0;  ///< when clients learn of it
  Micros broken_at = -1;  ///< last truncation or replacement
  bool is_truncated = false;
  struct Epoch {
    int process = 0;  ///< who began it
    bool has_messages = false;
  };
  std::map<std::int64_t, Epoch> epochs;

  std::int64_t end() const { return static_cast<std::int64_t>(slots.size()); }
};

/// One simulated Kafka: partitions, their messages and the commits of the group.
class SimLog {
 public:
  PartitionId add_partition(TopicPartition name, Micros visible_at);
  std::optional<PartitionId> find(const TopicPartition& name) const;
  SimPartition& partition(PartitionId id) { return partitions_[id]; }
  const SimPartition& partition(PartitionId id) const { return partitions_[id]; }
  std::size_t size() const { return partitions_.size(); }

  SimMessage& produce(PartitionId partition, EventTime timestamp, Content content, std::string key);
  SimMessage& message(MessageId id) { return messages_[id]; }
  std::deque<SimMessage>& messages() { return messages_; }

  /// The message that a payload is.
  SimMessage& message_of(std::string_view payload);

  LogRange range(PartitionId id) const;
  Offset offset_at(PartitionId id, EventTime time) const;

  /// Faults. Each returns how many messages it took.
  std::int64_t retain(PartitionId id, std::int64_t keep);
  std::int64_t truncate(PartitionId id, std::int64_t drop, Micros now);
  void replace(PartitionId id, Micros now);
  bool compact(PartitionId id, std::int64_t offset);

 private:
  void remove(SimPartition& partition, std::int64_t offset);

  std::deque<SimPartition> partitions_;
  std::map<TopicPartition, PartitionId> by_name_;
  std::deque<SimMessage> messages_;
  std::set<EventTime> timestamps_;
};

}  // namespace signalbox::sim
