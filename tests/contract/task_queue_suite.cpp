#include "contract/task_queue_suite.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <set>
#include <variant>

namespace signalbox {
namespace {

using enum TriggerOutcome;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using Builder = ClaimBatchBuilder;

constexpr BusyRule kLatest{BusyPolicy::KeepLatest, 1};
constexpr BusyRule kQueueOfTwo{BusyPolicy::Queue, 2};

const TopicPartition kPartition{"trading-signals", 3};

Fence fence_at(std::int64_t next, std::int32_t part = 0) {
  return Fence{.next = Offset{next}, .part = part, .seq = 4, .epoch = 17, .lineage = "cluster"};
}

PairKey pair(int pipeline, const std::string& ticker = "AAPL") {
  return {Builder::pipeline_id(pipeline), ticker};
}

std::vector<HeldDecision> enqueue_all(const std::vector<HeldTask>& held) {
  std::vector<HeldDecision> decisions;
  for (const HeldTask& task : held) decisions.push_back({&task, std::nullopt});
  return decisions;
}

std::vector<std::string> keys_of(const std::vector<HeldTask>& held) {
  std::vector<std::string> keys;
  for (const HeldTask& task : held) keys.push_back(task.signal_key);
  return keys;
}

std::vector<std::string> keys_of(const std::vector<TakenTask>& tasks) {
  std::vector<std::string> keys;
  for (const TakenTask& task : tasks) keys.push_back(task.signal_key);
  return keys;
}

}  // namespace

Claimed TaskQueueContract::claim(const ClaimBatchBuilder& builder) {
  ClaimOutcome outcome = queue_->claim(builder.batch());
  if (auto* claimed = std::get_if<Claimed>(&outcome)) return std::move(*claimed);
  if (auto* away = std::get_if<Unavailable>(&outcome)) ADD_FAILURE() << away->why;
  if (auto* unknown = std::get_if<Unknown>(&outcome)) ADD_FAILURE() << unknown->why;
  if (std::holds_alternative<Refused>(outcome)) ADD_FAILURE() << "refused";
  return {};
}

std::vector<TakenTask> TaskQueueContract::take_all() {
  std::vector<TakenTask> tasks;
  while (auto task = place_->take()) tasks.push_back(*std::move(task));
  return tasks;
}

Claimed TaskQueueContract::drain() {
  const std::vector<HeldTask> held = queue_->held(100);
  return queue_->settle_held(enqueue_all(held), DatabaseTime{});
}

TEST_P(TaskQueueContract, EnqueuesATaskForAFreePair) {
  const Claimed claimed = claim(Builder{}.ask({.signal = "s1", .pipeline = 1}));
  EXPECT_THAT(claimed.outcomes, ElementsAre(Enqueued));
  ASSERT_THAT(claimed.enqueued, SizeIs(1));
  EXPECT_EQ(claimed.enqueued[0].request, 0U);
  EXPECT_THAT(take_all(), ElementsAre(TakenTask{claimed.enqueued[0].task_id, pair(1), "s1"}));
}

TEST_P(TaskQueueContract, NamesATaskBySignalPipelineAndTickerOnly) {
  const std::string first =
      claim(Builder{}.ask({.signal = "s1", .pipeline = 1})).enqueued.at(0).task_id;
  use({});
  const Claimed again = claim(Builder{}.ask({.signal = "s0"}).ask({.signal = "s1", .pipeline = 1}));
  EXPECT_EQ(again.enqueued.at(1).task_id, first);
  EXPECT_NE(again.enqueued.at(0).task_id, first);
}

TEST_P(TaskQueueContract, TheSecondRequestOfACallSeesTheFirstOnesClaim) {
  EXPECT_THAT(outcomes_of(Builder{}
                              .ask({.signal = "s1", .pipeline = 1})
                              .ask({.signal = "s2", .pipeline = 1})
                              .ask({.signal = "s2", .pipeline = 2})),
              ElementsAre(Enqueued, Busy, Enqueued));
  EXPECT_THAT(keys_of(take_all()), ElementsAre("s1", "s2"));
}

TEST_P(TaskQueueContract, AClaimHoldsFromReplicaToReplicaUntilTheResultIsThere) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1}));
  queue_ = place_->make_queue();
  EXPECT_THAT(outcomes_of(Builder{}.ask({.signal = "s2", .pipeline = 1})), ElementsAre(Busy));
  const auto task = place_->take();
  EXPECT_THAT(outcomes_of(Builder{}.ask({.signal = "s3", .pipeline = 1})), ElementsAre(Busy));
  place_->finish(task.value());
  EXPECT_THAT(outcomes_of(Builder{}.ask({.signal = "s4", .pipeline = 1})), ElementsAre(Enqueued));
}

