#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "adapters/kafka_client.hpp"

namespace signalbox {

struct KafkaProducerOptions {
  KafkaConnection connection{};
  /// How long a message may take until it counts as failed.
  std::chrono::milliseconds delivery_timeout{10'000};
};

/// What to produce. Borrows for the time of the call.
struct KafkaRecord {
  std::string_view topic;
  std::optional<std::int32_t> partition{};  ///< absent: by the key
  std::optional<std::string_view> key{};
  std::optional<std::string_view> payload{};  ///< absent: a tombstone
  std::span<const Header> headers{};
  std::optional<EventTime> timestamp{};  ///< absent: now
};

/// Produces idempotently with acks=all. One thread owns it.
class KafkaProducer {
 public:
  /// Throws std::invalid_argument for properties that the library refuses. Needs no broker.
  explicit KafkaProducer(KafkaProducerOptions options);
  /// What is not flushed is thrown away.
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  /// Hands a message to the library, and waits while its queue is full. Throws IoError when the
  /// message can never be sent (too large, no such partition) or there is no room in time.
  void produce(const KafkaRecord& record);

  /// Returns when every message since the last flush is acknowledged. Throws IoError with the
  /// first failure when one is not, after at most the delivery time-out and two seconds; what is
  /// still on its way then is dropped, and may or may not have arrived.
  void flush();

  /// Creates the topic unless it is there. Throws IoError.
  void ensure_topic(const KafkaNewTopic& topic);

  /// Throws IoError.
  void delete_topic(const std::string& name);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace signalbox
