#include "domain/pipeline_index.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Uuid uuid(std::uint8_t number) {
  Uuid id;
  id.bytes[15] = number;
  return id;
}

Pipeline pipeline(std::uint8_t number, std::vector<std::string> tickers,
                  std::vector<Subscription> subscriptions = {}) {
  return {.id = uuid(number),
          .user = uuid(200),
          .name = "pipeline " + std::to_string(number),
          .tickers = std::move(tickers),
          .subscriptions = std::move(subscriptions),
          .busy = std::nullopt};
}

SignalTicker said(std::string_view ticker, std::optional<double> confidence = std::nullopt) {
  SignalTicker result;
  result.ticker = ticker;
  result.confidence = confidence;
  return result;
}

TradingSignal signal(std::string_view type, std::string_view timeframe,
                     std::vector<SignalTicker> tickers) {
  TradingSignal result;
  result.type = type;
  result.timeframe = timeframe;
  result.tickers = std::move(tickers);
  return result;
}

/// "pipeline ticker" for who runs, in the order of the index.
std::vector<std::string> matches(const PipelineIndex& index, const TradingSignal& signal,
                                 const MatchRules& rules = {}) {
  std::vector<Match> found;
  index.match(signal, rules, found);
  std::vector<std::string> texts;
  for (const Match& match : found) {
    texts.push_back(std::to_string(index.at(match.pipeline).id.bytes[15]) + " " +
                    std::string(signal.tickers.at(match.ticker).ticker));
  }
  return texts;
}

/// "pipeline ticker reason" for who does not.
std::vector<std::string> misses(const PipelineIndex& index, const TradingSignal& signal,
                                const MatchRules& rules = {}) {
  std::vector<NoMatch> found;
  index.judge_rest(signal, rules, found);
  std::vector<std::string> texts;
  for (const NoMatch& miss : found) {
    texts.push_back(std::to_string(index.at(miss.pipeline).id.bytes[15]) + " " +
                    std::string(signal.tickers.at(miss.ticker).ticker) + " " +
                    std::string(name_of(miss.why)));
  }
  return texts;
}

TEST(PipelineIndex, KnowsWhatATaskNeeds) {
  Pipeline ours = pipeline(7, {"AAPL"});
  ours.busy = BusyRule{.policy = BusyPolicy::Queue, .slots = 5};
  Pipeline orphan = pipeline(3, {"MSFT", "AAPL"});
  orphan.user.reset();
  const PipelineIndex index(std::vector{ours, orphan});
  EXPECT_EQ(index.size(), 2U);
  EXPECT_EQ(index.ticker_count(), 2U);
  EXPECT_EQ(index.posting_count(), 3U);

  const auto number = index.find(uuid(7));
  ASSERT_TRUE(number);
  const IndexedPipeline found = index.at(*number);
  EXPECT_EQ(found.id, uuid(7));
  EXPECT_EQ(found.user, uuid(200));
  EXPECT_EQ(found.name, "pipeline 7");
  EXPECT_EQ(found.busy, (BusyRule{.policy = BusyPolicy::Queue, .slots = 5}));
  EXPECT_TRUE(index.watches(*number, "AAPL"));
  EXPECT_FALSE(index.watches(*number, "MSFT"));
  EXPECT_FALSE(index.watches(*number, "TSLA"));

  const auto other = index.find(uuid(3));
  ASSERT_TRUE(other);
  EXPECT_EQ(index.at(*other).user, std::nullopt);
  EXPECT_EQ(index.at(*other).busy, std::nullopt);
  EXPECT_EQ(index.at(*other).name, "pipeline 3");
  EXPECT_EQ(index.find(uuid(4)), std::nullopt);
}

TEST(PipelineIndex, AnEmptyIndexMatchesNothing) {
  const PipelineIndex index;
  const TradingSignal any = signal("golden_cross", "1d", {said("AAPL", 90)});
  EXPECT_EQ(index.size(), 0U);
  EXPECT_THAT(matches(index, any), IsEmpty());
  EXPECT_THAT(misses(index, any), IsEmpty());
  EXPECT_EQ(index.find(uuid(1)), std::nullopt);
}

