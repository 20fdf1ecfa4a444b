#include "services/delivery_lane.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.hpp"
#include "unit/services/lane_fixture.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> lines_with(const LogCapture& log, const std::string& event) {
  std::vector<std::string> found;
  for (const std::string& line : log.lines()) {
    if (line.find("\"event\":\"" + event + "\"") != std::string::npos) found.push_back(line);
  }
  return found;
}

TEST(DeliveryLane, DeliversInOrderNumbersAndThenCommits) {
  LaneUnderTest t;
  t.log.produce(kSignals, "a");
  t.log.produce(kSignals, "b");
  t.log.assign(kSignals);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b"));
  EXPECT_THAT(t.sink.seqs, ElementsAre(1u, 2u));
  EXPECT_EQ(t.fence(kSignals).next, Offset{2});
  EXPECT_EQ(t.log.committed(kSignals), Offset{2});
  EXPECT_EQ(t.counters().delivered, 2u);
}

TEST(DeliveryLane, AFenceInsideOfAMessageIsBehindItWhenTheMessageIsDone) {
  LaneUnderTest t;
  t.log.produce(kSignals, "a");
  t.log.assign(kSignals);
  t.run();
  t.sink.contents.fences.at(kSignals).part = 1;
  t.restart();
  t.log.assign(kSignals);
  t.log.produce(kSignals, "b");
  t.run();
  EXPECT_EQ(t.fence(kSignals).next, Offset{2});
  EXPECT_EQ(t.fence(kSignals).part, 0);
}

TEST(DeliveryLane, KeepsTheBatchUntilTheSinkHasIt) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.next = {Next::Unavailable, Next::Unavailable};
  EXPECT_EQ(t.lane().step(), Step::Failed);
  EXPECT_EQ(t.counters().in_flight, 1u);
  EXPECT_EQ(t.log.committed(kSignals), Offset{0});
  EXPECT_FALSE(t.lane().status().sink.is_up);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
  EXPECT_TRUE(t.lane().status().sink.is_up);
  EXPECT_EQ(t.lane().status().sink.last_error, "planned");
}

TEST(DeliveryLane, AWriteWithoutReplyThatLandedIsNotWrittenAgain) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.next = {Next::LostAfter};
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
  EXPECT_EQ(t.counters().delivered, 1u);
  EXPECT_EQ(t.counters().skipped, 0u);
}

TEST(DeliveryLane, AWriteWithoutReplyThatNeverLandedIsWrittenAgain) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.next = {Next::LostBefore};
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
  EXPECT_EQ(t.counters().delivered, 1u);
}

TEST(DeliveryLane, AfterALostReplyReadsTheFencesBeforeAnythingElse) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.next = {Next::LostBefore};
  EXPECT_EQ(t.lane().step(), Step::Failed);
  const int reads_before = t.sink.reads;
  t.lane().step();
  EXPECT_EQ(t.sink.reads, reads_before + 1);
  EXPECT_THAT(t.delivered(), IsEmpty());
}

/// A zombie's late write makes the owner's write fail too: the owner goes on from there.
TEST(DeliveryLane, ARefusedOwnerDoesNotResign) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.log.produce(kSignals, "b");
  Fence late = t.fence(kSignals);
  late.next = Offset{1};
  late.seq = 1;
  late.last_timestamp = EventTime{1'699'000'001s};
  t.sink.contents.fences[kSignals] = late;
  t.sink.contents.payloads = {"a"};
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b"));
  EXPECT_EQ(t.counters().delivered, 1u);
  EXPECT_EQ(t.counters().skipped, 3u);  // both in hand, and "a" when they are read again
  EXPECT_TRUE(t.counters().balanced());
}

