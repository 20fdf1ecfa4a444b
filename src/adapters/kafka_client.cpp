#include "adapters/kafka_client.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

/// Called from any thread of the library. Level is syslog's: 4 is a warning.
void log_line(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  constexpr int kWarning = 4;
  constexpr int kNotice = 5;
  const LogField fields[] = {
      {"client", rd_kafka_name(handle)}, {"facility", facility}, {"text", text}};
  // What the library retries by itself, each client for itself: whoever watches the state tells
  // it once.
  constexpr std::array<std::string_view, 4> kRetried{"FAIL", "ERROR", "GETPID", "COMMITFAIL"};
  const bool is_retried = std::ranges::find(kRetried, facility) != kRetried.end();
  const LogLevel ours = is_retried          ? LogLevel::Debug
                        : level <= kWarning ? LogLevel::Warning
                        : level <= kNotice  ? LogLevel::Info
                                            : LogLevel::Debug;
  log_event_limited(ours, std::string(rd_kafka_name(handle)) + facility, "kafka_client", fields);
}

void set_property(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) !=
      RD_KAFKA_CONF_OK) {
    throw std::invalid_argument("Kafka property " + name + ": " + why.data());
  }
}

struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
using Queue = std::unique_ptr<rd_kafka_queue_t, QueueDeleter>;

struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using Event = std::unique_ptr<rd_kafka_event_t, EventDeleter>;

Event wait_for_event(rd_kafka_queue_t* queue, std::chrono::milliseconds timeout) {
  // The request itself ends after `timeout`; the second is for its answer to arrive.
  Event event(rd_kafka_queue_poll(queue, static_cast<int>(timeout.count()) + 1000));
  if (!event) throw IoError("kafka", "no answer to an administrative request");
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw IoError("kafka", rd_kafka_event_error_string(event.get()));
  }
  return event;
}

struct AdminOptionsDeleter {
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, AdminOptionsDeleter>;

AdminOptions admin_options(rd_kafka_t* handle, rd_kafka_admin_op_t operation,
                           std::chrono::milliseconds timeout) {
  AdminOptions options(rd_kafka_AdminOptions_new(handle, operation));
  std::array<char, 256> why{};
  const int ms = static_cast<int>(timeout.count());
  rd_kafka_AdminOptions_set_request_timeout(options.get(), ms, why.data(), why.size());
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), ms, why.data(), why.size());
  return options;
}

/// The error of the first topic of a result, "already as wanted" counting as none.
void check_topic_result(const rd_kafka_topic_result_t* result, rd_kafka_resp_err_t harmless) {
  const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(result);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == harmless) return;
  const char* text = rd_kafka_topic_result_error_string(result);
  throw IoError("kafka", std::string(rd_kafka_topic_result_name(result)) + ": " +
                             (text ? text : rd_kafka_err2str(error)));
}

}  // namespace

void KafkaConfDeleter::operator()(rd_kafka_conf_s* conf) const { rd_kafka_conf_destroy(conf); }

void KafkaHandleDeleter::operator()(rd_kafka_s* handle) const {
  rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void KafkaPartitionListDeleter::operator()(rd_kafka_topic_partition_list_s* list) const {
  rd_kafka_topic_partition_list_destroy(list);
}

KafkaConf kafka_conf(const KafkaConnection& connection, const KafkaProperties& defaults,
                     const KafkaProperties& required) {
  KafkaConf conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), log_line);
  set_property(conf.get(), "bootstrap.servers", connection.brokers);
  set_property(conf.get(), "client.id", connection.client_id);
  set_property(conf.get(), "reconnect.backoff.max.ms", "1000");
  set_property(conf.get(), "socket.nagle.disable", "true");
  set_property(conf.get(), "log.connection.close", "false");
  set_property(conf.get(), "client.software.name", "signalbox");
  for (const auto& [name, value] : defaults) set_property(conf.get(), name, value);
  for (const auto& [name, value] : connection.properties) set_property(conf.get(), name, value);
  for (const auto& [name, value] : required) set_property(conf.get(), name, value);
  return conf;
}

