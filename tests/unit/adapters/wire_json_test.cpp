#include "adapters/wire_json.hpp"

#include <ostream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "domain/dead_letter.hpp"
#include "unit/adapters/payloads.hpp"

namespace signalbox {

[[maybe_unused]] static void PrintTo(const Reject& reject, std::ostream* out) {
  *out << name_of(reject.reason) << ": " << reject.detail;
}

namespace {

using std::chrono::milliseconds;

constexpr EventTime kOpen{milliseconds{1'761'573'360'000}};
constexpr ReceivedAt kNow = kOpen + std::chrono::minutes{1};

constexpr std::string_view kMinuteTopic = "market.data.btcusdc.1m";
constexpr std::string_view kLegacyTopic = "market.data.btcusdc";

/// Reads one payload as a message of `topic`.
std::expected<Facts, Reject> read(std::string_view topic, std::string_view payload) {
  JsonPayloadReader reader;
  return reader.read(
      route_for(topic).value(),
      Message{.offset = Offset{7}, .timestamp = kOpen, .key = {}, .payload = payload}, kNow);
}

std::expected<Facts, Reject> read_candle(std::string_view payload) {
  return read(kMinuteTopic, payload);
}

const CandleFields& candle(const std::expected<Facts, Reject>& facts) {
  return std::get<CandleFields>(facts.value().record);
}

const RecordFields& record(const std::expected<Facts, Reject>& facts) {
  return std::get<RecordFields>(facts.value().record);
}

/// The reason's name, or "accepted". Every detail is also checked for what a detail may be.
std::string verdict(const std::expected<Facts, Reject>& facts) {
  if (facts) return "accepted";
  EXPECT_FALSE(facts.error().detail.empty());
  EXPECT_LE(facts.error().detail.size(), 200U) << facts.error().detail;
  EXPECT_FALSE(facts.error().detail.contains('\0'));
  return std::string(name_of(facts.error().reason));
}

std::string candle_verdict(std::string_view payload) { return verdict(read_candle(payload)); }

/// A candle whose field `close` has the given text.
std::string close_of(std::string_view text) { return with(kLiveCandle, "115001.37", text); }

/// A candle whose `time` has the given text.
std::string time_of(std::string_view text) { return with(kLiveCandle, "1761573360000", text); }

TEST(WireJson, ReadsALiveCandle) {
  const auto facts = read_candle(kLiveCandle);
  EXPECT_EQ(candle(facts).symbol, "BTCUSDC");
  EXPECT_EQ(candle(facts).timeframe, Timeframe::M1);
  EXPECT_EQ(candle(facts).open_time, kOpen);
  EXPECT_EQ(candle(facts).open, "114980.01");
  EXPECT_EQ(candle(facts).high, "115020.0");
  EXPECT_EQ(candle(facts).low, "114955.5");
  EXPECT_EQ(candle(facts).close, "115001.37");
  EXPECT_EQ(candle(facts).volume, "3.10254");
  EXPECT_EQ(candle(facts).quote_asset_volume, "356794.11");
  EXPECT_EQ(candle(facts).number_of_trades, "418");
  EXPECT_EQ(candle(facts).taker_buy_base_asset_volume, "1.66");
  EXPECT_EQ(candle(facts).taker_buy_quote_asset_volume, "190904.2");
  EXPECT_TRUE(candle(facts).is_closed);
  EXPECT_TRUE(facts->is_closed);
  EXPECT_TRUE(facts->has_members);
  EXPECT_TRUE(facts->has_symbol);
  EXPECT_TRUE(facts->has_timeframe);
  EXPECT_FALSE(facts->is_enriched);
  EXPECT_EQ(facts->splice_at, kLiveCandle.size() - 1);
}

TEST(WireJson, ReadsAHistoricalCandleAsTheSameCandle) {
  const auto live = read_candle(kLiveCandle);
  const auto historical = read_candle(kHistoricalCandle);
  EXPECT_EQ(candle(historical).open_time, candle(live).open_time);
  EXPECT_EQ(candle(historical).close, candle(live).close);
  EXPECT_TRUE(candle(historical).is_closed);
}

TEST(WireJson, PointsIntoThePayload) {
  const std::string payload{kLiveCandle};
  const auto facts = read_candle(payload);
  EXPECT_GE(candle(facts).close.data(), payload.data());
  EXPECT_LT(candle(facts).close.data(), payload.data() + payload.size());
}

TEST(WireJson, SplicesBeforeTheLastBraceWhateverFollows) {
  EXPECT_EQ(read_candle("{}")->splice_at, 1U);
  EXPECT_FALSE(read_candle("{}")->has_members);
  EXPECT_EQ(read_candle(" \n{ } \r\n\t")->splice_at, 4U);
  EXPECT_EQ(read_candle(R"({"a":{"b":"}"}}  )")->splice_at, 14U);
  EXPECT_TRUE(read_candle(R"({"a":1})")->has_members);
}

// The rows of what the original accepted, and what the four wrong ones are now.
TEST(AcceptanceMatrix, TimesThatAreTimes) {
  for (const char* text :
       {"1761573360000", "1761573360000.0", R"("2025-10-27T13:56:00+00:00")",
        R"("2025-10-27T13:56:00Z")", R"("2025-10-27T13:56:00")", R"("2025-10-27T14:56:00+01:00")",
        R"("2025-10-27T13:56:00.000000+00:00")", R"("2025-10-27T13:56:00\u002B00:00")"}) {
    EXPECT_EQ(candle(read_candle(time_of(text))).open_time, kOpen) << text;
  }
}

TEST(AcceptanceMatrix, StartTimeStandsInForAMissingTime) {
  EXPECT_EQ(candle(read_candle(R"({"start_time":1761573360000})")).open_time, kOpen);
  EXPECT_EQ(candle(read_candle(R"({"time":null,"start_time":1761573360000})")).open_time, kOpen);
  EXPECT_EQ(candle(read_candle(R"({"start_time":1,"time":1761573360000})")).open_time, kOpen);
  EXPECT_EQ(candle(read_candle("{}")).open_time, std::nullopt);
}

TEST(AcceptanceMatrix, TimesThatAreNot) {
  EXPECT_EQ(candle_verdict(time_of("1761573360")), "time_in_seconds");
  EXPECT_EQ(candle_verdict(time_of("1761573360.5")), "time_in_seconds");
  EXPECT_EQ(candle_verdict(time_of("1761573360000.5")), "time_malformed");
  EXPECT_EQ(candle_verdict(time_of(R"("garbage")")), "time_malformed");
  EXPECT_EQ(candle_verdict(time_of(R"("")")), "time_malformed");
  EXPECT_EQ(candle_verdict(time_of(R"("1761573360000")")), "time_malformed");
  EXPECT_EQ(candle_verdict(time_of("0")), "time_before_2009");
  EXPECT_EQ(candle_verdict(time_of("-1")), "time_before_2009");
  EXPECT_EQ(candle_verdict(time_of("1230767999999")), "time_before_2009");
  EXPECT_EQ(candle_verdict(time_of("1230768000000")), "accepted");
  EXPECT_EQ(candle_verdict(time_of("1761573360000000")), "time_in_future");
  EXPECT_EQ(candle_verdict(time_of("NaN")), "not_finite");
  EXPECT_EQ(candle_verdict(time_of("-Infinity")), "not_finite");
  EXPECT_EQ(candle_verdict(time_of("1e999")), "not_finite");
  EXPECT_EQ(candle_verdict(time_of("true")), "wrong_type");
  EXPECT_EQ(candle_verdict(time_of("[1761573360000]")), "wrong_type");
}

TEST(AcceptanceMatrix, OneDayAheadIsTheLastTime) {
  const std::int64_t last =
      std::chrono::duration_cast<milliseconds>((kNow + std::chrono::days{1}).time_since_epoch())
          .count();
  EXPECT_EQ(candle_verdict(time_of(std::to_string(last))), "accepted");
  EXPECT_EQ(candle_verdict(time_of(std::to_string(last + 1))), "time_in_future");
}

TEST(AcceptanceMatrix, NumbersMayBeStrings) {
  EXPECT_EQ(candle(read_candle(close_of(R"("115001.37")"))).close, "115001.37");
  EXPECT_EQ(candle(read_candle(close_of(R"("1.5e3")"))).close, "1.5e3");
  EXPECT_EQ(candle(read_candle(close_of("1e-400"))).close, "1e-400");
  EXPECT_EQ(candle(read_candle(close_of("null"))).close, "");
}

TEST(AcceptanceMatrix, NumbersThatAreNone) {
  EXPECT_EQ(candle_verdict(close_of("NaN")), "not_finite");
  EXPECT_EQ(candle_verdict(close_of("Infinity")), "not_finite");
  EXPECT_EQ(candle_verdict(close_of("-Infinity")), "not_finite");
  EXPECT_EQ(candle_verdict(close_of(R"("NaN")")), "not_finite");
  EXPECT_EQ(candle_verdict(close_of(R"("-inf")")), "not_finite");
  EXPECT_EQ(candle_verdict(close_of("1e309")), "not_finite");
  EXPECT_EQ(candle_verdict(close_of(R"("1e309")")), "not_finite");
  EXPECT_EQ(candle_verdict(close_of(R"("")")), "wrong_type");
  EXPECT_EQ(candle_verdict(close_of(R"("1,5")")), "wrong_type");
  EXPECT_EQ(candle_verdict(close_of(R"(" 1")")), "wrong_type");
  EXPECT_EQ(candle_verdict(close_of("true")), "wrong_type");
  EXPECT_EQ(candle_verdict(close_of("{}")), "wrong_type");
  EXPECT_EQ(candle_verdict(close_of("[1]")), "wrong_type");
}

TEST(AcceptanceMatrix, EachNumberIsCheckedUnderItsName) {
  for (const char* name :
       {"open", "high", "low", "close", "volume", "quote_asset_volume", "number_of_trades",
        "taker_buy_base_asset_volume", "taker_buy_quote_asset_volume"}) {
    const auto facts = read_candle("{\"" + std::string(name) + "\":\"many\"}");
    ASSERT_EQ(verdict(facts), "wrong_type") << name;
    EXPECT_EQ(facts.error().detail,
              "`" + std::string(name) + "` is \"many\"; a number is expected");
  }
}

TEST(AcceptanceMatrix, TradesAreCountedInWholeNumbers) {
  const auto trades = [](std::string_view text) { return with(kLiveCandle, "418", text); };
  EXPECT_EQ(candle(read_candle(trades("418.0"))).number_of_trades, "418");
  EXPECT_EQ(candle(read_candle(trades(R"("418")"))).number_of_trades, "418");
  EXPECT_EQ(candle(read_candle(trades("null"))).number_of_trades, "");
  EXPECT_EQ(candle_verdict(trades("418.5")), "wrong_type");
  EXPECT_EQ(candle_verdict(trades("4.18e2")), "wrong_type");
}

TEST(AcceptanceMatrix, HighIsNotBelowLow) {
  EXPECT_EQ(candle_verdict(R"({"high":1.0,"low":2.0})"), "high_below_low");
  EXPECT_EQ(candle_verdict(R"({"high":"1.0","low":2.0})"), "high_below_low");
  EXPECT_EQ(candle_verdict(R"({"high":9.5,"low":10})"), "high_below_low");
  EXPECT_EQ(candle_verdict(R"({"high":-2,"low":-1.5})"), "high_below_low");
  EXPECT_EQ(candle_verdict(R"({"high":1.0,"low":1})"), "accepted");
  EXPECT_EQ(candle_verdict(R"({"high":null,"low":1})"), "accepted");
  EXPECT_EQ(candle_verdict(R"({"high":1})"), "accepted");
}

TEST(AcceptanceMatrix, AnOpenCandleIsACandle) {
  EXPECT_FALSE(read_candle(with(kLiveCandle, "true", "false"))->is_closed);
  EXPECT_FALSE(read_candle(with(kLiveCandle, "true", "null"))->is_closed);
  EXPECT_EQ(candle_verdict(with(kLiveCandle, "true", "1")), "wrong_type");
  EXPECT_EQ(candle_verdict(with(kLiveCandle, "true", R"("true")")), "wrong_type");
}

TEST(AcceptanceMatrix, TheTopicsSymbolCounts) {
  EXPECT_EQ(candle(read_candle(with(kLiveCandle, "BTCUSDC", "ETHUSDC"))).symbol, "BTCUSDC");
  EXPECT_EQ(candle(read_candle(with(kLiveCandle, R"("BTCUSDC")", "null"))).symbol, "BTCUSDC");
  EXPECT_EQ(candle_verdict(with(kLiveCandle, "BTCUSDC", "BTC\\u0055SDC")), "accepted");
  EXPECT_EQ(candle_verdict(with(kLiveCandle, "BTCUSDC", "BTC/USDC")), "malformed_symbol");
  EXPECT_EQ(candle_verdict(with(kLiveCandle, "BTCUSDC", "")), "malformed_symbol");
  EXPECT_EQ(candle_verdict(with(kLiveCandle, "BTCUSDC", std::string(20, 'A'))), "accepted");
  EXPECT_EQ(candle_verdict(with(kLiveCandle, "BTCUSDC", std::string(21, 'A'))), "malformed_symbol");
  EXPECT_EQ(candle_verdict(with(kLiveCandle, R"("BTCUSDC")", "7")), "wrong_type");
}

TEST(AcceptanceMatrix, TheLegacyTopicTakesItsTimeframeFromThePayload) {
  EXPECT_EQ(candle(read(kLegacyTopic, kLiveCandle)).timeframe, Timeframe::M1);
  EXPECT_EQ(candle(read(kLegacyTopic, R"({"timeframe":"1h"})")).timeframe, Timeframe::H1);
  EXPECT_EQ(candle(read(kLegacyTopic, "{}")).timeframe, Timeframe::M1);
  EXPECT_EQ(candle(read(kLegacyTopic, R"({"timeframe":null})")).timeframe, Timeframe::M1);
  EXPECT_EQ(verdict(read(kLegacyTopic, R"({"timeframe":"4h"})")), "unknown_timeframe");
  EXPECT_EQ(verdict(read(kLegacyTopic, R"({"timeframe":60})")), "wrong_type");
}

TEST(AcceptanceMatrix, TheTopicsTimeframeOutranksThePayloads) {
  EXPECT_EQ(candle(read_candle(R"({"timeframe":"4h"})")).timeframe, Timeframe::M1);
}

TEST(WireJson, KnowsEnrichedCandlesByTheirIndicators) {
  for (const char* name : {"rsi_14", "ema_12", "macd_line", "bb_upper"}) {
    EXPECT_TRUE(read_candle("{\"" + std::string(name) + "\":null}")->is_enriched) << name;
  }
  EXPECT_FALSE(read_candle(R"({"rsi_15":1,"nested":{"rsi_14":1}})")->is_enriched);
}

TEST(WireJson, TheLastOfRepeatedKeysCounts) {
  const auto facts = read_candle(R"({"close":"rubbish","close":1.5,"time":3,"time":null})");
  EXPECT_EQ(candle(facts).close, "1.5");
  EXPECT_EQ(candle(facts).open_time, std::nullopt);
  EXPECT_EQ(candle_verdict(R"({"close":1.5,"close":"rubbish"})"), "wrong_type");
}

TEST(WireJson, ReadsEscapedKeys) {
  EXPECT_EQ(candle(read_candle(R"({"cl\u006fse":1.5})")).close, "1.5");
  EXPECT_EQ(candle(read_candle(R"({"cl\u006fse":1.5,"x":{"\u0061":1}})")).close, "1.5");
}

TEST(WireJson, PassesUncheckedNumbersThatAreNone) {
  EXPECT_EQ(candle_verdict(R"({"atr":NaN,"natr":Infinity,"roc":-Infinity})"), "accepted");
  EXPECT_EQ(candle_verdict(R"({"metadata":{"a":[NaN,{"b":-Infinity}]}})"), "accepted");
  EXPECT_EQ(candle_verdict(R"({"atr":nan})"), "not_json");
  EXPECT_EQ(candle_verdict(R"({"atr":+Infinity})"), "not_json");
  EXPECT_EQ(candle_verdict(R"({"atr":-NaN})"), "not_json");
  EXPECT_EQ(candle_verdict(R"({"atr":NaNs})"), "not_json");
}

TEST(WireJson, ReadsAFilteredSignal) {
  const auto facts = read("signals.filtered", kFilteredSignal);
  EXPECT_EQ(record(facts).strategy, "CONSENSUS");
  EXPECT_EQ(record(facts).symbol, "ETHUSDC");
  EXPECT_EQ(record(facts).side, "BUY");
  EXPECT_EQ(record(facts).event_time, EventTime{milliseconds{1'761'573'432'480}});
  EXPECT_EQ(record(facts).price, "4120.55");
  EXPECT_EQ(record(facts).confidence, "0.74");
  EXPECT_EQ(record(facts).strength, std::nullopt);
  EXPECT_TRUE(facts->has_symbol);
  EXPECT_FALSE(facts->has_timeframe);
  EXPECT_EQ(facts->splice_at, kFilteredSignal.size() - 1);
}

TEST(WireJson, ReadsAnExecution) {
  const auto facts = read("executions", kExecution);
  EXPECT_EQ(record(facts).order_id, "28457");
  EXPECT_EQ(record(facts).status, "FILLED");
  EXPECT_EQ(record(facts).quantity, "0.0036");
  EXPECT_EQ(record(facts).event_time, EventTime{milliseconds{1'761'573'421'120}});
}

TEST(WireJson, ReadsAnOrder) {
  const auto facts = read("orders", kOrder);
  EXPECT_EQ(record(facts).client_order_id, "order_5c0e12");
  EXPECT_EQ(record(facts).price, "");
  EXPECT_EQ(record(facts).event_time, std::nullopt);
}

TEST(WireJson, TakesAnOrderIdAsTextOrInteger) {
  EXPECT_EQ(record(read("executions", R"({"order_id":28457})")).order_id, "28457");
  EXPECT_EQ(record(read("executions", R"({"order_id":null})")).order_id, std::nullopt);
  EXPECT_EQ(verdict(read("executions", R"({"order_id":28457.5})")), "wrong_type");
  EXPECT_EQ(verdict(read("executions", R"({"order_id":true})")), "wrong_type");
}

TEST(WireJson, TakesTheTimeOfARecordInSecondsOrMilliseconds) {
  for (const char* text : {"1761573360", "1761573360.0", "1761573360000", R"("1761573360")",
                           R"("2025-10-27T13:56:00")"}) {
    const auto facts = read("signals", "{\"timestamp\":" + std::string(text) + "}");
    EXPECT_EQ(record(facts).event_time, kOpen) << text;
  }
  EXPECT_EQ(verdict(read("signals", R"({"timestamp":1230767999})")), "time_before_2009");
  EXPECT_EQ(verdict(read("signals", R"({"timestamp":1230768000})")), "accepted");
  EXPECT_EQ(verdict(read("signals", R"({"timestamp":1761700000})")), "time_in_future");
  EXPECT_EQ(verdict(read("signals", R"({"timestamp":"soon"})")), "time_malformed");
  EXPECT_EQ(verdict(read("signals", R"({"timestamp":{}})")), "wrong_type");
}

TEST(WireJson, ChecksTheSymbolOfARecord) {
  const auto of = [](std::string_view symbol) {
    return verdict(read("orders", "{\"symbol\":\"" + std::string(symbol) + "\"}"));
  };
  EXPECT_EQ(of("BTC/USDC:PERP-25.12_x"), "accepted");
  EXPECT_EQ(of(std::string(40, 'A')), "accepted");
  EXPECT_EQ(of(std::string(41, 'A')), "malformed_symbol");
  EXPECT_EQ(of(""), "malformed_symbol");
  EXPECT_EQ(of("BTC USDC"), "malformed_symbol");
  EXPECT_EQ(of("BTC\\n"), "malformed_symbol");
  EXPECT_EQ(of("Ü"), "malformed_symbol");
  EXPECT_EQ(verdict(read("orders", R"({"symbol":7})")), "wrong_type");
}

TEST(WireJson, ChecksTheNumbersOfARecord) {
  for (const std::string name : {"price", "quantity", "confidence"}) {
    EXPECT_EQ(verdict(read("signals", "{\"" + name + "\":NaN}")), "not_finite") << name;
    EXPECT_EQ(verdict(read("signals", "{\"" + name + "\":\"0.5\"}")), "accepted") << name;
    EXPECT_EQ(verdict(read("signals", "{\"" + name + "\":\"x\"}")), "wrong_type") << name;
    EXPECT_EQ(verdict(read("signals", "{\"" + name + "\":1e999}")), "not_finite") << name;
  }
}

TEST(WireJson, KeepsNulCharactersOutOfColumnsOnly) {
  EXPECT_EQ(verdict(read("signals", R"({"strategy":"a\u0000b"})")), "wrong_type");
  EXPECT_EQ(verdict(read("signals", R"({"reason":"a\u0000b"})")), "accepted");
}

TEST(WireJson, BoundsTextThatBecomesAColumn) {
  const auto of = [](std::size_t size) {
    return verdict(read("signals", "{\"strategy\":\"" + std::string(size, 's') + "\"}"));
  };
  EXPECT_EQ(of(JsonPayloadReader::kColumnTextMax), "accepted");
  EXPECT_EQ(of(JsonPayloadReader::kColumnTextMax + 1), "wrong_type");
}

TEST(WireJson, ResolvesEscapesInColumns) {
  const auto facts = read("signals", R"({"strategy":"a\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00"})");
  EXPECT_EQ(record(facts).strategy, "a\"\\/\b\f\n\r\té€😀");
}

TEST(WireJson, RefusesATombstone) { EXPECT_EQ(candle_verdict(std::string_view{}), "tombstone"); }

TEST(WireJson, TakesTwoMillionBytesAndNotOneMore) {
  std::string payload = R"({"source":"")" + std::string(1, '}');
  payload.insert(payload.size() - 2, 2'000'000 - payload.size(), 'x');
  ASSERT_EQ(payload.size(), 2'000'000U);
  EXPECT_EQ(candle_verdict(payload), "accepted");
  EXPECT_EQ(read_candle(payload)->splice_at, 1'999'999U);
  payload.insert(payload.size() - 2, 1, 'x');
  EXPECT_EQ(candle_verdict(payload), "too_large");
}

TEST(WireJson, TakesTwoMillionBytesOfNothingButStructure) {
  std::string payload = "{\"a\":[0";
  while (payload.size() + 4 <= kMaxPayloadBytes) payload += ",0";
  payload += "]}";
  EXPECT_EQ(candle_verdict(payload), "accepted");
}

TEST(WireJson, CopiesADeadLetterByItsHeadersAlone) {
  const DeadLetter letter{.lane = "redis",
                          .source = {"market.data.btcusdc.1m", 2},
                          .offset = Offset{41},
                          .timestamp = kOpen,
                          .rejected_at = kOpen,
                          .reject = {RejectReason::NotJson, "found `x`"},
                          .key = {},
                          .payload = "\xFF not JSON"};
  JsonPayloadReader reader;
  const Route route = route_for("signalbox.dead-letters").value();
  const Message message{.offset = Offset{0},
                        .timestamp = kOpen,
                        .key = {},
                        .payload = letter.payload,
                        .headers = dead_letter_headers(letter)};
  const auto facts = reader.read(route, message, kNow);
  const auto& fields = std::get<DeadLetterFields>(facts.value().record);
  EXPECT_EQ(fields.reason, "not_json");
  EXPECT_EQ(fields.offset, Offset{41});
  const Message headless{.offset = Offset{1}, .timestamp = kOpen, .key = {}, .payload = "{}"};
  EXPECT_EQ(verdict(reader.read(route, headless, kNow)), "malformed_replay");
}

}  // namespace
}  // namespace signalbox
