#pragma once

#include <memory>
#include <span>
#include <string>

#include "adapters/embedded_log.hpp"
#include "ports/dead_letters.hpp"
#include "ports/message_producer.hpp"

namespace signalbox {

/// Appends to the embedded log. A call is one transaction: all of it, or nothing, and on disk when
/// it returns. Makes topics on first use and prunes what the log need not keep.
///
/// One thread owns a producer; `log` must outlive it.
class EmbeddedProducer final : public MessageProducer {
 public:
  explicit EmbeddedProducer(EmbeddedLog& log);
  ~EmbeddedProducer() override;

  void produce(std::span<const OutgoingMessage> messages) override;

  /// Makes the topic with so many partitions; one that exists stays as it is. Throws IoError.
  void create_topic(const std::string& topic, std::int32_t partitions);

 private:
  struct Connection;
  Connection& connection();

  EmbeddedLog& log_;
  std::unique_ptr<Connection> connection_;  ///< absent until needed, and after a failure
};

/// Letters into a topic of the embedded log, payload and headers whole.
class EmbeddedDeadLetters final : public DeadLetters {
 public:
  explicit EmbeddedDeadLetters(EmbeddedLog& log, std::string topic = "signalbox.dead-letters");

  void put(std::span<const DeadLetter> letters) override;

 private:
  EmbeddedProducer producer_;
  std::string topic_;
};

}  // namespace signalbox