TEST_P(TaskQueueContract, OtherTickersOfAPipelineAreOtherPairs) {
  EXPECT_THAT(outcomes_of(Builder{}
                              .ask({.signal = "s1", .pipeline = 1, .ticker = "AAPL"})
                              .ask({.signal = "s1", .pipeline = 1, .ticker = "A|\"\n \xC3\xA9"})),
              ElementsAre(Enqueued, Enqueued));
  EXPECT_EQ(take_all().at(1).pair, pair(1, "A|\"\n \xC3\xA9"));
}

TEST_P(TaskQueueContract, ARunThatTheLedgerKnowsKeepsThePairBusy) {
  EXPECT_THAT(outcomes_of(Builder{}.ask({.signal = "s1", .pipeline = 1, .is_running = true})),
              ElementsAre(Busy));
  EXPECT_THAT(take_all(), IsEmpty());
}

TEST_P(TaskQueueContract, ASignalThatComesAgainIsADuplicateForEveryPair) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1}));
  EXPECT_THAT(outcomes_of(Builder{}
                              .ask({.signal = "s1", .pipeline = 1})
                              .ask({.signal = "s1", .pipeline = 2})
                              .ask({.signal = "s2", .pipeline = 3})
                              .next_message()
                              .ask({.signal = "s2", .pipeline = 4})),
              ElementsAre(Duplicate, Duplicate, Enqueued, Duplicate));
}

TEST_P(TaskQueueContract, LaterPartsOfACutSignalAreNoRepeats) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1}));
  EXPECT_THAT(
      outcomes_of(Builder{}.ask({.signal = "s1", .pipeline = 2, .is_repeat_checked = false})),
      ElementsAre(Enqueued));
}

TEST_P(TaskQueueContract, AStaleFenceRefusesTheWholeCall) {
  claim(Builder{}.move(kPartition, std::nullopt, fence_at(5)));
  const TopicPartition other{"trading-signals", 4};
  for (const std::optional<Fence>& expected : {std::optional<Fence>{}, {fence_at(4)}}) {
    Builder builder;
    builder.ask({.signal = "s1", .pipeline = 1})
        .move(other, std::nullopt, fence_at(1))
        .move(kPartition, expected, fence_at(6));
    EXPECT_TRUE(std::holds_alternative<Refused>(queue_->claim(builder.batch())));
  }
  EXPECT_THAT(take_all(), IsEmpty());
  EXPECT_THAT(place_->outcomes(), IsEmpty());
  EXPECT_EQ(queue_->read_fences(std::vector{other, kPartition}),
            (FenceMap{{kPartition, fence_at(5)}}));
  EXPECT_THAT(outcomes_of(Builder{}.ask({.signal = "s1", .pipeline = 1})), ElementsAre(Enqueued))
      << "a refused call must not be remembered";
}

TEST_P(TaskQueueContract, KeepsTheCutOfTheMessageAtTheFence) {
  const Cut cut{.partition = kPartition, .pairs_done = 2'000, .last_pair = "a|B C"};
  claim(Builder{}.move(kPartition, std::nullopt, fence_at(5, 1)).cut(cut));
  const auto found = queue_->read_cut(kPartition);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->pairs_done, 2'000U);
  EXPECT_EQ(found->last_pair, "a|B C");
  claim(Builder{}.move(kPartition, fence_at(5, 1), fence_at(6)));
  EXPECT_FALSE(queue_->read_cut(kPartition));
}

TEST_P(TaskQueueContract, KeepsTheLatestSignalOfABusyPair) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1, .busy = kLatest}));
  EXPECT_THAT(outcomes_of(Builder{}.ask({.signal = "s2", .pipeline = 1, .busy = kLatest})),
              ElementsAre(Held));
  const Claimed claimed = claim(Builder{}
                                    .ask({.signal = "s3", .pipeline = 1, .busy = kLatest})
                                    .ask({.signal = "s4", .pipeline = 1, .busy = kLatest}));
  EXPECT_THAT(claimed.outcomes, ElementsAre(Held, Held));
  EXPECT_THAT(claimed.ended, ElementsAre(EndedWait{pair(1).pipeline, "AAPL", "s2"},
                                         EndedWait{pair(1).pipeline, "AAPL", "s3"}));
  EXPECT_THAT(queue_->held(10), IsEmpty()) << "the pair is still at work";
  place_->finish(place_->take().value());
  EXPECT_THAT(keys_of(queue_->held(10)), ElementsAre("s4"));
  EXPECT_THAT(drain().outcomes, ElementsAre(Enqueued));
  EXPECT_THAT(keys_of(take_all()), ElementsAre("s4"));
  EXPECT_EQ(queue_->report().held, 0U);
}

