#include "contract/kafka_log_under_test.hpp"

#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include "adapters/kafka_producer.hpp"
#include "adapters/kafka_source.hpp"
#include "ports/io_error.hpp"

namespace signalbox::contract {
namespace {

class KafkaLogUnderTest final : public LogUnderTest {
 public:
  explicit KafkaLogUnderTest(std::string brokers)
      : brokers_(std::move(brokers)),
        producer_({.connection = {.brokers = brokers_,
                                  .client_id = "contract-producer",
                                  .properties = {{"message.max.bytes", "2200000"},
                                                 {"compression.codec", "snappy"}}},
                   .delivery_timeout = std::chrono::milliseconds{30'000}}) {}

  /// Hundreds of forgotten partitions would make the broker slow to start again.
  ~KafkaLogUnderTest() override {
    for (const std::string& topic : topics_) {
      try {
        producer_.delete_topic(topic);
      } catch (const IoError& error) {
        std::cerr << "left behind: " << topic << ": " << error.what() << '\n';
      }
    }
  }

  bool outlives_its_process() const override { return true; }

  void create_topic(const std::string& name, int partitions) override {
    producer_.ensure_topic(
        {.name = name, .partitions = partitions, .properties = {{"max.message.bytes", "2200000"}}});
    topics_.push_back(name);
  }

  void produce(const std::vector<Produced>& messages) override {
    for (const Produced& message : messages) {
      KafkaRecord record{.topic = message.topic,
                         .partition = message.partition,
                         .headers = message.headers,
                         .timestamp = message.timestamp};
      if (!message.key.empty()) record.key = message.key;
      if (message.payload) record.payload = *message.payload;
      producer_.produce(record);
    }
    producer_.flush();
  }

  std::unique_ptr<MessageSource> make_member(const MemberOptions& options) override {
    return std::make_unique<KafkaSource>(
        KafkaSourceOptions{.connection = {.brokers = brokers_, .client_id = options.member},
                           .group_id = options.group,
                           .topics = options.topics,
                           .handover_max_bytes = options.handover_max_bytes});
  }

  std::optional<std::size_t> handover_bytes(const MessageSource& source) const override {
    return dynamic_cast<const KafkaSource&>(source).status().handover_bytes;
  }

 private:
  std::string brokers_;
  KafkaProducer producer_;
  std::vector<std::string> topics_;
};

}  // namespace

std::string kafka_broker() {
  const char* broker = std::getenv("KAFKA_BROKER");
  if (!broker) {
    throw std::runtime_error("KAFKA_BROKER is not set: start a broker with tools/stack up");
  }
  return broker;
}

std::unique_ptr<LogUnderTest> kafka_log_under_test() {
  return std::make_unique<KafkaLogUnderTest>(kafka_broker());
}

}  // namespace signalbox::contract
