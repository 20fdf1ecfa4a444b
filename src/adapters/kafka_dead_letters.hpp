#pragma once

#include <string>

#include "adapters/kafka_producer.hpp"
#include "ports/dead_letters.hpp"

namespace signalbox {

struct KafkaDeadLettersOptions {
  KafkaConnection connection{};
  std::string topic = "signalbox.dead-letters";
  std::chrono::milliseconds delivery_timeout{10'000};
};

/// Dead letters as messages: the refused payload as it was, place and reason as headers.
///
/// Of a payload over kDeadLetterPayloadMax only the head is kept; `signalbox-truncated` then says
/// its full size and `signalbox-sha256` its hash. Creates the topic (one partition, never expiring
/// by the cluster's default only) when it is missing; an existing one is left alone.
class KafkaDeadLetters final : public DeadLetters {
 public:
  explicit KafkaDeadLetters(KafkaDeadLettersOptions options);

  void put(std::span<const DeadLetter> letters) override;

 private:
  void make_topic();

  const KafkaDeadLettersOptions options_;
  KafkaProducer producer_;
  bool topic_is_there_ = false;
};

}  // namespace signalbox
