#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/kafka_client.hpp"
#include "ports/message_source.hpp"

namespace signalbox {

struct KafkaSourceOptions {
  KafkaConnection connection{};
  std::string group_id;
  /// Static membership: a restart within the session keeps its partitions.
  std::optional<std::string> group_instance_id{};
  /// Topics as POSIX extended expressions; one that begins with `^` is a pattern.
  std::vector<std::string> topics;
  /// What may wait for the caller: payloads, keys and the library's overhead per message.
  std::size_t handover_max_bytes = 32'000'000;
  std::chrono::milliseconds session_timeout{10'000};
  /// How long ranges(), offset_at() and all_partitions() wait for the broker.
  std::chrono::milliseconds request_timeout{5'000};
};

/// How far one of our partitions is.
struct KafkaPartitionLag {
  TopicPartition partition;
  Offset next;                ///< what the caller committed last, or began at
  std::optional<Offset> end;  ///< end of the log as last heard; absent before the first fetch

  std::int64_t messages() const {
    return end ? std::max<std::int64_t>(0, end->value - next.value) : 0;
  }
};

struct KafkaSourceStatus {
  bool connected = false;
  std::chrono::steady_clock::time_point since{};  ///< of `connected` being what it is
  std::string last_error;                         ///< empty when there was none yet
  std::size_t assigned = 0;                       ///< partitions that are ours
  std::size_t handover_messages = 0;
  std::size_t handover_bytes = 0;
  bool paused = false;  ///< the caller takes less than the log brings
  std::uint64_t rebalances = 0;
  std::uint64_t rebuilds = 0;  ///< times that the client was made anew after a fatal error
  std::vector<KafkaPartitionLag> lags;
};

/// A consumer group's member on Apache Kafka.
///
/// A thread of its own polls the broker and never waits for the caller. It hands messages over in
/// chunks; when they hold `handover_max_bytes` it pauses its partitions and goes on polling, so
/// that a slow or dead sink never costs the membership. An assigned partition is not even fetched
/// before begin(). The library comes back by itself when brokers were away; after an error that it
/// calls fatal the client is made anew, with backoff.
///
/// Batches may outlive the source: the last one frees the client.
class KafkaSource final : public MessageSource {
 public:
  /// Throws std::invalid_argument for properties that the library refuses. Needs no broker.
  explicit KafkaSource(KafkaSourceOptions options);
  /// Leaves the group (a static member does not) as leave() does.
  ~KafkaSource() override;
  KafkaSource(const KafkaSource&) = delete;
  KafkaSource& operator=(const KafkaSource&) = delete;

  Polled poll(const PollLimits& limits, std::chrono::milliseconds wait) override;
  std::optional<FetchId> begin(const TopicPartition& partition, Offset offset) override;
  bool owns(const TopicPartition& partition) const override;
  std::map<TopicPartition, LogRange> ranges(std::span<const TopicPartition> partitions) override;
  Offset offset_at(const TopicPartition& partition, EventTime time) override;
  std::vector<TopicPartition> all_partitions() override;
  void commit(const TopicPartition& partition, Offset next) override;
  std::string lineage() override;

  /// Leaves the group within about three seconds, whatever the broker does: then, at the latest,
  /// the group finds out by itself. Nothing is brought after it, and nothing can be asked.
  void leave();

  /// Any thread.
  KafkaSourceStatus status() const;

  /// Any thread.
  bool connected() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace signalbox
