#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/message.hpp"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_error_s;
struct rd_kafka_topic_partition_list_s;

namespace signalbox {

/// How every Kafka client of ours reaches the cluster.
struct KafkaConnection {
  std::string brokers = "localhost:9092";
  std::string client_id = "signalbox";  ///< unique: two members with one id confuse the assignor
  /// librdkafka's own properties by their own names: TLS, SASL, buffers. They win over ours,
  /// except over those that the promises rest on.
  std::map<std::string, std::string> properties{};
};

/// Properties in the order in which they are applied; later ones win.
using KafkaProperties = std::vector<std::pair<std::string, std::string>>;

struct KafkaConfDeleter {
  void operator()(rd_kafka_conf_s* conf) const;
};
using KafkaConf = std::unique_ptr<rd_kafka_conf_s, KafkaConfDeleter>;

/// Connection, then `defaults`, the user's properties, and last `required`. Log lines of the
/// library go to our log. Throws std::invalid_argument naming a property that the library refuses.
KafkaConf kafka_conf(const KafkaConnection& connection, const KafkaProperties& defaults,
                     const KafkaProperties& required);

/// Whether the library that is loaded knows this property: older ones lack some.
bool kafka_knows_property(const std::string& name);

enum class KafkaRole : std::uint8_t { Consumer, Producer };

struct KafkaHandleDeleter {
  void operator()(rd_kafka_s* handle) const;
};

/// One client instance. Destroying it does not leave the group: its owner closes it before.
using KafkaHandle = std::unique_ptr<rd_kafka_s, KafkaHandleDeleter>;

/// Throws std::invalid_argument when the configuration contradicts itself.
KafkaHandle kafka_open(KafkaRole role, KafkaConf conf);

struct KafkaPartitionListDeleter {
  void operator()(rd_kafka_topic_partition_list_s* list) const;
};
using KafkaPartitionList =
    std::unique_ptr<rd_kafka_topic_partition_list_s, KafkaPartitionListDeleter>;

KafkaPartitionList kafka_partition_list(std::size_t capacity);
KafkaPartitionList kafka_partition_list(std::span<const TopicPartition> partitions);

/// The error's words, or nothing when there is none. Frees it.
std::string kafka_take_error(rd_kafka_error_s* error);

/// Every topic of the cluster with its number of partitions, or why there is no answer; asks no
/// broker to create one.
std::expected<std::map<std::string, std::int32_t>, std::string> kafka_topics(
    rd_kafka_s* handle, std::chrono::milliseconds timeout);

/// What a new topic looks like.
struct KafkaNewTopic {
  std::string name;
  std::int32_t partitions = 1;
  std::int32_t replication = -1;  ///< -1: as the cluster does by default
  std::map<std::string, std::string> properties{};
};

/// Creates the topic; one that is there already is left as it is. Throws IoError.
void kafka_ensure_topic(rd_kafka_s* handle, const KafkaNewTopic& topic,
                        std::chrono::milliseconds timeout);

/// Throws IoError when the topic can neither be deleted nor is absent.
void kafka_delete_topic(rd_kafka_s* handle, const std::string& name,
                        std::chrono::milliseconds timeout);

}  // namespace signalbox