TEST(PipelineIndex, OnlyTickersThatThePipelineWatchesRun) {
  const PipelineIndex index(std::vector{pipeline(1, {"AAPL"}), pipeline(2, {"TSLA", "MSFT"})});
  EXPECT_THAT(matches(index, signal("news", "", {said("MSFT"), said("NOBODY"), said("AAPL")})),
              ElementsAre("2 MSFT", "1 AAPL"));
}

TEST(PipelineIndex, TickersAreComparedExactly) {
  const PipelineIndex index(std::vector{pipeline(1, {"AAPL"})});
  EXPECT_THAT(matches(index, signal("news", "", {said("aapl"), said(" AAPL"), said("AAP")})),
              IsEmpty());
}

TEST(PipelineIndex, EmptyTickersAreIgnoredOnBothSides) {
  const PipelineIndex index(std::vector{pipeline(1, {"", "AAPL"})});
  EXPECT_EQ(index.ticker_count(), 1U);
  EXPECT_THAT(matches(index, signal("news", "", {said("")})), IsEmpty());
  EXPECT_THAT(misses(index, signal("news", "", {said("")})), IsEmpty());
}

TEST(PipelineIndex, EachTickerHasToBeConfidentByItself) {
  const PipelineIndex index(
      std::vector{pipeline(1, {"AAPL", "MSFT", "TSLA"}, {{"golden_cross", "", 80.0}})});
  const TradingSignal three =
      signal("golden_cross", "1d", {said("AAPL", 90), said("MSFT", 79.999), said("TSLA", 80)});
  EXPECT_THAT(matches(index, three), ElementsAre("1 AAPL", "1 TSLA"));
  EXPECT_THAT(misses(index, three), ElementsAre("1 MSFT below_confidence"));
}

TEST(PipelineIndex, MissingConfidenceAndNanAreZero) {
  const PipelineIndex index(std::vector{pipeline(1, {"AAPL"}, {{"news", "", 0.0}}),
                                        pipeline(2, {"AAPL"}, {{"news", "", 0.1}}),
                                        pipeline(3, {"AAPL"}, {{"news", "", std::nullopt}}),
                                        pipeline(4, {"AAPL"}, {{"news", "", kNan}})});
  EXPECT_THAT(matches(index, signal("news", "", {said("AAPL")})), ElementsAre("1 AAPL", "3 AAPL"));
  EXPECT_THAT(matches(index, signal("news", "", {said("AAPL", kNan)})),
              ElementsAre("1 AAPL", "3 AAPL"));
  EXPECT_THAT(matches(index, signal("news", "", {said("AAPL", -0.5)})), ElementsAre("3 AAPL"));
  EXPECT_THAT(matches(index, signal("news", "", {said("AAPL", 1e300)})),
              ElementsAre("1 AAPL", "2 AAPL", "3 AAPL"));
}

TEST(PipelineIndex, TimeframesAreComparedWhereBothSidesHaveOne) {
  const PipelineIndex index(
      std::vector{pipeline(1, {"AAPL"}, {{"news", "5m", std::nullopt}}),
                  pipeline(2, {"AAPL"}, {{"news", "1h", std::nullopt}}),
                  pipeline(3, {"AAPL"}, {{"news", "", std::nullopt}}),
                  pipeline(4, {"AAPL"}, {{"news", "1h", std::nullopt}, {"news", "5m", 50.0}})});
  EXPECT_THAT(matches(index, signal("news", "5m", {said("AAPL", 60)})),
              ElementsAre("1 AAPL", "3 AAPL", "4 AAPL"));
  EXPECT_THAT(matches(index, signal("news", "1w", {said("AAPL", 60)})), ElementsAre("3 AAPL"));
  EXPECT_THAT(
      misses(index, signal("news", "1w", {said("AAPL", 60)})),
      ElementsAre("1 AAPL wrong_timeframe", "2 AAPL wrong_timeframe", "4 AAPL wrong_timeframe"));
  EXPECT_THAT(matches(index, signal("news", "", {said("AAPL", 60)})),
              ElementsAre("1 AAPL", "2 AAPL", "3 AAPL", "4 AAPL"));
}

TEST(PipelineIndex, WithoutSubscriptionsEverySignalRuns) {
  const PipelineIndex index(std::vector{pipeline(1, {"AAPL"})});
  EXPECT_THAT(matches(index, signal("never heard of", "7y", {said("AAPL", -3)})),
              ElementsAre("1 AAPL"));
}

