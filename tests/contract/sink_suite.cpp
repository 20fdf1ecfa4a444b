#include "contract/sink_suite.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

namespace signalbox {
namespace {

using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;

template <typename Outcome>
testing::AssertionResult is(const WriteOutcome& outcome) {
  if (std::holds_alternative<Outcome>(outcome)) return testing::AssertionSuccess();
  auto result = testing::AssertionFailure() << "outcome " << outcome.index();
  if (const auto* unknown = std::get_if<Unknown>(&outcome)) result << ": " << unknown->why;
  if (const auto* unavailable = std::get_if<Unavailable>(&outcome)) {
    result << ": " << unavailable->why;
  }
  return result;
}

}  // namespace

std::string adapter_name(const testing::TestParamInfo<SinkAdapter>& info) {
  return info.param.name;
}

std::optional<Fence> SinkContract::fence_of(Sink& sink, int number) {
  const TopicPartition partition = source(number);
  const FenceMap fences = sink.read_fences({&partition, 1});
  const auto found = fences.find(partition);
  if (found == fences.end()) return std::nullopt;
  return found->second;
}

std::vector<Delivered> SinkContract::delivered() {
  std::vector<Delivered> all = place_->delivered();
  if (place_->order() == DeliveryOrder::Hidden) {
    std::ranges::sort(all);
  } else {
    std::ranges::stable_sort(all, {}, &Delivered::source);
  }
  return all;
}

TEST_P(SinkContract, AnswersAPing) { EXPECT_NO_THROW(make_sink()->ping()); }

TEST_P(SinkContract, InspectionDoesNotThrow) { EXPECT_NO_THROW(make_sink()->inspect()); }

TEST_P(SinkContract, TheFirstWriteExpectsNoFence) {
  const auto sink = make_sink();
  const auto first = batch().candles(0, 7, 2).move(0, std::nullopt, fence_at(9));

  ASSERT_TRUE(is<Committed>(sink->write(first.get())));

  EXPECT_EQ(fence_of(*sink, 0), fence_at(9));
  EXPECT_THAT(delivered(), ElementsAreArray(first.contents()));
}

TEST_P(SinkContract, AWriteGoesOnFromTheFenceOfTheOneBefore) {
  const auto sink = make_sink();
  ASSERT_TRUE(
      is<Committed>(sink->write(batch().candles(0, 0).move(0, std::nullopt, fence_at(1)).get())));
  for (std::int64_t offset = 1; offset < 20; ++offset) {
    const auto next = batch().candles(0, offset).move(0, fence_at(offset), fence_at(offset + 1));
    ASSERT_TRUE(is<Committed>(sink->write(next.get())));
  }
  EXPECT_EQ(fence_of(*sink, 0), fence_at(20));
  EXPECT_THAT(delivered(), ElementsAreArray(batch().candles(0, 0, 20).contents()));
}

TEST_P(SinkContract, TheSameWriteASecondTimeIsRefused) {
  const auto sink = make_sink();
  const auto write = batch().candles(0, 0, 3).move(0, std::nullopt, fence_at(3));
  ASSERT_TRUE(is<Committed>(sink->write(write.get())));

  EXPECT_TRUE(is<Refused>(sink->write(write.get())));

  EXPECT_EQ(fence_of(*sink, 0), fence_at(3));
  EXPECT_THAT(delivered(), ElementsAreArray(write.contents()));
}

TEST_P(SinkContract, AFenceThatIsNotThereRefusesTheWrite) {
  const auto sink = make_sink();

  EXPECT_TRUE(
      is<Refused>(sink->write(batch().candles(0, 5).move(0, fence_at(5), fence_at(6)).get())));

  EXPECT_EQ(fence_of(*sink, 0), std::nullopt);
  EXPECT_THAT(delivered(), IsEmpty());
}

TEST_P(SinkContract, OneStaleFenceOfSeveralRefusesEverything) {
  const auto sink = make_sink();
  ASSERT_TRUE(
      is<Committed>(sink->write(batch().candles(1, 0).move(1, std::nullopt, fence_at(1)).get())));

  const auto mixed = batch()
                         .candles(0, 0)
                         .candles(1, 0)
                         .candles(2, 0)
                         .move(0, std::nullopt, fence_at(1))
                         .move(1, std::nullopt, fence_at(1))
                         .move(2, std::nullopt, fence_at(1));
  EXPECT_TRUE(is<Refused>(sink->write(mixed.get())));

  EXPECT_EQ(fence_of(*sink, 0), std::nullopt);
  EXPECT_EQ(fence_of(*sink, 1), fence_at(1));
  EXPECT_EQ(fence_of(*sink, 2), std::nullopt);
  EXPECT_THAT(delivered(), ElementsAreArray(batch().candles(1, 0).contents()));
}

TEST_P(SinkContract, AWriteAfterARefusalIsCommitted) {
  const auto sink = make_sink();
  ASSERT_TRUE(
      is<Refused>(sink->write(batch().candles(0, 3).move(0, fence_at(3), fence_at(4)).get())));

  const auto right = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));
  EXPECT_TRUE(is<Committed>(sink->write(right.get())));
  EXPECT_THAT(delivered(), ElementsAreArray(right.contents()));
}

