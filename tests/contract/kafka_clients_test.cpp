#include <algorithm>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/kafka_dead_letters.hpp"
#include "adapters/kafka_probe.hpp"
#include "adapters/kafka_source.hpp"
#include "contract/kafka_log_under_test.hpp"
#include "ports/io_error.hpp"

namespace signalbox::contract {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kNobody = "127.0.0.1:1";

/// Names that no other run has used.
class KafkaClients : public testing::Test {
 protected:
  std::string fresh_name(const std::string& what) const {
    static int count = 0;
    return what + "." +
           std::to_string(std::chrono::system_clock::now().time_since_epoch().count()) + "." +
           std::to_string(++count);
  }

  std::vector<Reader::Received> read_all(const std::string& topic, std::size_t count) {
    Reader reader(kafka_log_under_test()->make_member({fresh_name("group"), "reader", {topic}}));
    EXPECT_TRUE(reader.until([&] { return reader.count() >= count; }));
    return reader.received[{topic, 0}];
  }
};

std::string header_of(const Reader::Received& message, std::string_view name) {
  const auto found = std::ranges::find(message.headers, name, &Header::name);
  return found == message.headers.end() ? "(absent)" : found->value;
}

DeadLetter letter_of(std::string_view payload) {
  return {.lane = "redis",
          .source = {"market.data.btcusdc.1m", 2},
          .offset = Offset{77},
          .timestamp = EventTime{1'700'000'000'000ms},
          .rejected_at = EventTime{1'700'000'001'000ms},
          .reject = {RejectReason::NotJson, "unexpected end"},
          .key = "btcusdc",
          .payload = payload};
}

TEST_F(KafkaClients, ADeadLetterCarriesThePayloadItsPlaceAndItsReason) {
  const std::string topic = fresh_name("signalbox.letters");
  KafkaDeadLetters letters({.connection = {.brokers = kafka_broker()}, .topic = topic});

  letters.put(std::vector{letter_of("{\"open\":"), letter_of({})});

  const auto received = read_all(topic, 2);
  ASSERT_THAT(received, SizeIs(2));
  EXPECT_EQ(received[0].key, "redis|market.data.btcusdc.1m|2|77");
  EXPECT_EQ(received[0].payload, "{\"open\":");
  EXPECT_EQ(header_of(received[0], "signalbox-truncated"), "(absent)");
  const auto fields = dead_letter_fields(received[0].headers);
  ASSERT_TRUE(fields.has_value());
  EXPECT_EQ(fields->topic, "market.data.btcusdc.1m");
  EXPECT_EQ(fields->offset, Offset{77});
  EXPECT_EQ(fields->reason, "not_json");
  EXPECT_EQ(fields->key, "btcusdc");
  EXPECT_EQ(received[1].payload, std::nullopt);
}

TEST_F(KafkaClients, OfALargePayloadTheDeadLetterKeepsTheHeadTheSizeAndTheHash) {
  const std::string topic = fresh_name("signalbox.letters");
  KafkaDeadLetters letters({.connection = {.brokers = kafka_broker()}, .topic = topic});
  const std::string large(2'000'000, 'a');

  letters.put(std::vector{letter_of(large)});

  const auto received = read_all(topic, 1);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].payload->size(), kDeadLetterPayloadMax);
  EXPECT_EQ(header_of(received[0], "signalbox-truncated"), "2000000");
  // printf 'a%.0s' $(seq 2000000) | sha256sum
  EXPECT_EQ(header_of(received[0], "signalbox-sha256"),
            "bcf7f9d1b4311c3352e60502255ce09a6744df84e8f2c89f79c4b5d74933a95a");
}

TEST_F(KafkaClients, DeadLettersUseATopicThatIsThereAsItIs) {
  const std::string topic = fresh_name("signalbox.letters");
  const auto log = kafka_log_under_test();
  log->create_topic(topic, 3);
  KafkaDeadLetters letters({.connection = {.brokers = kafka_broker()}, .topic = topic});

  letters.put(std::vector{letter_of("x")});
  letters.put(std::vector{letter_of("y")});

  const auto source = log->make_member({fresh_name("group"), "a", {topic}});
  EXPECT_THAT(source->all_partitions(), SizeIs(3));
}

TEST_F(KafkaClients, DeadLettersWithoutABrokerFailInBoundedTime) {
  KafkaDeadLetters letters({.connection = {.brokers = kNobody}, .delivery_timeout = 500ms});

  const auto started = std::chrono::steady_clock::now();
  EXPECT_THROW(letters.put(std::vector{letter_of("x")}), IoError);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 15s);
}