TEST_P(TaskQueueContract, ANewSignalTakesTheWayOfTheOneThatWaitsWhenThePairIsFree) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1, .busy = kLatest}));
  claim(Builder{}.ask({.signal = "s2", .pipeline = 1, .busy = kLatest}));
  place_->finish(place_->take().value());
  const Claimed claimed = claim(Builder{}.ask({.signal = "s3", .pipeline = 1, .busy = kLatest}));
  EXPECT_THAT(claimed.outcomes, ElementsAre(Enqueued));
  EXPECT_THAT(claimed.ended, ElementsAre(EndedWait{pair(1).pipeline, "AAPL", "s2"}));
  EXPECT_EQ(queue_->report().held, 0U);
}

TEST_P(TaskQueueContract, QueuesSignalsInOrderUpToItsSlots) {
  const auto ask = [&](const std::string& signal) {
    return outcomes_of(Builder{}.ask({.signal = signal, .pipeline = 1, .busy = kQueueOfTwo}));
  };
  EXPECT_THAT(ask("s1"), ElementsAre(Enqueued));
  EXPECT_THAT(ask("s2"), ElementsAre(Held));
  EXPECT_THAT(ask("s3"), ElementsAre(Held));
  EXPECT_THAT(ask("s4"), ElementsAre(QueueFull));
  place_->finish(place_->take().value());
  EXPECT_THAT(ask("s5"), ElementsAre(QueueFull)) << "nobody overtakes who waits";
  for (const std::string expected : {"s2", "s3"}) {
    EXPECT_THAT(drain().outcomes, ElementsAre(Enqueued));
    const auto task = place_->take();
    ASSERT_TRUE(task);
    EXPECT_EQ(task->signal_key, expected);
    EXPECT_THAT(queue_->held(10), IsEmpty());
    place_->finish(*task);
  }
  EXPECT_THAT(queue_->held(10), IsEmpty());
  EXPECT_THAT(ask("s6"), ElementsAre(Enqueued));
}

TEST_P(TaskQueueContract, WhoWaitsIsOfferedInOrderOfArrival) {
  for (const int pipeline : {3, 1, 2}) {
    claim(Builder{}.ask({.signal = "s" + std::to_string(pipeline),
                         .pipeline = pipeline,
                         .busy = kLatest,
                         .is_running = true}));
  }
  EXPECT_THAT(keys_of(queue_->held(10)), ElementsAre("s3", "s1", "s2"));
  EXPECT_THAT(keys_of(queue_->held(2)), ElementsAre("s3", "s1"));
}

TEST_P(TaskQueueContract, OneReplicaOnlySettlesWhatWaits) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1, .busy = kLatest, .is_running = true}));
  const auto other = place_->make_queue();
  const std::vector<HeldTask> mine = queue_->held(10);
  const std::vector<HeldTask> theirs = other->held(10);
  EXPECT_THAT(queue_->settle_held(enqueue_all(mine), {}).outcomes, ElementsAre(Enqueued));
  const Claimed late = other->settle_held(enqueue_all(theirs), {});
  EXPECT_THAT(late.outcomes, ElementsAre(Held));
  EXPECT_THAT(late.enqueued, IsEmpty());
  EXPECT_THAT(take_all(), SizeIs(1));
}

TEST_P(TaskQueueContract, ASlotThatWasFilledAnewIsNotSettledByAnOldLook) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1, .busy = kLatest, .is_running = true}));
  const std::vector<HeldTask> old_look = queue_->held(10);
  claim(Builder{}.ask({.signal = "s2", .pipeline = 1, .busy = kLatest, .is_running = true}));
  const std::vector<HeldDecision> expire{{old_look.data(), Expired}};
  EXPECT_THAT(queue_->settle_held(expire, {}).outcomes, ElementsAre(Held));
  EXPECT_THAT(keys_of(queue_->held(10)), ElementsAre("s2"));
}