TEST_P(SinkContract, OwnerAndZombieNeverBothWrite) {
  const auto owner = make_sink();
  const auto zombie = make_sink();
  ASSERT_TRUE(
      is<Committed>(zombie->write(batch().candles(0, 0).move(0, std::nullopt, fence_at(1)).get())));
  ASSERT_TRUE(is<Committed>(
      owner->write(batch().candles(0, 1, 2).move(0, fence_at(1), fence_at(3)).get())));

  // The zombie still believes what it read before: late, and later once more.
  EXPECT_TRUE(
      is<Refused>(zombie->write(batch().candles(0, 1).move(0, fence_at(1), fence_at(2)).get())));
  EXPECT_TRUE(
      is<Refused>(zombie->write(batch().candles(0, 1).move(0, fence_at(1), fence_at(2)).get())));
  ASSERT_TRUE(
      is<Committed>(owner->write(batch().candles(0, 3).move(0, fence_at(3), fence_at(4)).get())));

  // One write of the zombie with the right fence makes the owner's fail; neither is lost.
  ASSERT_TRUE(
      is<Committed>(zombie->write(batch().candles(0, 4).move(0, fence_at(4), fence_at(5)).get())));
  EXPECT_TRUE(
      is<Refused>(owner->write(batch().candles(0, 4).move(0, fence_at(4), fence_at(5)).get())));
  ASSERT_EQ(fence_of(*owner, 0), fence_at(5));
  ASSERT_TRUE(
      is<Committed>(owner->write(batch().candles(0, 5).move(0, fence_at(5), fence_at(6)).get())));

  EXPECT_THAT(delivered(), ElementsAreArray(batch().candles(0, 0, 6).contents()));
}

TEST_P(SinkContract, AFenceThatIsNotInTheBatchDoesNotMatter) {
  const auto mine = make_sink();
  const auto other = make_sink();
  const auto both = batch()
                        .candles(0, 0)
                        .candles(1, 0)
                        .move(0, std::nullopt, fence_at(1))
                        .move(1, std::nullopt, fence_at(1));
  ASSERT_TRUE(is<Committed>(mine->write(both.get())));
  ASSERT_TRUE(
      is<Committed>(other->write(batch().candles(1, 1).move(1, fence_at(1), fence_at(2)).get())));

  EXPECT_TRUE(
      is<Committed>(mine->write(batch().candles(0, 1).move(0, fence_at(1), fence_at(2)).get())));
  // The partition comes back: the fence is not the one that this sink saw last.
  EXPECT_TRUE(
      is<Committed>(mine->write(batch().candles(1, 2).move(1, fence_at(2), fence_at(3)).get())));

  EXPECT_THAT(delivered(), ElementsAreArray(batch().candles(0, 0, 2).candles(1, 0, 3).contents()));
}

TEST_P(SinkContract, TwoThreadsOnOnePartitionWriteEachMessageOnce) {
  constexpr std::int64_t kMessages = 300;
  std::atomic<int> refused{0};
  const auto take_turns = [&](Sink& sink) {
    for (;;) {
      const std::optional<Fence> fence = fence_of(sink, 0);
      const std::int64_t at = fence ? fence->next.value : 0;
      if (at >= kMessages) return;
      const auto next = batch().candles(0, at).move(0, fence, fence_at(at + 1));
      const WriteOutcome outcome = sink.write(next.get());
      if (std::holds_alternative<Refused>(outcome)) {
        ++refused;
      } else {
        ASSERT_TRUE(is<Committed>(outcome));
      }
    }
  };
  const auto one = make_sink();
  const auto two = make_sink();
  {
    const std::jthread first{[&] { take_turns(*one); }};
    const std::jthread second{[&] { take_turns(*two); }};
  }
  RecordProperty("refused", refused.load());
  EXPECT_THAT(delivered(), ElementsAreArray(batch().candles(0, 0, kMessages).contents()));
}

