#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox {

/// Position of a message in its partition, as Kafka counts it.
struct Offset {
  std::int64_t value = 0;

  auto operator<=>(const Offset&) const = default;
};

/// The offset that a reader wants after it has handled `offset`.
constexpr Offset next_offset(Offset offset) { return Offset{offset.value + 1}; }

/// UTC, milliseconds: the resolution of Kafka's timestamps and of exchanges' candles.
using EventTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// UTC, microseconds: the resolution of `received_at`.
using ReceivedAt = std::chrono::sys_time<std::chrono::microseconds>;

/// The database's clock, UTC. Compared with times of the same database only.
using DatabaseTime = std::chrono::sys_time<std::chrono::microseconds>;

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;

  auto operator<=>(const TopicPartition&) const = default;
};

struct Header {
  std::string name;
  std::string value;

  bool operator==(const Header&) const = default;
};

/// One message as it came from the log. The bytes belong to the batch that holds it.
struct Message {
  Offset offset;
  EventTime timestamp;       ///< when it was produced, by the log's account
  std::string_view key;      ///< empty when there is none
  std::string_view payload;  ///< data() == nullptr for a tombstone
  /// Filled for topics of our own (`signalbox.…`) only: the hot path carries no headers.
  std::vector<Header> headers{};

  bool is_tombstone() const { return payload.data() == nullptr; }
};

}  // namespace signalbox
