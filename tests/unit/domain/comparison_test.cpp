#include "domain/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr EventTime kNoon{milliseconds{1'600'000'000'000}};
constexpr const char* kTopic = "market.data.btcusdc.1m";
constexpr const char* kChannel = "roottrading:market:data:btcusdc:1m";
const CandleKey kKey{kNoon, "BTCUSDC", "1m"};

JsonMembers candle_fields(const char* close = "101.5") {
  return {{"time", "1600000000000"},
          {"close_time", "1600000059999"},
          {"close", close},
          {"is_closed", "true"}};
}

Published candle(const char* close = "101.5") {
  return {.channel = kChannel, .topic = kTopic, .fields = candle_fields(close)};
}

Published order(const char* id, milliseconds logged_after = {}) {
  return {.channel = "roottrading:trade:order",
          .topic = "orders",
          .fields = {{"client_order_id", id}},
          .logged_at = kNoon + logged_after};
}

Published in_margin(Published message) {
  message.place = Place::Margin;
  return message;
}

Published with(Published message, const char* name, const char* value) {
  message.fields[name] = value;
  return message;
}

Published without(Published message, const char* name) {
  message.fields.erase(name);
  return message;
}

CandleRow row(const char* close, std::optional<bool> is_closed = {}) {
  return {.columns = {{"close", close}}, .is_closed = is_closed};
}

std::uint64_t messages(const Comparison& result) { return result.agree[0]; }
std::uint64_t candles(const Comparison& result) { return result.agree[1]; }

MATCHER_P2(Is, verdict, cause, "") { return arg.verdict == verdict && arg.cause == cause; }

TEST(Comparison, AgreesWhereFieldsAndRoutingAre) {
  const Comparison result = compare({.original = {candle()}, .shadow = {candle()}});
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(messages(result), 1);
}

TEST(Comparison, NamesTheFieldsOfOneCandleThatDiffer) {
  const Comparison result =
      compare({.original = {candle("101.5")}, .shadow = {with(candle("101.25"), "volume", "3")}});
  ASSERT_THAT(result.findings, ElementsAre(Is(Verdict::Differ, Cause::Unexplained)));
  EXPECT_EQ(result.findings.front().what, "close 101.5 | 101.25, volume - | 3");
}

TEST(Comparison, ComparesTheRoutingNote) {
  Published original = candle();
  Published shadow = candle();
  original.routing = {{"priority", "\"normal\""}};
  shadow.routing = {{"priority", "\"high\""}};
  const Comparison result = compare({.original = {original}, .shadow = {shadow}});
  ASSERT_THAT(result.findings, ElementsAre(Is(Verdict::Differ, Cause::Unexplained)));
  EXPECT_EQ(result.findings.front().what, "_routing.priority \"normal\" | \"high\"");
}

TEST(Comparison, JudgesOnlyWhatIsInsideAndMatchesItWithTheMargin) {
  const Comparison result = compare({.original = {in_margin(candle()), candle("1.0")},
                                     .shadow = {in_margin(candle("1.0")), in_margin(order("a"))}});
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(messages(result), 1);
}

TEST(Comparison, DoesNotExplainWhatOneSideAlonePublished) {
  const Comparison result = compare({.original = {candle()}, .shadow = {order("a")}});
  EXPECT_THAT(result.findings, ElementsAre(Is(Verdict::OnlyOriginal, Cause::Unexplained),
                                           Is(Verdict::OnlyShadow, Cause::Unexplained)));
}

TEST(Comparison, KnowsThatTheOriginalDropsSignals) {
  for (const char* topic : {"signals", "analyzer.signals", "signals.filtered"}) {
    const Published signal{.channel = "roottrading:signals", .topic = topic, .fields = {}};
    const Comparison result = compare({.original = {}, .shadow = {signal}});
    EXPECT_THAT(result.findings, ElementsAre(Is(Verdict::OnlyShadow, Cause::SignalsDropped)));
  }
}

TEST(Comparison, KnowsThatTheOriginalTakesTwoOrdersWithinASecondForOne) {
  const Comparison result =
      compare({.original = {order("a")}, .shadow = {order("a"), order("b", milliseconds{400})}});
  EXPECT_THAT(result.findings, ElementsAre(Is(Verdict::OnlyShadow, Cause::OriginalDedup)));
}