TEST(DeliveryLane, ARefusedLaneDropsAPartitionThatAnotherHasNow) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.log.assign(kOrders);
  t.run();
  t.log.produce(kSignals, "a");
  t.log.produce(kOrders, "o");
  t.sink.next = {Next::Unavailable};
  EXPECT_EQ(t.lane().step(), Step::Failed);
  t.log.lose(kSignals);
  t.sink.contents.fences[kSignals].next = Offset{1};
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("o"));
  EXPECT_EQ(t.counters().skipped, 1u);
  EXPECT_EQ(t.lane().status().partitions, 1u);
}

TEST(DeliveryLane, ARowThatTheSinkCanNeverTakeBecomesALetterAndItsNeighboursPass) {
  LaneUnderTest t;
  t.sink.refused_payloads = {"b"};
  t.log.assign(kSignals);
  for (const char* payload : {"a", "b", "c"}) t.log.produce(kSignals, payload);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "c"));
  EXPECT_THAT(t.sink.seqs, ElementsAre(1u, 2u));
  EXPECT_THAT(t.letters.keys, ElementsAre("redis|signals|0|1"));
  EXPECT_THAT(t.letters.reasons, ElementsAre(RejectReason::RefusedBySink));
  EXPECT_EQ(t.counters().rejected, 1u);
  EXPECT_TRUE(t.counters().balanced());
}

TEST(DeliveryLane, PollsTheNextBatchWhileTheSinkWritesAndWritesItAfterThat) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.while_writing = [&] { t.log.produce(kSignals, "b"); };
  t.lane().step();
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
  EXPECT_EQ(t.counters().received, 1u);
  t.outside.fail_nth(2);  // a poll would be the first call, and the write is
  EXPECT_EQ(t.lane().step(), Step::Done);
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b"));
  EXPECT_THAT(t.sink.seqs, ElementsAre(1u, 2u));
  EXPECT_TRUE(t.counters().balanced());
}

TEST(DeliveryLane, WhatWasPolledAheadWaitsForAWriteThatFailed) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.while_writing = [&] { t.log.produce(kSignals, "b"); };
  t.sink.next = {Next::LostBefore, Next::Unavailable};
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b"));
  EXPECT_THAT(t.sink.seqs, ElementsAre(1u, 2u));
}

TEST(DeliveryLane, WhatWasPlannedAheadIsNumberedAnewWhenARowIsSetAside) {
  LaneUnderTest t;
  t.sink.refused_payloads = {"refused"};
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "refused");
  t.log.produce(kSignals, "a");
  t.sink.while_writing = [&] { t.log.produce(kSignals, "b"); };
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b"));
  EXPECT_THAT(t.sink.seqs, ElementsAre(1u, 2u));
  EXPECT_EQ(t.sink.refusals, 0);
}

TEST(DeliveryLane, WhatWasPlannedAheadIsDroppedWhereThePartitionIsLostMeanwhile) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.log.assign(kOrders);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.while_writing = [&] {
    t.log.produce(kSignals, "b");
    t.log.lose(kSignals);
  };
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
  EXPECT_EQ(t.counters().skipped, 1u);
  EXPECT_TRUE(t.counters().balanced());
}

TEST(DeliveryLane, AfterAStopNothingIsPolledAhead) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.next = {Next::Unavailable};
  EXPECT_EQ(t.lane().step(), Step::Failed);
  t.log.produce(kSignals, "b");
  std::stop_source stop;
  stop.request_stop();
  t.lane().run(stop.get_token());
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
}

TEST(DeliveryLane, TheFenceWaitsForTheLetter) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "poison");
  t.outside.fail_nth(2);  // the poll, then the letter
  EXPECT_EQ(t.lane().step(), Step::Failed);
  EXPECT_EQ(t.fence(kSignals).next, Offset{0});
  EXPECT_FALSE(t.lane().status().log.is_up);
  t.run();
  EXPECT_THAT(t.letters.keys, ElementsAre("redis|signals|0|0"));
  EXPECT_EQ(t.fence(kSignals).next, Offset{1});
  EXPECT_EQ(t.counters().rejected_by_reason[static_cast<std::size_t>(RejectReason::NotJson)], 1u);
}