TEST_P(TaskQueueContract, NothingThatWaitsIsEnqueuedBesideAClaim) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1, .busy = kLatest, .is_running = true}));
  const std::vector<HeldTask> held = queue_->held(10);
  claim(Builder{}.ask({.signal = "s2", .pipeline = 1}));
  EXPECT_THAT(queue_->settle_held(enqueue_all(held), {}).outcomes, ElementsAre(Held));
  EXPECT_THAT(keys_of(take_all()), ElementsAre("s2"));
  EXPECT_EQ(queue_->report().held, 1U);
}

TEST_P(TaskQueueContract, AWaitMayEndWithoutATask) {
  claim(Builder{}
            .ask({.signal = "s1", .pipeline = 1, .busy = kLatest, .is_running = true})
            .ask({.signal = "s1", .pipeline = 2, .busy = kLatest, .is_running = true}));
  const std::vector<HeldTask> held = queue_->held(10);
  ASSERT_THAT(held, SizeIs(2));
  EXPECT_EQ(held[0].signal_logged_at, EventTime{std::chrono::milliseconds{1'733'407'800'000}});
  const std::vector<HeldDecision> decisions{{&held[0], Expired}, {&held[1], Deactivated}};
  EXPECT_THAT(queue_->settle_held(decisions, {}).outcomes, ElementsAre(Expired, Deactivated));
  EXPECT_THAT(take_all(), IsEmpty());
  EXPECT_THAT(queue_->held(10), IsEmpty());
  EXPECT_EQ(queue_->report().open_claims, 0U);
}

TEST_P(TaskQueueContract, AClaimEndsAtItsDeadline) {
  use({.task_expires = std::chrono::milliseconds{5},
       .task_hard_limit = std::chrono::milliseconds{5},
       .margin = std::chrono::milliseconds{5}});
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1}));
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{2};
  TriggerOutcome outcome = Busy;
  for (int i = 0; outcome == Busy && std::chrono::steady_clock::now() < give_up; ++i) {
    outcome =
        outcomes_of(Builder{}.ask({.signal = "again" + std::to_string(i), .pipeline = 1})).at(0);
  }
  EXPECT_EQ(outcome, Enqueued);
}

