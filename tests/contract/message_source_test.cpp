#include "contract/message_source_suite.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "contract/kafka_log_under_test.hpp"

namespace signalbox::contract {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

std::vector<Produced> numbered(const TopicPartition& to, int count, int first = 0) {
  std::vector<Produced> messages;
  for (int i = first; i < first + count; ++i) {
    messages.push_back({.topic = to.topic,
                        .partition = to.partition,
                        .key = "k" + std::to_string(i),
                        .payload = "v" + std::to_string(i)});
  }
  return messages;
}

std::vector<std::int64_t> counting(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(to - from));
  std::iota(numbers.begin(), numbers.end(), from);
  return numbers;
}

/// Quiet for a while: what was to come has come.
void settle(Reader& reader, std::chrono::milliseconds quiet = 500ms) {
  const auto until = std::chrono::steady_clock::now() + quiet;
  while (std::chrono::steady_clock::now() < until) reader.step(50ms);
}

TEST_P(MessageSourceContract, BringsNothingBeforeBegin) {
  const TopicPartition only{fresh_name("silent"), 0};
  log->create_topic(only.topic, 1);
  log->produce(numbered(only, 10));
  Reader reader(log->make_member({fresh_name("group"), "a", {only.topic}}),
                [](const TopicPartition&) { return std::nullopt; });

  ASSERT_TRUE(reader.until([&] { return !reader.assigned.empty(); }));
  settle(reader, 1s);

  EXPECT_THAT(reader.assigned, ElementsAre(only));
  EXPECT_TRUE(reader.source->owns(only));
  EXPECT_EQ(reader.unowned, 0U);
}

TEST_P(MessageSourceContract, BringsEveryMessageInOrderWithKeyPayloadAndTime) {
  const std::string topic = fresh_name("order");
  log->create_topic(topic, 3);
  std::vector<Produced> messages;
  for (std::int32_t partition = 0; partition < 3; ++partition) {
    std::ranges::move(numbered({topic, partition}, 1000), std::back_inserter(messages));
  }
  messages[0].timestamp = EventTime{1'700'000'000'123ms};
  log->produce(messages);
  Reader reader(log->make_member({fresh_name("group"), "a", {topic}}));

  ASSERT_TRUE(reader.until([&] { return reader.count() >= 3000; }));
  settle(reader);

  for (std::int32_t partition = 0; partition < 3; ++partition) {
    const TopicPartition name{topic, partition};
    EXPECT_EQ(reader.offsets(name), counting(0, 1000));
    EXPECT_EQ(reader.received[name][7].key, "k7");
    EXPECT_EQ(reader.received[name][7].payload, "v7");
  }
  EXPECT_EQ((reader.received[{topic, 0}][0].timestamp), EventTime{1'700'000'000'123ms});
}

TEST_P(MessageSourceContract, BeginsAtTheOffsetGiven) {
  const TopicPartition only{fresh_name("offset"), 0};
  log->create_topic(only.topic, 1);
  log->produce(numbered(only, 100));
  Reader reader(log->make_member({fresh_name("group"), "a", {only.topic}}),
                [](const TopicPartition&) { return Offset{60}; });

  ASSERT_TRUE(reader.until([&] { return reader.count() >= 40; }));
  settle(reader);

  EXPECT_EQ(reader.offsets(only), counting(60, 100));
}

TEST_P(MessageSourceContract, BeginsAtTheEndAndBringsWhatComesLater) {
  const TopicPartition only{fresh_name("end"), 0};
  log->create_topic(only.topic, 1);
  log->produce(numbered(only, 10));
  Reader reader(log->make_member({fresh_name("group"), "a", {only.topic}}),
                [](const TopicPartition&) { return Offset{10}; });
  ASSERT_TRUE(reader.until([&] { return !reader.assigned.empty(); }));
  settle(reader);

  log->produce(numbered(only, 5, 10));

  ASSERT_TRUE(reader.until([&] { return reader.count() >= 5; }));
  EXPECT_EQ(reader.offsets(only), counting(10, 15));
}