TEST(PipelineIndex, TheReasonIsThatOfTheSubscriptionThatCameFurthest) {
  const PipelineIndex index(std::vector{
      pipeline(1, {"AAPL"}, {{"news", "1h", 90.0}, {"news", "5m", 10.0}, {"mock", "", 0.0}}),
      pipeline(2, {"AAPL"}, {{"news", "5m", 10.0}, {"mock", "1h", 0.0}}),
      pipeline(3, {"AAPL"}, {{"mock", "1h", 0.0}})});
  EXPECT_THAT(
      misses(index, signal("news", "1h", {said("AAPL", 50)})),
      ElementsAre("1 AAPL below_confidence", "2 AAPL wrong_timeframe", "3 AAPL no_subscription"));
}

TEST(PipelineIndex, APipelineIsNamedOnceHoweverManySubscriptionsAgree) {
  const PipelineIndex index(std::vector{pipeline(1, {"AAPL", "AAPL"},
                                                 {{"news", "", 80.0},
                                                  {"news", "1h", 50.0},
                                                  {"news", "1h", 60.0},
                                                  {"news", "", 90.0},
                                                  {"news", "5m", std::nullopt}}),
                                        pipeline(1, {"MSFT"})});
  EXPECT_EQ(index.size(), 1U);
  EXPECT_EQ(index.posting_count(), 1U);
  EXPECT_THAT(matches(index, signal("news", "1h", {said("AAPL", 95)})), ElementsAre("1 AAPL"));
  EXPECT_THAT(matches(index, signal("news", "1h", {said("AAPL", 55)})), ElementsAre("1 AAPL"));
  EXPECT_THAT(matches(index, signal("news", "", {said("AAPL", 95)})), ElementsAre("1 AAPL"));
  EXPECT_THAT(matches(index, signal("news", "", {said("AAPL", 5)})), ElementsAre("1 AAPL"));
  EXPECT_THAT(misses(index, signal("news", "1h", {said("AAPL", 45)})),
              ElementsAre("1 AAPL below_confidence"));
}

TEST(PipelineIndex, OfARepeatedTickerTheFirstCounts) {
  const PipelineIndex index(std::vector{pipeline(1, {"AAPL"}, {{"news", "", 50.0}})});
  const TradingSignal low_first = signal("news", "", {said("AAPL", 10), said("AAPL", 90)});
  EXPECT_THAT(matches(index, low_first), IsEmpty());
  EXPECT_THAT(misses(index, low_first), ElementsAre("1 AAPL below_confidence"));
  std::vector<Match> found;
  index.match(signal("news", "", {said("AAPL", 90), said("AAPL", 95)}), {}, found);
  EXPECT_THAT(found, ElementsAre(Match{PipelineNumber{0}, 0}));
}

TEST(PipelineIndex, ASignalOfManyTickersNamesEachOnceToo) {
  std::vector<std::string> tickers;
  for (int number = 0; number < 50; ++number) tickers.push_back("T" + std::to_string(number));
  const PipelineIndex index(std::vector{pipeline(1, tickers)});
  TradingSignal many = signal("news", "", {});
  std::vector<std::string> expected;
  for (int round = 0; round < 3; ++round) {
    for (int number = 49; number >= 0; --number) {
      many.tickers.push_back(said(tickers[static_cast<std::size_t>(number)]));
      if (round == 0) expected.push_back("1 T" + std::to_string(number));
    }
  }
  EXPECT_EQ(matches(index, many), expected);
}

TEST(PipelineIndex, TheSendersRoutingHoldsForTheTickersThatItNames) {
  const PipelineIndex index(
      std::vector{pipeline(1, {"AAPL", "MSFT", "TSLA"}), pipeline(2, {"AAPL", "MSFT", "TSLA"})});
  TradingSignal routed = signal("news", "", {said("AAPL"), said("MSFT"), said("TSLA")});
  routed.routing = {{.ticker = "AAPL", .pipelines = {uuid(2), uuid(99)}},
                    {.ticker = "TSLA", .pipelines = {}}};
  EXPECT_THAT(matches(index, routed), ElementsAre("2 AAPL", "1 MSFT", "2 MSFT"));
  EXPECT_THAT(misses(index, routed),
              ElementsAre("1 AAPL not_routed", "1 TSLA not_routed", "2 TSLA not_routed"));
}