bool kafka_knows_property(const std::string& name) {
  const KafkaConf conf(rd_kafka_conf_new());
  std::size_t size = 0;
  return rd_kafka_conf_get(conf.get(), name.c_str(), nullptr, &size) == RD_KAFKA_CONF_OK;
}

KafkaHandle kafka_open(KafkaRole role, KafkaConf conf) {
  std::array<char, 512> why{};
  const rd_kafka_type_t type = role == KafkaRole::Consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
  KafkaHandle handle(rd_kafka_new(type, conf.get(), why.data(), why.size()));
  if (!handle) throw std::invalid_argument(std::string("Kafka: ") + why.data());
  static_cast<void>(conf.release());  // the client owns it now
  return handle;
}

KafkaPartitionList kafka_partition_list(std::size_t capacity) {
  return KafkaPartitionList(rd_kafka_topic_partition_list_new(static_cast<int>(capacity)));
}

KafkaPartitionList kafka_partition_list(std::span<const TopicPartition> partitions) {
  KafkaPartitionList list = kafka_partition_list(partitions.size());
  for (const TopicPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  }
  return list;
}

std::string kafka_take_error(rd_kafka_error_s* error) {
  if (!error) return {};
  std::string text = rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  return text.empty() ? "unknown error" : text;
}

std::expected<std::map<std::string, std::int32_t>, std::string> kafka_topics(
    rd_kafka_s* handle, std::chrono::milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(handle, 1, nullptr, &raw, static_cast<int>(timeout.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(rd_kafka_err2str(error));
  const std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)> metadata(
      raw, rd_kafka_metadata_destroy);
  std::map<std::string, std::int32_t> topics;
  for (const auto& topic :
       std::span(metadata->topics, static_cast<std::size_t>(metadata->topic_cnt))) {
    topics.emplace(topic.topic, topic.partition_cnt);
  }
  return topics;
}

void kafka_ensure_topic(rd_kafka_s* handle, const KafkaNewTopic& topic,
                        std::chrono::milliseconds timeout) {
  std::array<char, 256> why{};
  using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, void (*)(rd_kafka_NewTopic_t*)>;
  const NewTopic wanted(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions,
                                              topic.replication, why.data(), why.size()),
                        rd_kafka_NewTopic_destroy);
  if (!wanted) throw IoError("kafka", topic.name + ": " + why.data());
  for (const auto& [name, value] : topic.properties) {
    rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str());
  }
  const Queue queue(rd_kafka_queue_new(handle));
  const AdminOptions options = admin_options(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
  std::array<rd_kafka_NewTopic_t*, 1> all{wanted.get()};
  rd_kafka_CreateTopics(handle, all.data(), all.size(), options.get(), queue.get());
  const Event event = wait_for_event(queue.get(), timeout);
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (const rd_kafka_topic_result_t* result : std::span(results, count)) {
    check_topic_result(result, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
  }
}

void kafka_delete_topic(rd_kafka_s* handle, const std::string& name,
                        std::chrono::milliseconds timeout) {
  using DeleteTopic = std::unique_ptr<rd_kafka_DeleteTopic_t, void (*)(rd_kafka_DeleteTopic_t*)>;
  const DeleteTopic wanted(rd_kafka_DeleteTopic_new(name.c_str()), rd_kafka_DeleteTopic_destroy);
  const Queue queue(rd_kafka_queue_new(handle));
  const AdminOptions options = admin_options(handle, RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout);
  std::array<rd_kafka_DeleteTopic_t*, 1> all{wanted.get()};
  rd_kafka_DeleteTopics(handle, all.data(), all.size(), options.get(), queue.get());
  const Event event = wait_for_event(queue.get(), timeout);
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
  for (const rd_kafka_topic_result_t* result : std::span(results, count)) {
    check_topic_result(result, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  }
}

}  // namespace signalbox