/// A batch that is planned twice must judge its messages by one time: else a message becomes a
/// letter with the first plan and is delivered with the second.
TEST(DeliveryLane, JudgedAnewAfterAnOutageBug) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "tomorrow");
  t.sink.next = {Next::LostBefore};
  EXPECT_EQ(t.lane().step(), Step::Failed);
  t.clock.advance(25h);
  t.run();
  EXPECT_THAT(t.letters.keys, testing::Contains("redis|signals|0|0"));
  EXPECT_THAT(t.delivered(), IsEmpty());
}

TEST(DeliveryLane, ATopicThatNobodyCanRouteCostsLettersOnly) {
  LaneUnderTest t;
  const TopicPartition odd{"market.data.btcusdc.7m", 0};
  t.log.produce(odd, "a");
  t.log.assign(odd);
  t.run();
  EXPECT_THAT(t.delivered(), IsEmpty());
  EXPECT_THAT(t.letters.reasons, ElementsAre(RejectReason::UnknownTimeframe));
}

TEST(DeliveryLane, AReplayIsRoutedAsWhatItFirstWas) {
  LaneUnderTest t;
  const TopicPartition replays{replay_topic("redis"), 0};
  const DeadLetter letter{.lane = "redis",
                          .source = {"orders", 3},
                          .offset = Offset{77},
                          .timestamp = {},
                          .rejected_at = {},
                          .reject = {RejectReason::NotJson, ""},
                          .key = {},
                          .payload = "mended"};
  t.log.produce(replays, "mended", dead_letter_headers(letter));
  t.log.produce(replays, "without headers");
  t.log.assign(replays);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("mended"));
  EXPECT_THAT(t.sink.sources, ElementsAre(TopicPartition{"orders", 3}));
  EXPECT_THAT(t.letters.reasons, ElementsAre(RejectReason::MalformedReplay));
}

TEST(DeliveryLane, AfterAStopTheBatchInHandIsFinishedAndNothingMoreIsTaken) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.next = {Next::Unavailable};
  EXPECT_EQ(t.lane().step(), Step::Failed);
  t.log.produce(kSignals, "b");
  std::stop_source stop;
  stop.request_stop();
  t.lane().run(stop.get_token());
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
}

TEST(DeliveryLane, ADrainEndsThoughTheSinkStaysAway) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kSignals, "a");
  t.sink.next.assign(1'000, Next::Unavailable);
  EXPECT_EQ(t.lane().step(), Step::Failed);
  const auto before = t.clock.steady_now();
  std::stop_source stop;
  stop.request_stop();
  t.lane().run(stop.get_token());
  EXPECT_LT(t.clock.steady_now() - before, 10s);
  EXPECT_EQ(t.fence(kSignals).next, Offset{0});
}

TEST(DeliveryLane, AsksAnIdleSinkWhetherItIsThere) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run(30);
  EXPECT_GE(t.sink.pings, 1);
  t.sink.warnings = {{"EVICTION", "set maxmemory-policy"}};
  t.clock.advance(15s);
  t.run(30);
  EXPECT_EQ(t.lane().status().warnings, t.sink.warnings);
}

TEST(DeliveryLane, ASinkThatAnswersButTakesNoWritesIsSaidToBeDownOnce) {
  const LogCapture log;
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.log.produce(kSignals, "a");
  t.run();
  t.sink.unwilling = "OOM";
  t.log.produce(kSignals, "b");
  t.run(50);
  EXPECT_FALSE(t.lane().status().sink.is_up);
  EXPECT_THAT(lines_with(log, "sink_down"), SizeIs(1));
  EXPECT_THAT(lines_with(log, "sink_up"), SizeIs(1));  // that of the start
  t.sink.unwilling.clear();
  t.run(5);
  EXPECT_TRUE(t.lane().status().sink.is_up);
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b"));
  EXPECT_THAT(lines_with(log, "sink_up"), SizeIs(2));
}

