// The amnesia table (docs/FENCES.md), a test a row, and the bugs that the simulation found in it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/services/lane_fixture.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void produce(LaneUnderTest& t, std::initializer_list<const char*> payloads) {
  for (const char* payload : payloads) t.log.produce(kSignals, payload);
}

TEST(LanePlacement, AFirstStartAtTheBeginningTakesWhatIsThere) {
  LaneUnderTest t{StartAt::Earliest};
  produce(t, {"a"});
  t.log.assign(kSignals);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a"));
}

TEST(LanePlacement, AFirstStartAtTheEndTakesWhatComesAfterTheLaneLooked) {
  LaneUnderTest t{StartAt::Latest};
  produce(t, {"old"});
  t.lane().step();
  produce(t, {"new"});  // before the partition is assigned
  t.log.assign(kSignals);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("new"));
}

TEST(LanePlacement, APartitionThatAppearsLaterIsReadFromItsBeginning) {
  LaneUnderTest t{StartAt::Latest};
  t.log.assign(kSignals);
  t.run();
  t.log.produce(kOrders, "first");
  t.log.assign(kOrders);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("first"));
}

TEST(LanePlacement, TheFenceOutranksTheCommit) {
  LaneUnderTest t;
  produce(t, {"a", "b"});
  t.log.assign(kSignals);
  t.run();
  t.log.lose(kSignals);
  t.log.set_commit(kSignals, Offset{0});
  t.restart();
  t.log.assign(kSignals);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b"));
}

TEST(LanePlacement, ASinkThatForgotEverythingGoesOnAtTheCommitAndRaisesAnAlarm) {
  LaneUnderTest t;
  produce(t, {"a", "b"});
  t.log.assign(kSignals);
  t.run();
  const std::int64_t epoch = t.fence(kSignals).epoch;
  t.sink.contents = {};
  produce(t, {"c"});
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("c"));
  EXPECT_NE(t.fence(kSignals).epoch, epoch);
  EXPECT_EQ(t.fence(kSignals).seq, 1u);
  EXPECT_THAT(t.lane().status().last_alarm, HasSubstr("sink_forgot signals/0"));
}

TEST(LanePlacement, ASinkThatWasRestoredIsFilledInAgainInOrder) {
  LaneUnderTest t;
  produce(t, {"a"});
  t.log.assign(kSignals);
  t.run();
  const FakeSink::Contents copy = t.sink.contents;
  produce(t, {"b", "c"});
  t.run();
  t.sink.contents = copy;
  produce(t, {"d"});
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(t.lane().status().alarms, 0u);
}

TEST(LanePlacement, MessagesThatRetentionTookAreCountedAndSaid) {
  LaneUnderTest t;
  produce(t, {"a"});
  t.log.assign(kSignals);
  t.run();
  t.log.lose(kSignals);
  produce(t, {"lost", "lost too", "kept"});
  t.log.forget_before(kSignals, Offset{3});
  t.restart();
  t.log.assign(kSignals);
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "kept"));
  EXPECT_EQ(t.fence(kSignals).gap, 2);
  EXPECT_EQ(t.lane().status().lost_to_retention, 2);
  EXPECT_THAT(t.lane().status().last_alarm, HasSubstr("outside_log"));
}

TEST(LanePlacement, ALogThatLostItsEndGoesOnByTime) {
  LaneUnderTest t;
  produce(t, {"a", "b", "c"});
  t.log.assign(kSignals);
  t.run();
  t.log.truncate(kSignals, Offset{1});
  t.run();
  produce(t, {"d"});
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(t.fence(kSignals).gap, -2);
}

TEST(LanePlacement, ATopicMadeAnewIsKnownByTheMessageBeforeTheFence) {
  LaneUnderTest t;
  produce(t, {"a", "b"});
  t.log.assign(kSignals);
  t.run();
  t.log.replace(kSignals);
  produce(t, {"x", "y", "z"});  // as far as the fence and beyond
  t.run();
  EXPECT_THAT(t.delivered(), ElementsAre("a", "b", "x", "y", "z"));
  EXPECT_THAT(t.lane().status().last_alarm, HasSubstr("log_replaced"));
}

TEST(LanePlacement, AnOperatorsAcknowledgementTakesTheGapOutOfTheFence) {
  LaneUnderTest t;
  produce(t, {"a", "b", "c"});
  t.log.assign(kSignals);
  t.run();
  t.log.truncate(kSignals, Offset{1});
  t.run();
  ASSERT_NE(t.fence(kSignals).gap, 0);
  t.lane().acknowledge_gaps();
  t.run();
  EXPECT_EQ(t.fence(kSignals).gap, 0);
  EXPECT_EQ(t.lane().status().lost_to_retention, 0);
}

TEST(LanePlacement, AcknowledgementLostWithAFailingSinkBug) {
  LaneUnderTest t;
  produce(t, {"a", "b", "c"});
  t.log.assign(kSignals);
  t.run();
  t.log.truncate(kSignals, Offset{1});
  t.run();
  ASSERT_NE(t.fence(kSignals).gap, 0);
  t.sink.next = {Next::Unavailable, Next::LostBefore};
  t.lane().acknowledge_gaps();
  t.run();
  EXPECT_EQ(t.fence(kSignals).gap, 0);
}