TEST_P(SinkContract, AFenceMovesWithoutMessages) {
  const auto sink = make_sink();
  EXPECT_TRUE(is<Committed>(sink->write(batch().move(0, std::nullopt, fence_at(40)).get())));
  EXPECT_TRUE(is<Committed>(sink->write(batch().move(0, fence_at(40), fence_at(41)).get())));
  EXPECT_TRUE(is<Refused>(sink->write(batch().move(0, fence_at(40), fence_at(42)).get())));

  EXPECT_EQ(fence_of(*sink, 0), fence_at(41));
  EXPECT_THAT(delivered(), IsEmpty());
}

TEST_P(SinkContract, AnEmptyWriteIsCommitted) {
  EXPECT_TRUE(is<Committed>(make_sink()->write(batch().get())));
}

TEST_P(SinkContract, AbsentFencesAreMissingFromTheAnswer) {
  const auto sink = make_sink();
  EXPECT_THAT(sink->read_fences({}), IsEmpty());
  ASSERT_TRUE(is<Committed>(sink->write(
      batch().move(0, std::nullopt, fence_at(1)).move(2, std::nullopt, fence_at(3)).get())));

  const std::vector<TopicPartition> asked{source(0), source(1), source(2)};
  EXPECT_EQ(sink->read_fences(asked),
            (FenceMap{{source(0), fence_at(1)}, {source(2), fence_at(3)}}));
}

TEST_P(SinkContract, ReadingFencesBetweenWritesChangesNothing) {
  const auto sink = make_sink();
  ASSERT_TRUE(is<Committed>(sink->write(batch().move(0, std::nullopt, fence_at(1)).get())));
  EXPECT_EQ(fence_of(*sink, 0), fence_at(1));
  EXPECT_EQ(fence_of(*sink, 1), std::nullopt);
  EXPECT_TRUE(is<Committed>(sink->write(batch().move(0, fence_at(1), fence_at(2)).get())));
}

TEST_P(SinkContract, RemembersThatTheGroupHasStarted) {
  const auto sink = make_sink();
  EXPECT_THAT(sink->read_fences({&kGroupStarted, 1}), IsEmpty());
  const auto start =
      batch().move(kGroupStarted, std::nullopt, fence_at(0)).move(0, std::nullopt, fence_at(12));
  ASSERT_TRUE(is<Committed>(sink->write(start.get())));

  EXPECT_EQ(make_sink()->read_fences({&kGroupStarted, 1}),
            (FenceMap{{kGroupStarted, fence_at(0)}}));
}

TEST_P(SinkContract, AFenceKeepsEveryFieldAndEachOneCounts) {
  const auto sink = make_sink();
  const Fence full{.next = Offset{9'223'372'036'854'775'000},
                   .part = 2'147'483'000,
                   .last_timestamp = EventTime{std::chrono::milliseconds{1'761'573'419'999}},
                   .seq = 18'446'744'073'709'551'000ULL,
                   .epoch = 1'761'573'360'000,
                   .lineage = "5L6g3nShT-eMCtK--X86sw",
                   .gap = -12};
  ASSERT_TRUE(is<Committed>(sink->write(batch().move(0, std::nullopt, full).get())));
  ASSERT_EQ(fence_of(*sink, 0), full);

  std::vector<Fence> others(7, full);
  others[0].next.value -= 1;
  others[1].part += 1;
  others[2].last_timestamp += std::chrono::milliseconds{1};
  others[3].seq += 1;
  others[4].epoch += 1;
  others[5].lineage += "x";
  others[6].gap += 1;
  for (const Fence& other : others) {
    EXPECT_TRUE(is<Refused>(sink->write(batch().move(0, other, fence_at(1)).get())));
  }
  const Fence bare{};
  ASSERT_TRUE(is<Committed>(sink->write(batch().move(0, full, bare).get())));
  EXPECT_EQ(fence_of(*sink, 0), bare);
}

TEST_P(SinkContract, GroupsHaveFencesOfTheirOwn) {
  const auto redis = place_->make_sink("group-" + word_);
  const auto other = place_->make_sink("group-" + word_ + "-priority");
  ASSERT_TRUE(is<Committed>(redis->write(batch().move(0, std::nullopt, fence_at(1)).get())));

  EXPECT_EQ(fence_of(*other, 0), std::nullopt);
  EXPECT_TRUE(is<Committed>(other->write(batch().move(0, std::nullopt, fence_at(9)).get())));
  EXPECT_EQ(fence_of(*redis, 0), fence_at(1));
}