TEST(DeliveryLane, ASinkThatTakesNoFirstFenceIsSaidToBeDownOnce) {
  const LogCapture log;
  LaneUnderTest t;
  t.sink.unwilling = "READONLY";
  t.log.produce(kSignals, "a");
  t.log.assign(kSignals);
  t.run(50);
  EXPECT_FALSE(t.lane().status().sink.is_up);
  EXPECT_THAT(lines_with(log, "sink_down"), SizeIs(1));
  t.sink.unwilling.clear();
  t.run(5);
  EXPECT_TRUE(t.lane().status().sink.is_up);
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
}

TEST(DeliveryLane, AnotherReasonForTheSameOutageIsNews) {
  const LogCapture log;
  LaneUnderTest t;
  t.log.produce(kSignals, "a");
  t.log.assign(kSignals);
  t.sink.unwilling = "LOADING";
  t.run(20);
  t.sink.unwilling = "OOM";
  t.run(20);
  EXPECT_THAT(lines_with(log, "sink_down"), SizeIs(1));
  ASSERT_THAT(lines_with(log, "sink_still_down"), SizeIs(1));
  EXPECT_THAT(lines_with(log, "sink_still_down")[0], HasSubstr("OOM"));
}

/// Rule of this project: the n-th I/O fails, for n = 1, 2, 3 … until a run is clean.
class DeliveryLaneAnomaly : public testing::TestWithParam<Next> {};

TEST_P(DeliveryLaneAnomaly, EachMessageIsDeliveredOnceWhicheverCallFails) {
  for (int n = 1;; ++n) {
    LaneUnderTest t;
    t.sink.how_it_fails = GetParam();
    t.sink.refused_payloads = {"refused"};
    t.log.produce(kSignals, "a");
    t.log.produce(kSignals, "poison");
    t.log.produce(kOrders, "o");
    t.log.assign(kSignals);
    t.log.assign(kOrders);
    t.outside.fail_nth(n);
    t.run(4);
    t.log.produce(kSignals, "refused");
    t.log.produce(kSignals, "b");
    t.run(20);
    EXPECT_THAT(t.delivered(), testing::UnorderedElementsAre("a", "o", "b")) << "call " << n;
    EXPECT_THAT(std::set(t.letters.keys.begin(), t.letters.keys.end()),
                ElementsAre("redis|signals|0|1", "redis|signals|0|2"))
        << "call " << n;
    EXPECT_TRUE(t.counters().balanced()) << "call " << n;
    EXPECT_EQ(t.log.committed(kSignals), Offset{4}) << "call " << n;
    if (!t.outside.has_failed()) {
      EXPECT_GT(n, 10);  // else nothing was tested
      return;
    }
  }
}

std::string name_of(const testing::TestParamInfo<Next>& how) {
  constexpr std::array<const char*, 3> names{"LostBefore", "LostAfter", "Unavailable"};
  return names[static_cast<std::size_t>(how.param)];
}

INSTANTIATE_TEST_SUITE_P(HowAWriteFails, DeliveryLaneAnomaly,
                         testing::Values(Next::Unavailable, Next::LostBefore, Next::LostAfter),
                         name_of);

/// A new process takes over after each call of its predecessor.
TEST(DeliveryLane, EachMessageIsDeliveredOnceWhereverAProcessDies) {
  for (int steps = 1; steps <= 12; ++steps) {
    LaneUnderTest t;
    for (const char* payload : {"a", "poison", "b"}) t.log.produce(kSignals, payload);
    t.log.assign(kSignals);
    t.sink.next = {Next::LostAfter, Next::LostAfter};
    t.run(steps);
    t.log.lose(kSignals);
    t.restart();
    t.log.assign(kSignals);
    t.run();
    EXPECT_THAT(t.delivered(), ElementsAre("a", "b")) << "after " << steps << " steps";
  }
}

}  // namespace
}  // namespace signalbox