/// Emptied in place, a sink breaks no connection; a partition without traffic never noticed, and
/// stayed without a fence, so that a crash would have started it at its commit without an alarm.
TEST(LanePlacement, SinkEmptiedInPlaceUnnoticedBug) {
  LaneUnderTest t;
  produce(t, {"a"});
  t.log.assign(kSignals);
  t.run();
  t.sink.contents = {};
  t.clock.advance(15s);
  t.run();
  EXPECT_TRUE(t.sink.contents.fences.contains(kSignals));
  EXPECT_EQ(t.lane().status().alarms, 1u);
}

/// No commit had reached the log when the sink forgot: a lane that started late took it for a first
/// start, and "latest" was where the log had ended when it looked.
TEST(LanePlacement, ForgottenBeforeTheFirstCommitBug) {
  LaneUnderTest t{StartAt::Latest};
  produce(t, {"old"});
  t.log.assign(kSignals);
  t.run();
  t.log.lose(kSignals);
  t.log.forget_commits();
  produce(t, {"a", "b"});
  t.restart();  // looks at the log now
  t.log.assign(kSignals);
  t.sink.next = {Next::Unavailable};
  t.run(2);  // reads the mark and the fence, and writes in vain
  t.sink.contents = {};
  t.log.forget_commits();
  t.run();
  EXPECT_THAT(t.delivered(), testing::IsSupersetOf({"a", "b"}));
}

/// A lane held messages of a log that was since made anew, while another went on in the new one:
/// it took that fence for progress in its own and delivered the old messages over the new.
TEST(LanePlacement, FenceOfAnotherLogAdoptedBug) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  produce(t, {"old 0", "old 1", "old 2"});
  t.sink.next = {Next::Unavailable};
  EXPECT_EQ(t.lane().step(), Step::Failed);  // the old messages are in hand
  Fence jumped = t.fence(kSignals);
  jumped.next = Offset{1};
  jumped.gap = -5;
  t.sink.contents.fences[kSignals] = jumped;
  t.lane().step();  // looks at the fences, and drops what it holds
  EXPECT_THAT(t.delivered(), IsEmpty());
  EXPECT_EQ(t.lane().status().waiting_partitions, 1u);
  EXPECT_EQ(t.counters().skipped, 3u);
}

/// A late write of truncated messages moved the fence over new ones: the owner never looked.
TEST(LanePlacement, LateWriteOfATruncatedLogBug) {
  LaneUnderTest t;
  produce(t, {"a"});
  t.log.assign(kSignals);
  t.run();
  produce(t, {"new 1", "new 2", "new 3"});
  Fence late = t.fence(kSignals);  // of messages 1 and 2 before they were truncated
  late.next = Offset{3};
  late.seq += 2;
  late.last_timestamp += 1'500ms;
  t.sink.contents.fences[kSignals] = late;
  t.run(30);
  EXPECT_THAT(t.delivered(), ElementsAre("a", "new 1", "new 2", "new 3"));
  EXPECT_THAT(t.lane().status().last_alarm, HasSubstr("log_replaced"));
}

/// Messages fetched before somebody else moved the fence prove nothing against it.
TEST(LanePlacement, ZombieMovesTheFenceBackBug) {
  LaneUnderTest t;
  t.log.assign(kSignals);
  t.run();
  produce(t, {"old"});
  t.sink.next = {Next::Unavailable};
  EXPECT_EQ(t.lane().step(), Step::Failed);  // the old message is in hand
  Fence moved = t.fence(kSignals);           // by the owner, in the new log
  moved.next = Offset{1};
  moved.seq = 1;
  moved.last_timestamp = EventTime{1'699'000'500s};
  t.sink.contents.fences[kSignals] = moved;
  t.lane().step();
  EXPECT_EQ(t.fence(kSignals), moved);
  EXPECT_EQ(t.lane().status().alarms, 0u);
  EXPECT_EQ(t.lane().status().waiting_partitions, 1u);
}

/// A fence that may be that of another log was committed before it had proved right: had the sink
/// forgotten it then, the new log would have been read from that offset on.
TEST(LanePlacement, UnprovedFenceCommittedBug) {
  LaneUnderTest t;
  produce(t, {"a", "b"});
  t.log.assign(kSignals);
  t.run();
  t.log.replace(kSignals);
  produce(t, {"x", "y", "z"});
  t.log.begun.clear();
  while (!t.log.begun.contains(kSignals)) {
    t.outside.fail_nth(4);  // the poll that follows begin(), which would show the new log
    t.lane().step();
  }
  ASSERT_EQ(t.log.begun.at(kSignals), Offset{1});
  EXPECT_EQ(t.log.committed(kSignals), std::nullopt);
}

}  // namespace
}  // namespace signalbox
