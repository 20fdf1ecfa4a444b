#include "adapters/embedded_bus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <thread>
#include <variant>

#include "adapters/embedded_bus_sink.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

BusMessage message(std::string channel, std::string payload) {
  return {std::move(channel), std::make_shared<const std::string>(std::move(payload))};
}

std::vector<std::string> payloads(const std::vector<BusMessage>& messages) {
  std::vector<std::string> payloads;
  for (const BusMessage& each : messages) payloads.push_back(*each.payload);
  return payloads;
}

TEST(EmbeddedBus, ASubscriberGetsWhatMatchesItsPatternInOrder) {
  EmbeddedBus bus;
  const auto all = bus.subscribe({});
  const auto some = bus.subscribe({.pattern = "market:*:5m"});

  const std::uint64_t receivers = bus.publish(std::vector{
      message("market:eth:5m", "a"), message("market:eth:1h", "b"), message("market:ada:5m", "c")});

  EXPECT_EQ(receivers, 5U);
  EXPECT_THAT(payloads(all->take(10, 0ms)), ElementsAre("a", "b", "c"));
  EXPECT_THAT(payloads(some->take(1, 0ms)), ElementsAre("a"));
  EXPECT_THAT(payloads(some->take(10, 0ms)), ElementsAre("c"));
  EXPECT_THAT(some->take(10, 0ms), IsEmpty());
}

TEST(EmbeddedBus, ASlowSubscriberLosesTheOldestAndIsToldHowMany) {
  EmbeddedBus bus;
  const auto slow = bus.subscribe({.pattern = "c", .queue_max = 2});
  for (const char* payload : {"1", "2", "3", "4", "5"}) {
    bus.publish(std::vector{message("c", payload)});
  }
  EXPECT_EQ(slow->dropped(), 3U);
  EXPECT_THAT(payloads(slow->take(10, 0ms)), ElementsAre("4", "5"));
}

TEST(EmbeddedBus, WhoLetsGoOfASubscriptionIsNoReceiver) {
  EmbeddedBus bus;
  bus.subscribe({});
  EXPECT_EQ(bus.publish(std::vector{message("c", "1")}), 0U);
}

TEST(EmbeddedBus, AMessageEndsAWaitAndSoDoesAStop) {
  EmbeddedBus bus;
  const auto subscription = bus.subscribe({});
  {
    const std::jthread publisher{[&] { bus.publish(std::vector{message("c", "1")}); }};
    EXPECT_THAT(payloads(subscription->take(10, 1h)), ElementsAre("1"));
  }
  std::stop_source stop;
  const std::jthread stopper{[&] { stop.request_stop(); }};
  EXPECT_THAT(subscription->take(10, 1h, stop.get_token()), IsEmpty());
}

TEST(EmbeddedBus, KeepsTheLastValueOfEachChannel) {
  EmbeddedBus bus;
  bus.publish(std::vector{message("a", "1"), message("b", "2"), message("a", "3")});
  EXPECT_EQ(*bus.last_value("a").value().payload, "3");
  EXPECT_EQ(bus.last_value("none"), std::nullopt);
  EXPECT_THAT(payloads(bus.last_values("*")), ElementsAre("3", "2"));
}

TEST(EmbeddedBus, AStarStandsForAnyText) {
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a*", "a"));
  EXPECT_TRUE(matches_pattern("a*b*c", "a-b-b-c"));
  EXPECT_TRUE(matches_pattern("*:5m", "x:5m:5m"));
  EXPECT_FALSE(matches_pattern("a*b", "a-b-"));
  EXPECT_FALSE(matches_pattern("a", "ab"));
  EXPECT_FALSE(matches_pattern("", "a"));
  EXPECT_FALSE(matches_pattern("ab*", "a"));
}

class EmbeddedBusSinkTest : public testing::Test {
 protected:
  EmbeddedBusSinkOptions options() const {
    return {.file = folder / "bus.db", .group = "g", .entries_per_channel_max = 80};
  }

  /// Writes one message to two channels.
  static Committed write(EmbeddedBusSink& sink, const std::string& payload) {
    const Route route{.kind = Kind::Order,
                      .topic = "orders",
                      .symbol = {},
                      .timeframe = {},
                      .channels = {"one", "two"}};
    const TopicPartition source{"orders", 0};
    const Message order{.offset = {}, .timestamp = {}, .key = "k", .payload = payload};
    const std::vector<Routed> routed{
        {.message = &order,
         .route = &route,
         .source = &source,
         .source_offset = {},
         .facts = {
             .splice_at = payload.size() - 1, .has_members = payload.size() > 2, .record = {}}}};
    return std::get<Committed>(sink.write({.messages = routed, .moves = {}, .received_at = {}}));
  }

  TemporaryFolder folder;
  EmbeddedBus bus;
};

TEST_F(EmbeddedBusSinkTest, CountsPublishesAndReceivers) {
  EmbeddedBusSink sink{bus, options()};
  const auto one = bus.subscribe({.pattern = "one"});
  const auto all = bus.subscribe({.pattern = "*"});

  const Committed committed = write(sink, "{}");

  EXPECT_EQ(committed.publishes, 2U);
  EXPECT_EQ(committed.receivers, 3U);
  EXPECT_THAT(payloads(one->take(10, 0ms)), ElementsAre(HasSubstr("\"source_topic\": \"orders\"")));
}

TEST_F(EmbeddedBusSinkTest, AChannelKeepsItsLastEntries) {
  EmbeddedBusSink sink{bus, options()};
  for (int i = 0; i < 300; ++i) write(sink, "{\"n\": " + std::to_string(i) + "}");

  const std::vector<std::string> entries = sink.entries("one");

  EXPECT_GE(entries.size(), 80U);
  EXPECT_LE(entries.size(), 90U);
  EXPECT_THAT(entries.back(), HasSubstr("\"n\": 299,"));
}

TEST_F(EmbeddedBusSinkTest, TheLastValuesAreThereAgainAfterARestart) {
  {
    EmbeddedBusSink sink{bus, options()};
    write(sink, "{\"n\": 1}");
    write(sink, "{\"n\": 2}");
  }
  EmbeddedBus restarted;
  EmbeddedBusSink sink{restarted, options()};
  sink.ping();

  EXPECT_THAT(*restarted.last_value("two").value().payload, HasSubstr("\"n\": 2,"));
}

}  // namespace
}  // namespace signalbox
