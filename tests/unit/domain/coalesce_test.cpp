#include "domain/coalesce.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr EventTime kNoon{std::chrono::sys_days{std::chrono::year{2024} / 5 / 1} +
                          std::chrono::hours{12}};
const TopicPartition kSource{"market.data.btcusdc.1m", 0};
const TopicPartition kOtherSource{"market.data.btcusdc", 4};

Routed candle(std::int64_t offset, const char* symbol, EventTime open_time, bool is_closed,
              const TopicPartition& source = kSource) {
  CandleFields fields;
  fields.symbol = symbol;
  fields.timeframe = Timeframe::M1;
  fields.open_time = open_time;
  fields.is_closed = is_closed;
  Routed routed{.message = nullptr,
                .route = nullptr,
                .source = &source,
                .source_offset = Offset{offset},
                .facts = {}};
  routed.facts.record = fields;
  return routed;
}

TEST(Coalesce, KeepsOneCandleAKeySortedByKey) {
  const std::vector messages{candle(1, "ETHUSDC", kNoon, true), candle(2, "BTCUSDC", kNoon, true),
                             candle(3, "BTCUSDC", kNoon - std::chrono::minutes{1}, true)};
  const Coalesced result = coalesce_candles(messages, std::vector<std::size_t>{0, 1, 2});
  EXPECT_THAT(result.winners, ElementsAre(2, 1, 0));
  EXPECT_EQ(result.superseded, 0);
}

TEST(Coalesce, TheLaterOffsetWins) {
  const std::vector messages{candle(1, "BTCUSDC", kNoon, false), candle(2, "BTCUSDC", kNoon, false),
                             candle(3, "BTCUSDC", kNoon, false)};
  const Coalesced result = coalesce_candles(messages, std::vector<std::size_t>{0, 1, 2});
  EXPECT_THAT(result.winners, ElementsAre(2));
  EXPECT_EQ(result.superseded, 2);
}

TEST(Coalesce, AClosedCandleBeatsALaterOpenOne) {
  const std::vector messages{candle(1, "BTCUSDC", kNoon, true), candle(2, "BTCUSDC", kNoon, false)};
  const Coalesced result = coalesce_candles(messages, std::vector<std::size_t>{0, 1});
  EXPECT_THAT(result.winners, ElementsAre(0));
  EXPECT_EQ(result.superseded, 1);
}

TEST(Coalesce, AnOlderOffsetReplayedLaterDoesNotWin) {
  const std::vector messages{candle(9, "BTCUSDC", kNoon, true), candle(3, "BTCUSDC", kNoon, true)};
  EXPECT_THAT(coalesce_candles(messages, std::vector<std::size_t>{0, 1}).winners, ElementsAre(0));
}

TEST(Coalesce, OffsetsOfDifferentPartitionsAreNotCompared) {
  const std::vector messages{candle(9, "BTCUSDC", kNoon, true),
                             candle(3, "BTCUSDC", kNoon, true, kOtherSource)};
  EXPECT_THAT(coalesce_candles(messages, std::vector<std::size_t>{0, 1}).winners, ElementsAre(1));
}

TEST(Coalesce, LooksAtCandidatesOnly) {
  const std::vector messages{candle(1, "BTCUSDC", kNoon, true), candle(2, "BTCUSDC", kNoon, true)};
  EXPECT_THAT(coalesce_candles(messages, std::vector<std::size_t>{0}).winners, ElementsAre(0));
  EXPECT_THAT(coalesce_candles(messages, std::vector<std::size_t>{}).winners, IsEmpty());
}

}  // namespace
}  // namespace signalbox