TEST(Comparison, DoesNotBlameARepeatOnAnOrderOfLongBefore) {
  const Comparison result =
      compare({.original = {order("a")}, .shadow = {order("a"), order("b", milliseconds{5'000})}});
  EXPECT_THAT(result.findings, ElementsAre(Is(Verdict::OnlyShadow, Cause::Unexplained)));
}

TEST(Comparison, DoesNotBlameARepeatOnAnOrderThatTheOriginalDidNotPublishEither) {
  const Comparison result =
      compare({.original = {}, .shadow = {order("a"), order("b", milliseconds{400})}});
  EXPECT_THAT(result.findings, ElementsAre(Is(Verdict::OnlyShadow, Cause::Unexplained),
                                           Is(Verdict::OnlyShadow, Cause::Unexplained)));
}

TEST(Comparison, CandlesWithoutCloseTimeRepeatWhereTheirCloseIsEqual) {
  Published first = without(candle(), "close_time");
  first.logged_at = kNoon;
  Published second = with(first, "time", "1600000060000");
  Published other = with(with(first, "time", "1600000120000"), "close", "7.0");
  const Comparison result =
      compare({.original = {first},
               .shadow = {first, second, other},
               .candles = {{.key = {kNoon + milliseconds{60'000}, "BTCUSDC", "1m"},
                            .original = {},
                            .shadow = row("101.5", true)}}});
  EXPECT_THAT(result.findings, ElementsAre(Is(Verdict::OnlyShadow, Cause::OriginalDedup),
                                           Is(Verdict::OnlyShadow, Cause::Unexplained),
                                           Is(Verdict::OnlyShadow, Cause::OriginalDedup)));
}

TEST(Comparison, HourAndDayHaveAChannelOfTheirOwnBesideTheOld) {
  Published old = candle();
  old.topic = "market.data.btcusdc.1h";
  old.channel = "roottrading:market:data:btcusdc";
  Published own = old;
  own.channel = "roottrading:market:data:btcusdc:1h";
  EXPECT_THAT(compare({.original = {old}, .shadow = {own, old}}).findings,
              ElementsAre(Is(Verdict::OnlyShadow, Cause::OwnChannel)));
  EXPECT_THAT(compare({.original = {}, .shadow = {own, old}}).findings,
              ElementsAre(Is(Verdict::OnlyShadow, Cause::OwnChannel),
                          Is(Verdict::OnlyShadow, Cause::Unexplained)));
}

TEST(Comparison, AnUnknownTimeframeIsExplained) {
  Published message = candle();
  message.topic = "market.data.btcusdc.4h";
  EXPECT_THAT(compare({.original = {message}, .shadow = {}}).findings,
              ElementsAre(Is(Verdict::OnlyOriginal, Cause::UnknownTimeframe)));
}

TEST(Comparison, ARejectExplainsExactlyItsMessage) {
  RefusedMessage letter{"shadow-redis", kTopic, "high_below_low", candle_fields("1.0")};
  const Published added = with(candle("1.0"), "symbol", "\"btcusdc\"");
  const Comparison result =
      compare({.original = {added, candle("2.0")}, .shadow = {}, .refused = {letter}});
  ASSERT_THAT(result.findings, ElementsAre(Is(Verdict::OnlyOriginal, Cause::RejectedHere),
                                           Is(Verdict::OnlyOriginal, Cause::Unexplained)));
  EXPECT_EQ(result.findings.front().what, "high_below_low");
  letter.lane = "shadow-postgres";  // refused a row; it was published all the same
  EXPECT_THAT(compare({.original = {added}, .shadow = {}, .refused = {letter}}).findings,
              ElementsAre(Is(Verdict::OnlyOriginal, Cause::Unexplained)));
}

TEST(Comparison, TheOriginalMayPublishTwice) {
  const Comparison result = compare({.original = {candle(), candle()}, .shadow = {candle()}});
  EXPECT_EQ(messages(result), 1);
  EXPECT_THAT(result.findings, ElementsAre(Is(Verdict::OnlyOriginal, Cause::OriginalRepeated)));
}

TEST(Comparison, ARepeatInTheLogIsMatchedOneByOne) {
  const Comparison result =
      compare({.original = {candle(), candle()}, .shadow = {candle(), candle()}});
  EXPECT_EQ(messages(result), 2);
  EXPECT_THAT(result.findings, IsEmpty());
}

TEST(Comparison, AStreamThatIsTooShortIsSaidToBe) {
  EXPECT_THAT(
      compare({.original = {candle()}, .shadow = {}, .trimmed_channels = {kChannel}}).findings,
      ElementsAre(Is(Verdict::OnlyOriginal, Cause::StreamTrimmed)));
}

Finding only_finding(const Observation& seen) {
  const Comparison result = compare(seen);
  EXPECT_EQ(result.findings.size(), 1);
  return result.findings.empty() ? Finding{} : result.findings.front();
}

TEST(Comparison, EqualRowsAgreeAndMissingOnesAreNoCandle) {
  const Comparison result = compare(
      {.original = {},
       .shadow = {},
       .candles = {{.key = kKey, .original = row("1"), .shadow = row("1", true)}, {.key = kKey}}});
  EXPECT_EQ(candles(result), 1);
  EXPECT_THAT(result.findings, IsEmpty());
}

TEST(Comparison, ADifferentRowIsShownColumnByColumn) {
  const Finding finding =
      only_finding({.original = {candle()},
                    .shadow = {candle()},
                    .candles = {{.key = kKey, .original = row("1"), .shadow = row("2", true)}}});
  EXPECT_THAT(finding, Is(Verdict::Differ, Cause::Unexplained));
  EXPECT_EQ(finding.what, "close 1 | 2");
  EXPECT_EQ(finding.where, "BTCUSDC 1m time 1600000000000");
}

TEST(Comparison, AnOpenCandleOverAClosedOneIsExplainedOnlyWhereOneWasSeen) {
  const Published open = with(candle(), "is_closed", "false");
  const CandlePair pair{.key = kKey, .original = row("1"), .shadow = row("2", true)};
  EXPECT_THAT(only_finding({.original = {open}, .shadow = {open}, .candles = {pair}}),
              Is(Verdict::Differ, Cause::OpenOverClosed));
  EXPECT_THAT(only_finding({.original = {candle()}, .shadow = {candle()}, .candles = {pair}}),
              Is(Verdict::Differ, Cause::Unexplained));
}

TEST(Comparison, TimesThatTheOriginalDoesNotStoreAreExplained) {
  const CandlePair pair{.key = kKey, .original = {}, .shadow = row("2", true)};
  const Published as_float = with(candle(), "time", "1600000000000.0");
  const Published as_start = with(without(candle(), "time"), "start_time", "1600000000000");
  for (const Published& message : {as_float, as_start}) {
    EXPECT_THAT(only_finding({.original = {message}, .shadow = {message}, .candles = {pair}}),
                Is(Verdict::OnlyShadow, Cause::TimeNotRead));
  }
}

TEST(Comparison, APublishedCandleWithoutARowIsAnInsertThatFailed) {
  const CandlePair missing{.key = kKey, .original = {}, .shadow = row("2", true)};
  const CandlePair agreeing{
      .key = {kNoon, "ETHUSDC", "1m"}, .original = row("1"), .shadow = row("1", true)};
  EXPECT_THAT(
      only_finding({.original = {candle()}, .shadow = {candle()}, .candles = {missing, agreeing}}),
      Is(Verdict::OnlyShadow, Cause::OriginalNotStored));
  // Where no row is there at all, we are likely to look into another table.
  EXPECT_THAT(only_finding({.original = {candle()}, .shadow = {candle()}, .candles = {missing}}),
              Is(Verdict::OnlyShadow, Cause::Unexplained));
}

TEST(Comparison, ACandleThatNobodyPublishedMeanwhileIsFromBefore) {
  EXPECT_THAT(only_finding({.original = {},
                            .shadow = {},
                            .candles = {{.key = kKey, .original = {}, .shadow = row("2", true)}}}),
              Is(Verdict::OnlyShadow, Cause::BeforeInterval));
}

TEST(Comparison, ARowThatWeRefusedIsExplainedByItsLetter) {
  const RefusedMessage letter{"shadow-postgres", kTopic, "missing_field", candle_fields()};
  const CandlePair pair{.key = kKey, .original = row("1"), .shadow = {}};
  const Finding finding = only_finding(
      {.original = {candle()}, .shadow = {candle()}, .refused = {letter}, .candles = {pair}});
  EXPECT_THAT(finding, Is(Verdict::OnlyOriginal, Cause::RejectedHere));
  EXPECT_EQ(finding.what, "missing_field");
  EXPECT_THAT(only_finding({.original = {candle()}, .shadow = {candle()}, .candles = {pair}}),
              Is(Verdict::OnlyOriginal, Cause::Unexplained));
}

TEST(Comparison, TheCandlesToLookUpAreThoseInsideByTopicAndTime) {
  const Published iso = with(candle(), "time", "\"2020-09-13T12:26:40+00:00\"");
  Published legacy = with(candle(), "timeframe", "\"5m\"");
  legacy.topic = "market.data.ethusdc";
  Published bare = candle();
  bare.topic = "market.data.solusdc";
  const Published seconds = with(candle(), "time", "1600000000");
  const Published far = in_margin(with(candle(), "time", "1700000000000"));
  EXPECT_THAT(candle_keys({.original = {candle(), iso, legacy, far},
                           .shadow = {order("a"), bare, seconds, without(candle(), "time")}}),
              testing::UnorderedElementsAre(
                  kKey, CandleKey{kNoon, "ETHUSDC", "5m"}, CandleKey{kNoon, "SOLUSDC", "1m"},
                  CandleKey{EventTime{milliseconds{1'600'000'000}}, "BTCUSDC", "1m"}));
}

}  // namespace
}  // namespace signalbox