TEST(PipelineIndex, ABacktestRunsOnlyWhereItIsAllowed) {
  const PipelineIndex index(std::vector{pipeline(1, {"AAPL"}), pipeline(2, {"AAPL", "MSFT"})});
  TradingSignal backtest = signal("news", "", {said("AAPL")});
  backtest.backtest.run_id = "run";
  EXPECT_THAT(matches(index, backtest), IsEmpty());
  EXPECT_THAT(misses(index, backtest), ElementsAre("1 AAPL backtest_off", "2 AAPL backtest_off"));
  const MatchRules allowed{.allow_backtest = true};
  EXPECT_THAT(matches(index, backtest, allowed), ElementsAre("1 AAPL", "2 AAPL"));
  EXPECT_THAT(misses(index, backtest, allowed), IsEmpty());
}

TEST(PipelineIndex, ABacktestThatNamesAPipelineGetsNoFurtherThanThatOneWouldLetIt) {
  const PipelineIndex index(
      std::vector{pipeline(1, {"AAPL"}), pipeline(2, {"AAPL", "MSFT"}, {{"news", "", 50.0}})});
  const MatchRules allowed{.allow_backtest = true};
  const std::string second = to_text(uuid(2));
  TradingSignal backtest = signal("news", "", {said("AAPL", 60), said("MSFT", 40), said("TSLA")});
  backtest.backtest.pipeline_id = second;
  EXPECT_THAT(matches(index, backtest, allowed), ElementsAre("2 AAPL"));
  EXPECT_THAT(misses(index, backtest, allowed),
              ElementsAre("1 AAPL not_routed", "2 MSFT below_confidence"));
  backtest.backtest.pipeline_id = "not a uuid";
  EXPECT_THAT(matches(index, backtest, allowed), IsEmpty());
  EXPECT_THAT(misses(index, backtest, allowed),
              ElementsAre("1 AAPL not_routed", "2 AAPL not_routed", "2 MSFT not_routed"));
}

TEST(PipelineIndex, APipelineWithoutOwnerMatchesForTheServiceToSettle) {
  Pipeline orphan = pipeline(1, {"AAPL"});
  orphan.user.reset();
  const PipelineIndex index(std::vector{orphan});
  EXPECT_THAT(matches(index, signal("news", "", {said("AAPL")})), ElementsAre("1 AAPL"));
}

TEST(PipelineIndex, WhatStoodInTheListBeforeStaysThere) {
  const PipelineIndex index(std::vector{pipeline(1, {"AAPL"})});
  TradingSignal one = signal("news", "", {said("AAPL")});
  const Match before{PipelineNumber{4}, 4};
  std::vector<Match> found{before};
  index.match(one, {}, found);
  EXPECT_THAT(found, ElementsAre(before, Match{PipelineNumber{0}, 0}));
  one.routing = {{.ticker = "AAPL", .pipelines = {uuid(2)}}};
  index.match(one, {}, found);
  EXPECT_THAT(found, ElementsAre(before, Match{PipelineNumber{0}, 0}));
}

TEST(PipelineIndex, AThousandPipelinesOfSixtyThreeTickersTakeLessThanAMegabyte) {
  // Every ticker is watched by three.
  std::vector<Pipeline> pipelines;
  for (unsigned number = 0; number < 1'000; ++number) {
    Pipeline one = pipeline(0, {}, {{"type " + std::to_string(number % 40), "1h", 80.0}});
    one.id.bytes[0] = static_cast<std::uint8_t>(number >> 8U);
    one.id.bytes[1] = static_cast<std::uint8_t>(number);
    for (unsigned place = 0; place < 63; ++place) {
      one.tickers.push_back("T" + std::to_string((number * 63 + place) % 21'000));
    }
    pipelines.push_back(std::move(one));
  }
  const PipelineIndex index(pipelines);
  EXPECT_EQ(index.posting_count(), 63'000U);
  EXPECT_EQ(index.ticker_count(), 21'000U);
  EXPECT_LE(index.memory_bytes(), 1'000'000U);
}

}  // namespace
}  // namespace signalbox
