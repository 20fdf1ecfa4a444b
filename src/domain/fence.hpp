#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "domain/message.hpp"

namespace signalbox {

/// The next offset of one partition, stored with the data in the sink and compared before each
/// write. Two fences are the same only when every field is.
struct Fence {
  Offset next;                 ///< the next offset that this sink wants
  std::int32_t part = 0;       ///< writes already done of the message at `next`, when it is cut
  EventTime last_timestamp{};  ///< log timestamp of the message before `next`; 0 = none yet
  std::uint64_t seq = 0;       ///< messages delivered from this partition since `epoch` began
  std::int64_t epoch = 0;      ///< changes when the fence was lost; ms UTC of its first write
  std::string lineage;         ///< cluster id of the log; no spaces
  std::int64_t gap = 0;        ///< messages known lost (> 0) or seen again (< 0), unacknowledged

  bool operator==(const Fence&) const = default;
};

/// One line of text, fields separated by single spaces: what Redis stores and compares.
std::string encode(const Fence& fence);

/// The reverse of encode(); the error says what was found.
std::expected<Fence, std::string> decode_fence(std::string_view text);

/// A fence per partition; a partition without one is absent.
using FenceMap = std::map<TopicPartition, Fence>;

/// The step of one partition's fence that goes with a write. `expected` absent: the sink must
/// hold no fence for this partition yet.
struct FenceMove {
  TopicPartition partition;
  std::optional<Fence> expected;
  Fence next;
};

/// The reserved name under which a sink remembers that a group has started: written with the
/// first fences, so that a partition found later is known to have appeared later. No Kafka topic
/// can have this name.
inline const TopicPartition kGroupStarted{"*", 0};

/// What the log says about a partition. `end` is one past the last message.
struct LogRange {
  Offset begin;
  Offset end;
  std::optional<Offset> committed;  ///< the group's advisory commit
};

enum class StartAt : std::uint8_t { Earliest, Latest };

/// Whether the sink or the log holds any trace of an earlier run of the group.
enum class GroupHistory : std::uint8_t { None, Started };

/// Row of the amnesia table that applied, for logs, metrics and documents.
enum class ResumeCase : std::uint8_t {
  FirstStart,    ///< no fence, no commit, group never started: by KAFKA_AUTO_OFFSET_RESET
  NewPartition,  ///< no fence, no commit, group has started: from the beginning
  SinkForgot,    ///< no fence, but a commit: at the commit, alarm
  AtFence,       ///< the ordinary case
  SinkRestored,  ///< fence behind the commit: back to the fence, what was forgotten is filled in
  OutsideLog,    ///< fence outside the log's range: resume by time, alarm
  LogReplaced,   ///< the message before the fence is not the one that was delivered: by time
};

std::string_view name_of(ResumeCase resume_case);

struct ResumeAt {
  Offset offset;
};

/// The offset must be looked up in the log: the first message at or after `time`.
struct ResumeByTime {
  EventTime time;
};

/// Where to go on, and which row of the table said so.
struct Resume {
  ResumeCase resume_case;
  std::variant<ResumeAt, ResumeByTime> where;
};

/// The amnesia table (docs/FENCES.md), all rows but LogReplaced, which needs the first message.
Resume resume_from(const std::optional<Fence>& fence, const LogRange& log, StartAt first_start,
                   GroupHistory history);

/// Where a partition goes on whose log was truncated or made anew: a second before the last
/// message that was delivered.
ResumeByTime resume_by_time(const Fence& fence);

}  // namespace signalbox
