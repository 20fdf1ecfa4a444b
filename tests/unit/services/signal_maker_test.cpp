#include "services/signal_maker.hpp"

#include <gmock/gmock.h>

#include <set>
#include <span>
#include <string>
#include <vector>

#include "adapters/recorded_candles.hpp"
#include "adapters/wire_signal.hpp"

namespace signalbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr EventTime kStart{std::chrono::seconds{1'515'560'100}};

RecordedCandle candle(int number, NumberText close) {
  return {.open_time = kStart + number * std::chrono::minutes{5},
          .symbol = "ETHBTC",
          .timeframe = Timeframe::M5,
          .open = close,
          .high = close,
          .low = close,
          .close = close,
          .volume = "1"};
}

SignalMaker small_maker() {
  return SignalMaker{
      {.crosses = {{.short_span = 1, .long_span = 2, .confidence_min = 80}}, .rsi_period = 1'000}};
}

TEST(SignalMaker, WritesWhatTheOriginalsGeneratorWrites) {
  SignalMaker maker = small_maker();
  EXPECT_THAT(maker.hear(candle(0, "0.2"), 0), IsEmpty());
  EXPECT_THAT(maker.hear(candle(1, "0.1"), 0), IsEmpty());
  const std::vector<MadeSignal> made = maker.hear(candle(2, "0.3"), 0);

  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0].key, "golden_cross");
  EXPECT_EQ(made[0].title, "golden_cross 1 2 ETHBTC 95");
  const std::string expected =
      R"j({"signal_id": "golden_cross-1-2-ETHBTC-1515561000", "signal_type": "golden_cross", )j"
      R"j("source": "signalbox_up", "timestamp": 1515561000, "tickers": [{"ticker": "ETHBTC", )j"
      R"j("signal": "BULLISH", "confidence": 95.0, "reasoning": )j"
      R"j("SMA 1 (0.30000000) has crossed SMA 2 (0.20000000)"}], "metadata": {"timeframe": )j"
      R"j("5m", "current_price": 0.3, "sma_short": 1, "sma_long": 2, )j"
      R"j("current_sma_short": 0.3000000000, "current_sma_long": 0.2000000000}})j";
  EXPECT_EQ(made[0].payload, expected);
}

TEST(SignalMaker, ARoundThatIsPlayedAgainMakesSignalsOfItsOwn) {
  SignalMaker maker = small_maker();
  maker.begin_after(std::vector{candle(0, "0.2"), candle(1, "0.1")});
  const std::vector<MadeSignal> made = maker.hear(candle(2, "0.3"), 7);
  ASSERT_EQ(made.size(), 1U);
  EXPECT_THAT(made[0].payload, testing::HasSubstr(R"("golden_cross-1-2-ETHBTC-1515561000-7")"));
}

/// Killed at any candle: what was heard before and what comes after are the signals of one run.
TEST(SignalMaker, WhoBeginsInTheMiddleMakesTheSameSignals) {
  const RecordedCandles recording = RecordedCandles::built_in();
  const std::span all = std::span{recording.candles()}.first(6'000);
  SignalMaker whole;
  std::vector<std::string> expected;
  std::vector<std::string> found;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const MadeSignal& signal : whole.hear(all[i], 0)) {
      if (i >= 4'321) expected.push_back(signal.payload);
    }
  }
  SignalMaker begun;
  begun.begin_after(all.first(4'321));
  for (const RecordedCandle& candle : all.subspan(4'321)) {
    for (const MadeSignal& signal : begun.hear(candle, 0)) found.push_back(signal.payload);
  }
  EXPECT_THAT(expected, Not(IsEmpty()));
  EXPECT_EQ(found, expected);
}

TEST(SignalMaker, TheTriggerReadsEverySignalOfTheRecordingsFirstDay) {
  const RecordedCandles recording = RecordedCandles::built_in();
  SignalMaker maker;
  SignalReader reader;
  std::set<std::string> types;
  std::set<std::string> ids;
  std::size_t count = 0;
  for (const RecordedCandle& candle : std::span{recording.candles()}.first(3'000)) {
    for (const MadeSignal& made : maker.hear(candle, 0)) {
      TradingSignal signal;
      EXPECT_FALSE(reader.read_signal(made.payload, kStart, signal)) << made.payload;
      EXPECT_EQ(signal.left_out, 0U);
      EXPECT_EQ(signal.timeframe, "5m");
      ASSERT_EQ(signal.tickers.size(), 1U);
      EXPECT_EQ(signal.tickers[0].ticker, candle.symbol);
      EXPECT_TRUE(signal.tickers[0].confidence);
      types.emplace(signal.type);
      ids.emplace(signal.id);
      ++count;
    }
  }
  EXPECT_THAT(types, ElementsAre("death_cross", "golden_cross", "rsi_overbought", "rsi_oversold"));
  EXPECT_EQ(ids.size(), count) << "two signals of one name";
}

}  // namespace
}  // namespace signalbox
