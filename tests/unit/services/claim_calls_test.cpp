#include "services/claim_calls.hpp"

#include <deque>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox {
namespace {

const TopicPartition kPartition{"trading-signals", 0};
const TopicPartition kOther{"trading-signals", 1};

/// A batch in the making: signals with so many requests and settled pairs each.
class Batch {
 public:
  void add(const TopicPartition& partition, std::int64_t offset, std::size_t requests,
           std::size_t settled = 0, std::size_t bytes_a_task = 1) {
    messages_.push_back({.offset = Offset{offset},
                         .timestamp = EventTime{std::chrono::milliseconds{offset}},
                         .key = {},
                         .payload = "{}"});
    routed_.push_back({.message = &messages_.back(),
                       .route = nullptr,
                       .source = &partition,
                       .source_offset = Offset{offset},
                       .read_from = &partition,
                       .seq = static_cast<std::uint64_t>(offset) + 1,
                       .facts = {}});
    signals_.push_back({.routed = &routed_.back(),
                        .first_request = requests_.size(),
                        .requests = requests,
                        .first_settled = settled_,
                        .settled = settled,
                        .bytes_a_task = bytes_a_task});
    for (std::size_t i = 0; i < requests; ++i) {
      Uuid pipeline;
      pipeline.bytes[15] = static_cast<std::uint8_t>(i);
      requests_.push_back({.pipeline = pipeline,
                           .user = {},
                           .pipeline_name = {},
                           .signal = &signal_,
                           .signal_key = {},
                           .signal_logged_at = {},
                           .busy = {}});
    }
    settled_ += settled;
    const auto move = std::ranges::find(moves_, partition, &FenceMove::partition);
    const Fence next{.next = Offset{offset + 1},
                     .last_timestamp = messages_.back().timestamp,
                     .seq = routed_.back().seq,
                     .lineage = {}};
    if (move == moves_.end()) {
      Fence expected;
      expected.next = Offset{offset};
      expected.seq = static_cast<std::uint64_t>(offset);
      moves_.push_back({partition, expected, next});
    } else {
      move->next = next;
    }
  }

  std::vector<ClaimCall> split(const CallLimits& limits) {
    return split_into_calls({.messages = {}, .moves = moves_, .received_at = {}}, signals_,
                            requests_, limits);
  }

  std::vector<TaskRequest>& requests() { return requests_; }

 private:
  TradingSignal signal_ = [] {
    TradingSignal signal;
    signal.tickers.push_back(
        {.ticker = "AAPL", .bias = {}, .confidence = {}, .confidence_text = {}, .reasoning = {}});
    return signal;
  }();
  std::deque<Message> messages_;
  std::deque<Routed> routed_;
  std::vector<SignalPairs> signals_;
  std::vector<TaskRequest> requests_;
  std::vector<FenceMove> moves_;
  std::size_t settled_ = 0;
};

TEST(ClaimCalls, ABatchThatFitsIsOneCallWithTheMovesOfTheBatch) {
  Batch batch;
  batch.add(kPartition, 10, 2, 3);
  batch.add(kOther, 4, 1, 1);
  const auto calls = batch.split({});
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].requests, 3u);
  EXPECT_EQ(calls[0].settled, 4u);
  EXPECT_EQ(calls[0].signals, 2u);
  ASSERT_EQ(calls[0].moves.size(), 2u);
  EXPECT_EQ(calls[0].moves[0].expected->next, Offset{10});
  EXPECT_EQ(calls[0].moves[0].next.next, Offset{11});
}

TEST(ClaimCalls, ABatchOfMovesAloneIsOneCall) { EXPECT_EQ(Batch{}.split({}).size(), 1u); }

TEST(ClaimCalls, ExactlyTheLimitIsOneCallAndOneMoreIsTwo) {
  Batch full;
  full.add(kPartition, 0, 2);
  full.add(kPartition, 1, 2);
  EXPECT_EQ(full.split({.tasks = 4}).size(), 1u);
  Batch over;
  over.add(kPartition, 0, 2);
  over.add(kPartition, 1, 3);
  const auto calls = over.split({.tasks = 4});
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].requests, 2u);
  EXPECT_EQ(calls[0].moves[0].next.next, Offset{1});
  EXPECT_EQ(calls[1].first_request, 2u);
  EXPECT_EQ(calls[1].requests, 3u);
  EXPECT_EQ(calls[1].first_signal, 1u);
  EXPECT_EQ(calls[1].moves[0].expected, calls[0].moves[0].next);
  EXPECT_EQ(calls[1].moves[0].next.next, Offset{2});
}

TEST(ClaimCalls, BytesAndSettledPairsBoundACallToo) {
  Batch bytes;
  bytes.add(kPartition, 0, 1, 0, 60);
  bytes.add(kPartition, 1, 1, 0, 60);
  EXPECT_EQ(bytes.split({.bytes = 100}).size(), 2u);
  Batch settled;
  settled.add(kPartition, 0, 0, 3);
  settled.add(kPartition, 1, 0, 3);
  const auto calls = settled.split({.settled = 5});
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1].first_settled, 3u);
  EXPECT_EQ(calls[1].settled, 3u);
}

TEST(ClaimCalls, ASignalTooLargeForACallIsCutAndItsFenceStaysBeforeIt) {
  Batch batch;
  batch.add(kPartition, 7, 10, 2);
  const auto calls = batch.split({.tasks = 4});
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].requests, 4u);
  EXPECT_EQ(calls[0].settled, 2u);
  EXPECT_EQ(calls[0].signals, 0u);
  EXPECT_EQ(calls[0].moves[0].next.next, Offset{7});
  EXPECT_EQ(calls[0].moves[0].next.part, 1);
  ASSERT_TRUE(calls[0].cut);
  EXPECT_EQ(calls[0].cut->pairs_done, 4u);
  EXPECT_EQ(calls[0].cut->last_pair, "00000000-0000-0000-0000-000000000003|AAPL");
  EXPECT_EQ(calls[1].moves[0].expected, calls[0].moves[0].next);
  EXPECT_EQ(calls[1].moves[0].next.part, 2);
  EXPECT_EQ(calls[2].first_request, 8u);
  EXPECT_EQ(calls[2].requests, 2u);
  EXPECT_EQ(calls[2].signals, 1u);
  EXPECT_FALSE(calls[2].cut);
  EXPECT_EQ(calls[2].moves[0].next.next, Offset{8});
  EXPECT_EQ(calls[2].moves[0].next.part, 0);
}

TEST(ClaimCalls, OnlyTheFirstPartOfASignalIsLookedUpAmongTheRepeats) {
  Batch batch;
  batch.add(kPartition, 7, 5);
  batch.split({.tasks = 4});
  EXPECT_TRUE(batch.requests()[3].is_repeat_checked);
  EXPECT_FALSE(batch.requests()[4].is_repeat_checked);
}

TEST(ClaimCalls, ASignalBehindACutOneGoesOnInItsLastCall) {
  Batch batch;
  batch.add(kPartition, 7, 5);
  batch.add(kPartition, 8, 2);
  const auto calls = batch.split({.tasks = 4});
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1].first_request, 4u);
  EXPECT_EQ(calls[1].requests, 3u);
  EXPECT_EQ(calls[1].signals, 2u);
}

}  // namespace
}  // namespace signalbox