TEST_P(SinkContract, FiveHundredMessagesOfTwentyPartitions) {
  const auto sink = make_sink();
  auto first = batch();
  auto second = batch();
  auto all = batch();
  for (int number = 0; number < 20; ++number) {
    first.candles(number, 0, 25).move(number, std::nullopt, fence_at(25));
    second.candles(number, 25, 25).move(number, fence_at(25), fence_at(50));
    all.candles(number, 0, 50);
  }
  ASSERT_TRUE(is<Committed>(sink->write(first.get())));
  ASSERT_TRUE(is<Committed>(sink->write(second.get())));
  EXPECT_TRUE(is<Refused>(sink->write(second.get())));

  EXPECT_THAT(delivered(), ElementsAreArray(all.contents()));
}

TEST_P(SinkContract, AnyNumberOfFences) {
  const auto sink = make_sink();
  auto first = batch();
  std::vector<TopicPartition> partitions;
  for (int number = 0; number < 800; ++number) {
    first.move(number, std::nullopt, fence_at(number));
    partitions.push_back(source(number));
  }
  ASSERT_TRUE(is<Committed>(sink->write(first.get())));
  EXPECT_THAT(sink->read_fences(partitions), SizeIs(800));
}

TEST_P(SinkContract, PartitionsThatTakeTurnsKeepTheirOrder) {
  const auto sink = make_sink();
  auto all = batch();
  for (int number = 0; number < 3; ++number) all.candles(number, 0, 40);
  for (std::int64_t offset = 0; offset < 40; offset += 4) {
    for (int number = 0; number < 3; ++number) {
      const std::optional<Fence> expected =
          offset == 0 ? std::nullopt : std::optional{fence_at(offset)};
      const auto next =
          batch().candles(number, offset, 4).move(number, expected, fence_at(offset + 4));
      ASSERT_TRUE(is<Committed>(sink->write(next.get())));
    }
  }
  EXPECT_THAT(delivered(), ElementsAreArray(all.contents()));
}

TEST_P(SinkContract, TakesAMessageOfTwoMegabytesAndABatchOfEight) {
  const auto sink = make_sink();
  auto large = batch();
  for (std::int64_t offset = 0; offset < 4; ++offset) large.large_candle(0, offset, 1'990'000);
  large.move(0, std::nullopt, fence_at(4));

  ASSERT_TRUE(is<Committed>(sink->write(large.get())));
  ASSERT_TRUE(
      is<Committed>(sink->write(batch().candles(0, 4).move(0, fence_at(4), fence_at(5)).get())));

  EXPECT_THAT(delivered(), ElementsAreArray(batch().candles(0, 0, 5).contents()));
}

TEST_P(SinkContract, WhatWasCommittedIsThereForANewSink) {
  if (place_->durability() == Durability::Volatile) GTEST_SKIP() << "this sink is not durable";
  const auto first = batch().candles(0, 0, 3).move(0, std::nullopt, fence_at(3));
  ASSERT_TRUE(is<Committed>(make_sink()->write(first.get())));

  const auto sink = make_sink();
  EXPECT_EQ(fence_of(*sink, 0), fence_at(3));
  EXPECT_TRUE(is<Refused>(sink->write(first.get())));
}

TEST_P(SinkContract, ABrokenConnectionLosesAndRepeatsNothing) {
  const auto sink = make_sink();
  const auto all = batch().candles(0, 0, 30);
  std::int64_t broken_at = -1;
  for (std::int64_t at = 0; at < 30;) {
    if (at % 5 == 2 && std::exchange(broken_at, at) != at && !place_->break_connections()) {
      GTEST_SKIP() << "no connection to break";
    }
    const std::optional<Fence> expected = at == 0 ? std::nullopt : std::optional{fence_at(at)};
    const auto next = batch().candles(0, at).move(0, expected, fence_at(at + 1));
    const WriteOutcome outcome = sink->write(next.get());
    ASSERT_FALSE(std::holds_alternative<Refused>(outcome)) << "at " << at;
    if (std::holds_alternative<Committed>(outcome)) {
      ++at;
    } else if (const auto fence = fence_of(*sink, 0)) {
      at = fence->next.value;
    }
  }
  EXPECT_THAT(delivered(), ElementsAreArray(all.contents()));
}

}  // namespace signalbox