/// Every message that follows a begin() carries its number and comes from its offset on: nothing
/// of the earlier fetch is taken for the new one, however often it happens.
TEST_P(MessageSourceContract, ASecondBeginDropsWhatTheFirstFetched) {
  const TopicPartition only{fresh_name("again"), 0};
  log->create_topic(only.topic, 1);
  log->produce(numbered(only, 20'000));
  Reader reader(log->make_member({fresh_name("group"), "a", {only.topic}}));
  reader.limits.messages = 100;
  ASSERT_TRUE(reader.until([&] { return reader.count() >= 300; }));

  for (std::int64_t round = 0; round < 50; ++round) {
    const std::int64_t from = (round * 7'919) % 15'000;
    reader.received.clear();
    reader.begin(only, Offset{from});
    ASSERT_TRUE(reader.until([&] { return reader.count() >= 200; })) << "round " << round;
    const auto count = static_cast<std::int64_t>(reader.count());
    ASSERT_EQ(reader.offsets(only), counting(from, from + count)) << "round " << round;
  }
}

TEST_P(MessageSourceContract, NumbersEachBeginAnew) {
  const TopicPartition only{fresh_name("fetch"), 0};
  log->create_topic(only.topic, 1);
  Reader reader(log->make_member({fresh_name("group"), "a", {only.topic}}));
  ASSERT_TRUE(reader.until([&] { return !reader.assigned.empty(); }));

  const auto first = reader.source->begin(only, Offset{0});
  const auto second = reader.source->begin(only, Offset{0});

  ASSERT_TRUE(first && second);
  EXPECT_LT(*first, *second);
  EXPECT_EQ(reader.source->begin({"no.such.topic", 0}, Offset{0}), std::nullopt);
}

TEST_P(MessageSourceContract, TellsRangesAndTheGroupsCommit) {
  const std::string topic = fresh_name("ranges");
  log->create_topic(topic, 2);
  log->produce(numbered({topic, 0}, 30));
  Reader reader(log->make_member({fresh_name("group"), "a", {topic}}));
  ASSERT_TRUE(reader.until([&] { return reader.count() >= 30; }));

  const std::vector<TopicPartition> asked{{topic, 0}, {topic, 1}, {fresh_name("unknown"), 0}};
  auto before = reader.source->ranges(asked);
  ASSERT_THAT(before, SizeIs(2));
  EXPECT_EQ((before[{topic, 0}].begin), Offset{0});
  EXPECT_EQ((before[{topic, 0}].end), Offset{30});
  EXPECT_EQ((before[{topic, 0}].committed), std::nullopt);
  EXPECT_EQ((before[{topic, 1}].end), Offset{0});

  reader.source->commit({topic, 0}, Offset{12});
  std::optional<Offset> committed;
  EXPECT_TRUE(reader.until(
      [&] {
        committed = reader.source->ranges(asked)[{topic, 0}].committed;
        return committed.has_value();
      },
      10s));
  EXPECT_EQ(committed, Offset{12});
}

TEST_P(MessageSourceContract, TheGroupsCommitOutlivesTheMember) {
  const TopicPartition only{fresh_name("commit"), 0};
  const std::string group = fresh_name("group");
  log->create_topic(only.topic, 1);
  log->produce(numbered(only, 10));
  {
    Reader reader(log->make_member({group, "a", {only.topic}}));
    ASSERT_TRUE(reader.until([&] { return reader.count() >= 10; }));
    reader.source->commit(only, Offset{9});
  }
  const auto next = log->make_member({group, "b", {only.topic}});
  EXPECT_EQ(next->ranges(std::vector{only})[only].committed, Offset{9});
}

TEST_P(MessageSourceContract, FindsAnOffsetByTime) {
  const TopicPartition only{fresh_name("time"), 0};
  log->create_topic(only.topic, 1);
  std::vector<Produced> messages = numbered(only, 10);
  const EventTime start{1'700'000'000'000ms};
  for (int i = 0; i < 10; ++i) messages[static_cast<std::size_t>(i)].timestamp = start + i * 1s;
  log->produce(messages);
  const auto source = log->make_member({fresh_name("group"), "a", {only.topic}});

  EXPECT_EQ(source->offset_at(only, start - 1h), Offset{0});
  EXPECT_EQ(source->offset_at(only, start + 3s), Offset{3});
  EXPECT_EQ(source->offset_at(only, start + 3001ms), Offset{4});
  EXPECT_EQ(source->offset_at(only, start + 1h), Offset{10});
}

TEST_P(MessageSourceContract, ListsThePartitionsOfEveryMatchingTopic) {
  const std::string prefix = fresh_name("list");
  log->create_topic(prefix + ".one", 2);
  log->create_topic(prefix + ".two", 1);
  log->create_topic(prefix + ".other", 1);
  const auto source =
      log->make_member({fresh_name("group"), "a", {"^" + prefix + "\\.(one|two)$"}});

  EXPECT_THAT(source->all_partitions(), UnorderedElementsAre(TopicPartition{prefix + ".one", 0},
                                                             TopicPartition{prefix + ".one", 1},
                                                             TopicPartition{prefix + ".two", 0}));
  EXPECT_FALSE(source->lineage().empty());
}

TEST_P(MessageSourceContract, FindsATopicThatAppearsLaterWithinTenSeconds) {
  const std::string prefix = fresh_name("late");
  log->create_topic(prefix + ".one", 1);
  Reader reader(log->make_member({fresh_name("group"), "a", {"^" + prefix + "\\..*$"}}));
  ASSERT_TRUE(reader.until([&] { return reader.assigned.size() == 1; }));

  log->create_topic(prefix + ".two", 1);
  log->produce(numbered({prefix + ".two", 0}, 3));

  EXPECT_TRUE(reader.until([&] { return reader.count() >= 3; }, 10s));
  EXPECT_EQ(reader.offsets({prefix + ".two", 0}), counting(0, 3));
  EXPECT_THAT(reader.lost, IsEmpty());
}

TEST_P(MessageSourceContract, ReportsAnOffsetThatTheLogDoesNotHold) {
  const TopicPartition only{fresh_name("beyond"), 0};
  log->create_topic(only.topic, 1);
  log->produce(numbered(only, 10));
  Reader reader(log->make_member({fresh_name("group"), "a", {only.topic}}),
                [](const TopicPartition&) { return Offset{5'000}; });

  ASSERT_TRUE(reader.until([&] { return !reader.out_of_range.empty(); }));
  EXPECT_THAT(reader.out_of_range, ElementsAre(only));
  EXPECT_EQ(reader.count(), 0U);

  reader.begin(only, Offset{4});
  ASSERT_TRUE(reader.until([&] { return reader.count() >= 6; }));
  EXPECT_EQ(reader.offsets(only), counting(4, 10));
}

TEST_P(MessageSourceContract, KeepsTombstonesEmptyPayloadsAndMissingKeysApart) {
  const TopicPartition only{fresh_name("tombstone"), 0};
  log->create_topic(only.topic, 1);
  log->produce({{.topic = only.topic, .key = "gone"},
                {.topic = only.topic, .key = "empty", .payload = ""},
                {.topic = only.topic, .payload = "keyless"}});
  Reader reader(log->make_member({fresh_name("group"), "a", {only.topic}}));

  ASSERT_TRUE(reader.until([&] { return reader.count() >= 3; }));

  const auto& received = reader.received[only];
  EXPECT_EQ(received[0].payload, std::nullopt);
  EXPECT_EQ(received[0].key, "gone");
  EXPECT_EQ(received[1].payload, "");
  EXPECT_EQ(received[2].payload, "keyless");
  EXPECT_EQ(received[2].key, "");
}

TEST_P(MessageSourceContract, CarriesHeadersOnTopicsOfOurOwnOnly) {
  const TopicPartition ours{fresh_name("signalbox.headers"), 0};
  const TopicPartition theirs{fresh_name("headers"), 0};
  log->create_topic(ours.topic, 1);
  log->create_topic(theirs.topic, 1);
  const std::vector<Header> headers{{"signalbox-lane", "redis"}, {"empty", ""}};
  log->produce({{.topic = ours.topic, .payload = "{}", .headers = headers},
                {.topic = theirs.topic, .payload = "{}", .headers = headers}});
  Reader reader(log->make_member({fresh_name("group"), "a", {ours.topic, theirs.topic}}));

  ASSERT_TRUE(reader.until([&] { return reader.count() >= 2; }));

  EXPECT_EQ(reader.received[ours][0].headers, headers);
  EXPECT_THAT(reader.received[theirs][0].headers, IsEmpty());
}

TEST_P(MessageSourceContract, BringsAPayloadOfTwoMillionBytesWhateverTheLimit) {
  const TopicPartition only{fresh_name("large"), 0};
  log->create_topic(only.topic, 1);
  std::string large(2'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i * 7 % 26);
  log->produce({{.topic = only.topic, .payload = "before"},
                {.topic = only.topic, .payload = large},
                {.topic = only.topic, .payload = "after"}});
  Reader reader(log->make_member({fresh_name("group"), "a", {only.topic}}));
  reader.limits.bytes = 1'000'000;

  ASSERT_TRUE(reader.until([&] { return reader.count() >= 3; }));

  EXPECT_TRUE(reader.received[only][1].payload == large);
  EXPECT_EQ(reader.received[only][2].payload, "after");
}

TEST_P(MessageSourceContract, RespectsTheLimitsOfAPoll) {
  const std::string topic = fresh_name("limits");
  log->create_topic(topic, 8);
  std::vector<Produced> messages;
  for (std::int32_t partition = 0; partition < 8; ++partition) {
    std::ranges::move(numbered({topic, partition}, 100), std::back_inserter(messages));
  }
  log->produce(messages);
  const auto source = log->make_member({fresh_name("group"), "a", {topic}});
  const PollLimits limits{.messages = 30, .partitions = 3, .bytes = 40};

  std::size_t count = 0;
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (count < 800 && std::chrono::steady_clock::now() < deadline) {
    const Polled polled = source->poll(limits, 100ms);
    for (const TopicPartition& partition : polled.assigned) source->begin(partition, Offset{0});
    ASSERT_LE(polled.batch.runs.size(), 3U);
    std::size_t bytes = 0;
    std::set<TopicPartition> seen;
    for (const signalbox::Run& run : polled.batch.runs) {
      EXPECT_TRUE(seen.insert(run.partition).second) << "one run a partition";
      count += run.messages.size();
      for (const Message& message : run.messages) bytes += message.payload.size();
    }
    ASSERT_LE(bytes, 40U);
  }
  EXPECT_EQ(count, 800U);
}

/// Two members share the partitions; when one leaves the other has all again, and between them
/// they see every message.
TEST_P(MessageSourceContract, TwoMembersShareAndTheOneThatStaysTakesOver) {
  const std::string topic = fresh_name("share");
  const std::string group = fresh_name("group");
  log->create_topic(topic, 6);
  Reader first(log->make_member({group, "a", {topic}}));
  ASSERT_TRUE(first.until([&] { return first.owned.size() == 6; }));

  auto second = std::make_unique<Reader>(log->make_member({group, "b", {topic}}));
  ASSERT_TRUE(first.until([&] {
    second->step(50ms);
    return first.owned.size() == 3 && second->owned.size() == 3;
  }));
  EXPECT_THAT(first.lost, SizeIs(3));
  for (const TopicPartition& partition : first.lost) EXPECT_FALSE(first.source->owns(partition));
  EXPECT_EQ(first.source->begin(first.lost.front(), Offset{0}), std::nullopt);

  std::vector<Produced> messages;
  for (std::int32_t partition = 0; partition < 6; ++partition) {
    std::ranges::move(numbered({topic, partition}, 50), std::back_inserter(messages));
  }
  log->produce(messages);
  ASSERT_TRUE(first.until([&] {
    second->step(50ms);
    return first.count() + second->count() >= 300;
  }));
  EXPECT_EQ(first.count(), 150U);
  EXPECT_EQ(second->count(), 150U);

  second.reset();
  ASSERT_TRUE(first.until([&] { return first.owned.size() == 6; }));
  ASSERT_TRUE(first.until([&] { return first.count() >= 300; }));
  for (std::int32_t partition = 0; partition < 6; ++partition) {
    EXPECT_EQ(first.offsets({topic, partition}), counting(0, 50));
  }
  EXPECT_EQ(first.unowned, 0U);
}

/// While a partition of another member moves, what stays is neither lost nor seen twice.
TEST_P(MessageSourceContract, ARebalanceLosesAndRepeatsNothingOnWhatStays) {
  const std::string topic = fresh_name("stays");
  const std::string group = fresh_name("group");
  log->create_topic(topic, 4);
  std::vector<Produced> messages;
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    std::ranges::move(numbered({topic, partition}, 20'000), std::back_inserter(messages));
  }
  log->produce(messages);
  Reader first(log->make_member({group, "a", {topic}}));
  first.keep_payloads = false;
  first.limits.messages = 50;
  ASSERT_TRUE(first.until([&] { return first.count() >= 500; }));
  for (int round = 0; round < 3; ++round) {
    auto second = std::make_unique<Reader>(log->make_member({group, "b", {topic}}),
                                           [](const TopicPartition&) { return std::nullopt; });
    ASSERT_TRUE(first.until([&] {
      second->step(1ms);
      return first.owned.size() == 2 && second->owned.size() == 2;
    }));
    // The one that leaves never began: the other starts those partitions again from 0.
    for (const auto& [partition, fetch] : second->owned) first.received.erase(partition);
    second.reset();
    ASSERT_TRUE(first.until([&] { return first.owned.size() == 4; }));
  }

  first.limits.messages = 500;
  ASSERT_TRUE(first.until([&] { return first.count() >= 80'000; }, 60s));
  settle(first);

  for (std::int32_t partition = 0; partition < 4; ++partition) {
    EXPECT_TRUE((first.offsets({topic, partition})) == counting(0, 20'000));
  }
}

/// A caller that is busy for long costs neither memory nor membership, and then gets everything.
TEST_P(MessageSourceContract, HoldsABoundedAmountForACallerThatDoesNotPoll) {
  constexpr int kMessages = 25'000;
  constexpr std::size_t kBound = 8'000'000;
  const std::string topic = fresh_name("bounded");
  log->create_topic(topic, 4);
  std::vector<Produced> messages;
  for (int i = 0; i < 4 * kMessages; ++i) {
    messages.push_back({.topic = topic,
                        .partition = i % 4,
                        .payload = std::to_string(i / 4) + std::string(1'000, 'x')});
  }
  log->produce(messages);
  messages.clear();
  const std::string group = fresh_name("group");
  Reader reader(log->make_member({group, "a", {topic}, kBound}));
  reader.keep_payloads = false;
  ASSERT_TRUE(reader.until([&] { return reader.count() > 0; }));

  // Longer than the session: whoever is not heard for ten seconds is expelled.
  std::size_t most = 0;
  const auto end = std::chrono::steady_clock::now() + 12s;
  while (std::chrono::steady_clock::now() < end) {
    most = std::max(most, log->handover_bytes(*reader.source).value_or(0));
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_LE(most, kBound + 2'500'000);

  ASSERT_TRUE(reader.until([&] { return reader.count() >= 4 * kMessages; }, 60s));
  settle(reader);
  EXPECT_THAT(reader.lost, IsEmpty());
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    EXPECT_TRUE((reader.offsets({topic, partition})) == counting(0, kMessages));
  }
}

/// A batch is the caller's until it is gone, even when the source is not there any more.
TEST_P(MessageSourceContract, ABatchOutlivesItsSource) {
  const TopicPartition only{fresh_name("outlives"), 0};
  log->create_topic(only.topic, 1);
  log->produce(numbered(only, 10));
  auto source = log->make_member({fresh_name("group"), "a", {only.topic}});
  Polled polled;
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (polled.batch.empty() && std::chrono::steady_clock::now() < deadline) {
    polled = source->poll({}, 100ms);
    for (const TopicPartition& partition : polled.assigned) source->begin(partition, Offset{0});
  }
  source.reset();

  ASSERT_FALSE(polled.batch.empty());
  EXPECT_EQ(polled.batch.runs[0].messages[0].payload, "v0");
}

INSTANTIATE_TEST_SUITE_P(Kafka, MessageSourceContract,
                         testing::Values(LogFactory{"Kafka", kafka_log_under_test}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace signalbox::contract