TEST_P(TaskQueueContract, ReleasesOnlyTheClaimOfThatTask) {
  claim(Builder{}.ask({.signal = "s1", .pipeline = 1}));
  std::vector<OpenClaim> open = queue_->open_claims(10, std::chrono::milliseconds{0});
  ASSERT_THAT(open, SizeIs(1));
  EXPECT_EQ(open[0].ticker, "AAPL");
  EXPECT_EQ(open[0].database_now, DatabaseTime{std::chrono::microseconds{1'733'407'800'123'456}});
  std::vector<OpenClaim> another = open;
  another[0].task_id = "another";
  queue_->release(another);
  EXPECT_THAT(outcomes_of(Builder{}.ask({.signal = "s2", .pipeline = 1})), ElementsAre(Busy));
  queue_->release(open);
  EXPECT_THAT(outcomes_of(Builder{}.ask({.signal = "s3", .pipeline = 1})), ElementsAre(Enqueued));
}

TEST_P(TaskQueueContract, GoesRoundTheClaimsThatAreOpen) {
  for (int i = 0; i < 5; ++i) {
    claim(Builder{}.ask({.signal = "s" + std::to_string(i), .pipeline = i}));
  }
  place_->finish(place_->take().value());
  EXPECT_THAT(queue_->open_claims(10, std::chrono::hours{1}), IsEmpty());
  std::set<std::string> tasks;
  for (int i = 0; i < 2; ++i) {
    const std::vector<OpenClaim> open = queue_->open_claims(2, std::chrono::milliseconds{0});
    EXPECT_THAT(open, SizeIs(2));
    for (const OpenClaim& claim : open) tasks.insert(claim.task_id);
  }
  EXPECT_THAT(tasks, SizeIs(4)) << "and the one with a result is not among them";
  EXPECT_EQ(queue_->report().open_claims, 4U);
}

TEST_P(TaskQueueContract, RecordsEveryOutcome) {
  claim(Builder{}
            .ask({.signal = "s1", .pipeline = 1})
            .ask({.signal = "s1", .pipeline = 2, .busy = kLatest, .is_running = true})
            .ask({.signal = "s2", .pipeline = 2, .busy = kLatest, .is_running = true})
            .settle(7, "MSFT", "s\"2\n", NotRouted));
  const std::vector<HeldTask> held = queue_->held(10);
  const std::vector<HeldDecision> decisions{{held.data(), MarketClosed}};
  queue_->settle_held(decisions, {});
  EXPECT_THAT(place_->outcomes(),
              ElementsAre(PairOutcome{"s1", pair(1), Enqueued}, PairOutcome{"s1", pair(2), Held},
                          PairOutcome{"s2", pair(2), Held},
                          PairOutcome{"s\"2\n", pair(7, "MSFT"), NotRouted},
                          PairOutcome{"s1", pair(2), Superseded},
                          PairOutcome{"s2", pair(2), MarketClosed}));
}

TEST_P(TaskQueueContract, SaysHowMuchThereIs) {
  claim(Builder{}
            .ask({.signal = "s1", .pipeline = 1})
            .ask({.signal = "s1", .pipeline = 2})
            .ask({.signal = "s1", .pipeline = 3, .busy = kLatest, .is_running = true}));
  const QueueReport report = queue_->report();
  EXPECT_EQ(report.waiting_tasks, 2U);
  EXPECT_EQ(report.open_claims, 2U);
  EXPECT_EQ(report.held, 1U);
  EXPECT_TRUE(report.oldest_enqueued_at);
}

TEST_P(TaskQueueContract, WhatWaitsIsBounded) {
  use({.held_max = 2});
  const auto ask = [&](int pipeline, const std::string& signal) {
    return outcomes_of(Builder{}.ask(
        {.signal = signal, .pipeline = pipeline, .busy = kLatest, .is_running = true}));
  };
  EXPECT_THAT(ask(1, "s1"), ElementsAre(Held));
  EXPECT_THAT(ask(2, "s2"), ElementsAre(Held));
  EXPECT_THAT(ask(3, "s3"), ElementsAre(QueueFull));
  EXPECT_THAT(ask(2, "s4"), ElementsAre(Held)) << "it takes the place of s2";
}

TEST_P(TaskQueueContract, SignalsSeenAreBoundedAndTheOldestAreForgotten) {
  use({.generation_max = 2});
  for (int i = 0; i < 8; ++i) {
    claim(Builder{}.ask({.signal = "s" + std::to_string(i), .pipeline = i}));
  }
  EXPECT_EQ(queue_->report().signals_forgotten, 0U);
  claim(Builder{}.ask({.signal = "s8", .pipeline = 8}));
  EXPECT_EQ(queue_->report().signals_forgotten, 2U);
  EXPECT_THAT(
      outcomes_of(
          Builder{}.ask({.signal = "s2", .pipeline = 12}).ask({.signal = "s0", .pipeline = 10})),
      ElementsAre(Duplicate, Enqueued));
}

TEST_P(TaskQueueContract, BacktestsAreMarkedAndKeptApart) {
  claim(Builder{}
            .ask({.signal = "s1", .pipeline = 1, .is_backtest = true})
            .ask({.signal = "s2", .pipeline = 2}));
  for (const TakenTask& task : take_all()) EXPECT_EQ(task.is_backtest, task.signal_key == "s1");
}

TEST_P(TaskQueueContract, TakesTwoThousandTasksInOneCallAndNotOneMore) {
  Builder builder;
  for (int i = 0; i < 2'000; ++i) builder.ask({.signal = "s" + std::to_string(i), .pipeline = i});
  EXPECT_THAT(claim(builder).enqueued, SizeIs(2'000));
  EXPECT_THAT(take_all(), SizeIs(2'000));
  builder.ask({.signal = "one more", .pipeline = 2'000});
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(static_cast<void>(queue_->claim(builder.batch())), "kMaxTasksPerCall");
}

TEST_P(TaskQueueContract, AnEmptyCallDoesNothing) {
  EXPECT_THAT(outcomes_of(Builder{}), IsEmpty());
  EXPECT_THAT(queue_->settle_held({}, {}).outcomes, IsEmpty());
  EXPECT_THAT(place_->outcomes(), IsEmpty());
}

}  // namespace signalbox
