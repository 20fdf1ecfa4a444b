#include "domain/candle_signals.hpp"

#include <gmock/gmock.h>

#include <string>

namespace signalbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// One pair of averages, of two and of three candles; an index over two changes.
CandleSignalRules small_rules() {
  return {.crosses = {{.short_span = 2, .long_span = 3, .confidence_min = 50}}, .rsi_period = 2};
}

std::vector<std::string> signals_of(CandleSignals& signals, std::initializer_list<double> closes) {
  std::vector<std::string> found;
  int number = 0;
  for (const double close : closes) {
    for (const CandleSignal& signal : signals.add(close)) {
      found.push_back(std::to_string(number) + " " + std::string(name_of(signal.kind)));
    }
    ++number;
  }
  return found;
}

CandleSignalRules crosses_only() {
  CandleSignalRules rules = small_rules();
  rules.rsi_period = 1'000;
  return rules;
}

TEST(CandleSignals, AnAverageThatComesFromTheOtherSideIsACross) {
  CandleSignals signals{crosses_only()};
  // Averages of two and three: (9.5 10) (8.5 9) (9.5 9.33) (11.5 10.33) (10.5 10.67)
  EXPECT_THAT(signals_of(signals, {11, 10, 9, 8, 11, 12, 9}),
              ElementsAre("4 golden_cross", "6 death_cross"));
}

TEST(CandleSignals, ToStandOnTheLongAverageIsNoSide) {
  CandleSignals signals{crosses_only()};
  // (2 + 3) / 2 = 2.5 against (1 + 2 + 3) / 3 = 2: above.
  EXPECT_THAT(signals_of(signals, {1, 2, 3}), IsEmpty());
  // (3 + 1.5) / 2 = 2.25 against (2 + 3 + 1.5) / 3 = 2.167: above still.
  EXPECT_THAT(signals_of(signals, {1.5}), IsEmpty());
  // (1.5 + 4.5) / 2 = 3 against (3 + 1.5 + 4.5) / 3 = 3: equal.
  EXPECT_THAT(signals_of(signals, {4.5}), IsEmpty());
  // (4.5 + 6) / 2 = 5.25 against (1.5 + 4.5 + 6) / 3 = 4: above again, as it was before.
  EXPECT_THAT(signals_of(signals, {6}), IsEmpty());
}

TEST(CandleSignals, ACrossIsAsSureAsTheCandleIsStrong) {
  CandleSignals signals{crosses_only()};
  for (const double close : {100.2, 100.1, 100.0, 99.9}) EXPECT_THAT(signals.add(close), IsEmpty());
  const std::vector<CandleSignal> found = signals.add(100.2);
  ASSERT_EQ(found.size(), 1U);
  // Short: (99.9 + 100.2) / 2 = 100.05. Long: (100.0 + 99.9 + 100.2) / 3 = 100.0333…
  // Gap +0.016667 after 99.95 − 100 = −0.05: 0.066667 of 100.0333 is 6.6644 basis points.
  EXPECT_NEAR(found[0].short_average, 100.05, 1e-9);
  EXPECT_NEAR(found[0].long_average, 100.033333, 1e-6);
  EXPECT_NEAR(found[0].confidence, 56.6644, 1e-3);
}

TEST(CandleSignals, ConfidenceHasATop) {
  CandleSignals signals{crosses_only()};
  for (const double close : {100.0, 90.0, 80.0}) signals.add(close);
  const std::vector<CandleSignal> found = signals.add(200);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].confidence, 95);
}

TEST(CandleSignals, EnteringAZoneIsASignalAndStayingIsNone) {
  CandleSignalRules rules = small_rules();
  rules.crosses.clear();
  CandleSignals signals{rules};
  // Gains and losses, averaged over two: +1 −1 → 50; −1: gain 0.25, loss 0.75 → 25;
  // −1 → 12.5; +4: gain 2.0625, loss 0.4375 → 82.5; +1 → above 70 still.
  EXPECT_THAT(signals_of(signals, {10, 11, 10, 9, 8, 12, 13}),
              ElementsAre("3 rsi_oversold", "5 rsi_overbought"));
}

TEST(CandleSignals, AZoneIsAsSureAsTheIndexIsFarBeyondItsBorder) {
  CandleSignalRules rules = small_rules();
  rules.crosses.clear();
  CandleSignals signals{rules};
  for (const double close : {10.0, 11.0, 10.0}) signals.add(close);
  const std::vector<CandleSignal> found = signals.add(9);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_DOUBLE_EQ(found[0].rsi, 25);
  EXPECT_DOUBLE_EQ(found[0].confidence, 70);
}

TEST(WilderRsi, SmoothsAsWilderDid) {
  WilderRsi rsi{14};
  std::optional<double> last;
  for (const double close :
       {44.0, 45.0, 44.0, 46.0, 46.0, 45.0, 47.0, 48.0, 47.0, 49.0, 48.0, 50.0, 49.0, 51.0}) {
    last = rsi.add(close);
    EXPECT_EQ(last, std::nullopt);
  }
  // 14 changes: gains 1+2+2+1+2+2+2 = 12, losses 1+1+1+1+1 = 5, and a last one of −3: losses 8.
  EXPECT_NEAR(rsi.add(48).value(), 100.0 * 12 / 20, 1e-9);
  // Gain (12/14·13 + 2)/14 = 184/196, loss (8/14·13)/14 = 104/196.
  EXPECT_NEAR(rsi.add(50).value(), 100.0 * 184 / 288, 1e-9);
}

TEST(WilderRsi, AMarketThatDoesNotMoveIsNeither) {
  WilderRsi rsi{2};
  rsi.add(5);
  rsi.add(5);
  EXPECT_EQ(rsi.add(5), 50);
}

}  // namespace
}  // namespace signalbox