TEST_F(KafkaClients, AProducerReportsWhatTheBrokerRefuses) {
  const std::string topic = fresh_name("small");
  KafkaProducer producer(
      {.connection = {.brokers = kafka_broker(), .properties = {{"message.max.bytes", "200000"}}}});
  producer.ensure_topic({.name = topic, .properties = {{"max.message.bytes", "1000"}}});
  const std::string payload(5'000, 'x');

  producer.produce({.topic = topic, .payload = payload});
  EXPECT_THROW(producer.flush(), IoError);

  producer.produce({.topic = topic, .payload = "fits"});
  EXPECT_NO_THROW(producer.flush());
}

TEST_F(KafkaClients, TheCheckNamesTheClusterOrWhatIsWrong) {
  const auto found = check_kafka({.brokers = kafka_broker()}, 5s);
  ASSERT_TRUE(found.has_value()) << found.error();
  EXPECT_THAT(found->brokers, Contains(kafka_broker()));
  EXPECT_FALSE(found->cluster_id.empty());

  const auto nobody = check_kafka({.brokers = kNobody}, 1s);
  ASSERT_FALSE(nobody.has_value());
  EXPECT_THAT(nobody.error(), HasSubstr("refused"));

  const auto misspelt =
      check_kafka({.brokers = kafka_broker(), .properties = {{"security.protocoll", "ssl"}}}, 1s);
  ASSERT_FALSE(misspelt.has_value());
  EXPECT_THAT(misspelt.error(), HasSubstr("security.protocoll"));
}

TEST_F(KafkaClients, ASourceWithoutABrokerWaitsAndSaysWhy) {
  KafkaSource source({.connection = {.brokers = kNobody},
                      .group_id = "g",
                      .topics = {"^x$"},
                      .request_timeout = 300ms});

  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (source.status().last_error.empty() && std::chrono::steady_clock::now() < deadline) {
    EXPECT_TRUE(source.poll({}, 50ms).batch.empty());
  }

  EXPECT_FALSE(source.connected());
  EXPECT_THAT(source.status().last_error, HasSubstr("refused"));
  EXPECT_THROW(source.all_partitions(), IoError);
  EXPECT_THROW(source.ranges(std::vector<TopicPartition>{{"x", 0}}), IoError);
}

TEST_F(KafkaClients, ASourceRefusesPropertiesThatTheLibraryDoesNotKnow) {
  EXPECT_THROW(KafkaSource({.connection = {.properties = {{"no.such.property", "1"}}},
                            .group_id = "g",
                            .topics = {"^x$"}}),
               std::invalid_argument);
}

/// The library aborts the process where a client is freed amid its first join.
TEST_F(KafkaClients, AMemberMayEndAtAnyMomentOfItsJoin) {
  const std::string topic = fresh_name("brief");
  const auto log = kafka_log_under_test();
  log->create_topic(topic, 1);
  for (int moment = 0; moment < 50; ++moment) {
    const auto member = log->make_member({fresh_name("group"), "brief", {topic}});
    const auto until = std::chrono::steady_clock::now() + moment * 1ms;
    while (std::chrono::steady_clock::now() < until) member->poll({}, 1ms);
  }
}

/// Many partitions are begun with few requests, and a second member takes its half.
TEST_F(KafkaClients, HundredsOfPartitionsMoveBetweenMembersAndEveryMessageComesOnce) {
  constexpr int kTopics = 132;
  const std::string prefix = fresh_name("many");
  const std::string group = fresh_name("group");
  const auto log = kafka_log_under_test();
  std::vector<Produced> messages;
  for (int topic = 0; topic < kTopics; ++topic) {
    const std::string name = prefix + "." + std::to_string(topic);
    log->create_topic(name, 3);
    for (int i = 0; i < 300; ++i) {
      messages.push_back({.topic = name, .partition = i % 3, .payload = std::to_string(i / 3)});
    }
  }
  const std::vector<std::string> pattern{"^" + prefix + "\\..*$"};
  Reader first(log->make_member({group, "a", pattern}));
  ASSERT_TRUE(first.until([&] { return first.owned.size() == 3 * kTopics; }));
  log->produce(messages);
  ASSERT_TRUE(first.until([&] { return first.count() >= 300 * kTopics; }));
  const auto started = std::chrono::steady_clock::now();
  std::vector<TopicPartition> all = first.source->all_partitions();
  EXPECT_THAT(all, SizeIs(3 * kTopics));
  EXPECT_THAT(first.source->ranges(all), SizeIs(3 * kTopics));
  EXPECT_LT(std::chrono::steady_clock::now() - started, 2s);

  // Each member begins where the log ends now: what comes later must come once.
  Reader second(log->make_member({group, "b", pattern}),
                [](const TopicPartition&) { return Offset{100}; });
  ASSERT_TRUE(first.until([&] {
    second.step(10ms);
    return second.owned.size() == 3 * kTopics / 2 && first.owned.size() == 3 * kTopics / 2;
  }));
  log->produce(messages);
  ASSERT_TRUE(first.until([&] {
    second.step(10ms);
    return first.count() + second.count() >= 600 * kTopics;
  }));
  EXPECT_EQ(first.count() + second.count(), 600U * kTopics);
  EXPECT_EQ(second.count(), 150U * kTopics);
}

}  // namespace
}  // namespace signalbox::contract
