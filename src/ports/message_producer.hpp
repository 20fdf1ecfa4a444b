#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "domain/message.hpp"

namespace signalbox {

/// A message on its way into a log. Borrows for the length of the call.
struct OutgoingMessage {
  std::string_view topic;
  std::string_view key;      ///< empty when there is none
  std::string_view payload;  ///< data() == nullptr for a tombstone
  EventTime timestamp;
  std::vector<Header> headers{};
  std::optional<std::int32_t> partition{};  ///< absent: the key decides, always the same way
};

/// Appends to a log: Apache Kafka, or the embedded log.
///
/// Topics that do not exist are made. One thread owns a producer.
class MessageProducer {
 public:
  virtual ~MessageProducer() = default;

  /// Returns when every message is durable; those of one partition are in the order given. Throws
  /// IoError when that cannot be said: none, some or all may be there, and a repeat may double
  /// them, unless the adapter says that a call is all or nothing.
  virtual void produce(std::span<const OutgoingMessage> messages) = 0;
};

}  // namespace signalbox
