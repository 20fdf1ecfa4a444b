#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "domain/fence.hpp"
#include "domain/message.hpp"

namespace signalbox {

/// Numbers one begin() of one partition. Messages carry it, so that what was fetched before a
/// later begin() is recognised and dropped.
struct FetchId {
  std::uint64_t value = 0;

  auto operator<=>(const FetchId&) const = default;
};

/// Consecutive messages of one partition, in offset order.
struct Run {
  TopicPartition partition;
  FetchId fetch;
  std::vector<Message> messages;
};

/// Runs and the memory that their views point into. Move-only; the bytes live until it dies.
class MessageBatch {
 public:
  /// Whatever keeps the payload bytes alive, known to the adapter only.
  class Storage {
   public:
    virtual ~Storage() = default;
  };

  MessageBatch() = default;
  MessageBatch(std::vector<Run> runs_of_batch, std::unique_ptr<Storage> storage)
      : runs(std::move(runs_of_batch)), storage_(std::move(storage)) {}

  bool empty() const { return runs.empty(); }

  std::vector<Run> runs;

 private:
  std::unique_ptr<Storage> storage_;
};

/// What a poll brought. Handle the changes of ownership first: `lost`, then `assigned`, then
/// `out_of_range`, then the messages.
struct Polled {
  std::vector<TopicPartition> lost;          ///< another member has them now
  std::vector<TopicPartition> assigned;      ///< ours; silent until begin() is called
  std::vector<TopicPartition> out_of_range;  ///< ours; the log no longer holds what was wanted
  MessageBatch batch;
};

/// How much one poll may bring.
struct PollLimits {
  std::size_t messages = 500;
  std::size_t partitions = 20;
  std::size_t bytes = 4'000'000;  ///< at least one message is returned whatever its size
};

/// A log of partitions read by a consumer group: Apache Kafka, or the embedded log.
///
/// One thread owns a source and makes all calls. Whatever needs a thread to stay a member of the
/// group (heartbeats, polling the broker) is the adapter's own affair and never waits for the
/// caller; it holds at most its configured number of bytes for the caller and fetches no more
/// until they are taken. Positions belong to the caller: a partition delivers nothing before
/// begin(), and the group's commits are advisory.
///
/// Every call may throw IoError when the log does not answer; nothing is lost by calling again.
class MessageSource {
 public:
  virtual ~MessageSource() = default;

  /// Waits up to `wait` for anything, then returns what is there. Messages of one partition come
  /// in offset order; gaps are possible (compaction, transaction markers).
  virtual Polled poll(const PollLimits& limits, std::chrono::milliseconds wait) = 0;

  /// Starts or restarts delivery of an assigned partition at `offset`. nullopt when the partition
  /// is no longer ours. What was fetched for it before is dropped.
  virtual std::optional<FetchId> begin(const TopicPartition& partition, Offset offset) = 0;

  /// Whether the partition is (as far as this member knows) still assigned to us.
  virtual bool owns(const TopicPartition& partition) const = 0;

  /// Range and group commit of each partition asked for; a partition the log does not know is
  /// absent from the answer.
  virtual std::map<TopicPartition, LogRange> ranges(std::span<const TopicPartition> partitions) = 0;

  /// Offset of the first message at or after `time`; the log's end when there is none.
  virtual Offset offset_at(const TopicPartition& partition, EventTime time) = 0;

  /// Every partition of the topics this group reads, assigned to us or not.
  virtual std::vector<TopicPartition> all_partitions() = 0;

  /// Tells the group how far we are. Advisory, cheap, asynchronous; never throws.
  virtual void commit(const TopicPartition& partition, Offset next) = 0;

  /// Identity of the log, for the fence's lineage; empty when it has none.
  virtual std::string lineage() = 0;
};

}  // namespace signalbox
