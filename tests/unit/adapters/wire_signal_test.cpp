#include "adapters/wire_signal.hpp"

#include <ostream>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/signal_metadata.hpp"
#include "unit/adapters/payloads.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr EventTime kSent{milliseconds{1'733'407'800'000}};
constexpr ReceivedAt kNow = kSent + std::chrono::minutes{1};

constexpr std::string_view kSwing = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
constexpr std::string_view kDaily = "16fd2706-8baf-433b-82eb-8c7fada847da";

/// As the generator writes it.
constexpr std::string_view kSignal =
    R"({"signal_id": "550e8400-e29b-41d4-a716-446655440000", "signal_type": "golden_cross", )"
    R"("source": "golden_cross_generator", "timestamp": 1733407800, "tickers": [{"ticker": "AAPL", )"
    R"("signal": "BULLISH", "confidence": 85.0, "reasoning": "Golden cross detected: …"}], )"
    R"("metadata": {"sma_short": 50, "sma_long": 200, "timeframe": "D", )"
    R"("current_sma_short": 190.12, "current_price": null, "lookback_days": 5, )"
    R"("ticker_pipelines": {"AAPL": [{"pipeline_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", )"
    R"("pipeline_name": "Swing", "scanner_id": "x", "scanner_name": "Megacaps"}]}}})";

constexpr std::string_view kTickers =
    R"([{"ticker": "AAPL", "signal": "BULLISH", "confidence": 85.0, )"
    R"("reasoning": "Golden cross detected: …"}])";

constexpr std::string_view kMetadata =
    R"({"sma_short": 50, "sma_long": 200, "timeframe": "D", )"
    R"("current_sma_short": 190.12, "current_price": null, "lookback_days": 5, )"
    R"("ticker_pipelines": {"AAPL": [{"pipeline_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", )"
    R"("pipeline_name": "Swing", "scanner_id": "x", "scanner_name": "Megacaps"}]}})";

/// A signal that was read, with the payload that it borrows from, in a buffer of its exact size.
struct Read {
  explicit Read(std::string_view text) : payload(text.begin(), text.end()) {
    reject = SignalReader{}.read_signal({payload.data(), payload.size()}, kNow, signal);
  }

  std::vector<char> payload;
  TradingSignal signal;
  std::optional<Reject> reject;

  /// The reason's name, or "accepted".
  std::string verdict() const {
    if (!reject) return "accepted";
    EXPECT_FALSE(reject->detail.empty());
    EXPECT_LE(reject->detail.size(), 200U) << reject->detail;
    return std::string(name_of(reject->reason));
  }
};

Read with_tickers(std::string_view text) { return Read{with(kSignal, kTickers, text)}; }
Read with_metadata(std::string_view text) { return Read{with(kSignal, kMetadata, text)}; }

std::string metadata_of(std::string_view metadata) {
  const Read read = with_metadata(metadata);
  EXPECT_EQ(read.verdict(), "accepted");
  return std::string(read.signal.metadata);
}

std::string confidence_of(std::string_view text) {
  const Read read{with(kSignal, "85.0", text)};
  EXPECT_EQ(read.verdict(), "accepted");
  const SignalTicker& ticker = read.signal.tickers.at(0);
  return ticker.confidence ? std::to_string(*ticker.confidence) : "absent";
}

TEST(WireSignal, ReadsWhatTheGeneratorWrites) {
  const Read read{kSignal};
  ASSERT_EQ(read.verdict(), "accepted");
  const TradingSignal& signal = read.signal;
  EXPECT_EQ(signal.id, "550e8400-e29b-41d4-a716-446655440000");
  EXPECT_EQ(signal.type, "golden_cross");
  EXPECT_EQ(signal.source, "golden_cross_generator");
  EXPECT_EQ(signal.timestamp, "1733407800");
  EXPECT_EQ(signal.time, kSent);
  EXPECT_EQ(signal.timeframe, "1d");
  ASSERT_THAT(signal.tickers, SizeIs(1));
  EXPECT_EQ(signal.tickers[0].ticker, "AAPL");
  EXPECT_EQ(signal.tickers[0].bias, "BULLISH");
  EXPECT_EQ(signal.tickers[0].confidence, 85.0);
  EXPECT_EQ(signal.tickers[0].confidence_text, "85.0");
  EXPECT_EQ(signal.tickers[0].reasoning, R"("Golden cross detected: …")");
  ASSERT_THAT(signal.routing, SizeIs(1));
  EXPECT_EQ(signal.routing[0].ticker, "AAPL");
  EXPECT_THAT(signal.routing[0].pipelines, ElementsAre(*parse_uuid(kSwing)));
  EXPECT_FALSE(signal.backtest.any());
  EXPECT_FALSE(signal.is_metadata_reduced);
  EXPECT_EQ(signal.left_out, 0U);
  EXPECT_EQ(signal.metadata,
            R"({"sma_short": 50, "sma_long": 200, "timeframe": "D", "current_sma_short": 190.12, )"
            R"("current_price": null, "lookback_days": 5})");
}

TEST(WireSignal, BorrowsUnlessThereAreEscapes) {
  const Read plain = with_metadata(R"({"timeframe": "5"})");
  EXPECT_TRUE(plain.signal.unescaped.empty());
  const Read escaped{with(kSignal, "AAPL", R"(\u0041APL)")};
  EXPECT_EQ(escaped.signal.tickers.at(0).ticker, "AAPL");
}

TEST(WireSignal, ReadsThroughTheReadersPort) {
  const Route route{.kind = Kind::TriggerSignal,
                    .topic = "trading-signals",
                    .symbol = {},
                    .timeframe = {},
                    .channels = {}};
  SignalReader reader;
  const auto facts = reader.read(
      route, {.offset = Offset{7}, .timestamp = kSent, .key = {}, .payload = kSignal}, kNow);
  ASSERT_TRUE(facts);
  EXPECT_EQ(std::get<std::shared_ptr<const TradingSignal>>(facts->record)->type, "golden_cross");
  const auto tombstone =
      reader.read(route, {.offset = Offset{8}, .timestamp = kSent, .key = {}, .payload = {}}, kNow);
  EXPECT_EQ(tombstone.error().reason, RejectReason::Tombstone);
}

TEST(WireSignal, RefusesWhatIsNoSignal) {
  EXPECT_EQ(Read{"[1]"}.verdict(), "not_an_object");
  EXPECT_EQ(Read{"null"}.verdict(), "not_an_object");
  EXPECT_EQ(Read{"42"}.verdict(), "not_an_object");
  EXPECT_EQ(Read{""}.verdict(), "not_json");
  EXPECT_EQ(Read{"{\"a\": 1,}"}.verdict(), "not_json");
  EXPECT_EQ(Read{with(kSignal, "AAPL", "A\xC3PL")}.verdict(), "not_utf8");
  EXPECT_EQ(Read{with(kSignal, "AAPL", std::string(kMaxPayloadBytes, 'A'))}.verdict(), "too_large");
  EXPECT_EQ(Read{kSignal.substr(0, kSignal.size() - 1)}.verdict(), "not_json");
}

TEST(WireSignal, RefusesTickersThatAreNoArrayOrNameNone) {
  EXPECT_EQ(with_tickers("null").verdict(), "missing_field");
  EXPECT_EQ(Read{"{}"}.verdict(), "missing_field");
  EXPECT_EQ(with_tickers(R"("AAPL")").verdict(), "wrong_type");
  EXPECT_EQ(with_tickers(R"({"ticker": "AAPL"})").verdict(), "wrong_type");
  EXPECT_EQ(with_tickers(R"(["AAPL", 7, null])").verdict(), "missing_field");
  EXPECT_EQ(with_tickers(R"([{"ticker": ""}, {"ticker": null}, {}])").verdict(), "missing_field");
}

TEST(WireSignal, AnEmptyListOfTickersIsEmpty) {
  const Read read = with_tickers("[]");
  EXPECT_EQ(read.verdict(), "accepted");
  EXPECT_THAT(read.signal.tickers, IsEmpty());
}

TEST(WireSignal, LeavesOutTheElementsThatNameNoTickerAndCountsThem) {
  const Read read = with_tickers(
      R"(["AAPL", null, {"ticker": 7}, {"ticker": ""}, {"signal": "BULLISH"}, [{"ticker": "X"}], )"
      R"({"ticker": "MSFT"}])");
  EXPECT_EQ(read.verdict(), "accepted");
  ASSERT_THAT(read.signal.tickers, SizeIs(1));
  EXPECT_EQ(read.signal.tickers[0].ticker, "MSFT");
  EXPECT_EQ(read.signal.left_out, 6U);
}

TEST(WireSignal, AConfidenceIsAFiniteNumberOrAbsent) {
  EXPECT_EQ(confidence_of("0"), "0.000000");
  EXPECT_EQ(confidence_of("1e1"), "10.000000");
  EXPECT_EQ(confidence_of("null"), "absent");
  EXPECT_EQ(confidence_of("NaN"), "absent");
  EXPECT_EQ(confidence_of("-Infinity"), "absent");
  EXPECT_EQ(confidence_of("1e999"), "absent");
  EXPECT_EQ(confidence_of("\"85\""), "absent");
  EXPECT_EQ(confidence_of("[85]"), "absent");
  EXPECT_EQ(Read{with(kSignal, "\"confidence\": 85.0, ", "")}.signal.tickers.at(0).confidence,
            std::nullopt);
}

TEST(WireSignal, CountsAConfidenceThatIsNoNumberAsLeftOut) {
  EXPECT_EQ(Read{with(kSignal, "85.0", "\"85\"")}.signal.left_out, 1U);
  EXPECT_EQ(Read{with(kSignal, "85.0", "null")}.signal.left_out, 0U);
  EXPECT_EQ(Read{with(kSignal, "85.0", "NaN")}.signal.left_out, 0U);
}

TEST(WireSignal, AReasoningIsAStringAsItCame) {
  const auto reasoning = [](std::string_view text) {
    const Read read{with(kSignal, R"("Golden cross detected: …")", text)};
    EXPECT_EQ(read.verdict(), "accepted");
    return std::string(read.signal.tickers.at(0).reasoning);
  };
  EXPECT_EQ(reasoning(R"("a\u0041\n")"), R"("a\u0041\n")");
  EXPECT_EQ(reasoning("null"), "");
  EXPECT_EQ(reasoning(R"({"__type__": "datetime"})"), "");
}

TEST(WireSignal, AVeryLongReasoningIsCutBetweenItsCharacters) {
  for (const std::string_view unit :
       {"a", "é", "…", "😀", R"(\n)", R"(\u00e9)", R"(\ud83d\ude00)"}) {
    for (const std::string_view shift : {"", "x", "xy", "xyz", "xyzz", "xyzzy"}) {
      std::string text{shift};
      while (text.size() < 3 * SignalReader::kReasoningMax) text += unit;
      const Read read{with(kSignal, "Golden cross detected: …", text)};
      const std::string_view token = read.signal.tickers.at(0).reasoning;
      EXPECT_LE(token.size(), SignalReader::kReasoningMax + 2);
      EXPECT_GT(token.size(), SignalReader::kReasoningMax - 10);
      EXPECT_EQ((token.size() - 2 - shift.size()) % unit.size(), 0U) << unit;
    }
  }
}

TEST(WireSignal, TextsThatAreMissingAreEmptyAndNumbersAreTheirText) {
  const Read missing{R"({"tickers": [{"ticker": "AAPL"}]})"};
  EXPECT_EQ(missing.verdict(), "accepted");
  EXPECT_EQ(missing.signal.id, "");
  EXPECT_EQ(missing.signal.type, "");
  EXPECT_EQ(missing.signal.source, "");
  EXPECT_EQ(missing.signal.timestamp, "");
  EXPECT_EQ(missing.signal.time, std::nullopt);
  EXPECT_EQ(missing.signal.metadata, "{}");
  const Read other{
      R"({"signal_id": 17, "signal_type": null, "source": null, "timestamp": null, )"
      R"("tickers": [{"ticker": "AAPL", "signal": null, "reasoning": null}], "metadata": null})"};
  EXPECT_EQ(other.verdict(), "accepted");
  EXPECT_EQ(other.signal.id, "17");
  EXPECT_EQ(other.signal.type, "");
  EXPECT_EQ(other.signal.source, "");
  EXPECT_EQ(other.signal.metadata, "{}");
  EXPECT_EQ(other.signal.left_out, 0U);
}

TEST(WireSignal, RefusesIdsAndTypesThatCannotBeText) {
  EXPECT_EQ(Read{with(kSignal, R"("golden_cross")", "[]")}.verdict(), "wrong_type");
  EXPECT_EQ(Read{with(kSignal, R"("550e8400-e29b-41d4-a716-446655440000")", "{}")}.verdict(),
            "wrong_type");
  EXPECT_EQ(Read{with(kSignal, "golden_cross", std::string(1'001, 'x'))}.verdict(), "wrong_type");
  EXPECT_EQ(Read{with(kSignal, "golden_cross", std::string(1'000, 'x'))}.verdict(), "accepted");
}

TEST(WireSignal, ATimestampIsForwardedAsItCameAndReadWhereItIsATime) {
  const auto time = [](std::string_view text) {
    const Read read{with(kSignal, "1733407800", text)};
    EXPECT_EQ(read.verdict(), "accepted");
    EXPECT_EQ(read.signal.timestamp, text);
    return read.signal.time;
  };
  EXPECT_EQ(time("1733407800"), kSent);
  EXPECT_EQ(time("1733407800.25"), kSent + milliseconds{250});
  EXPECT_EQ(time("1733407800000"), kSent);
  EXPECT_EQ(time(R"("2024-12-05T14:10:00Z")"), kSent);
  EXPECT_EQ(time(R"("2024-12-05T14:10:00.000000")"), kSent);
  EXPECT_EQ(time(R"("yesterday")"), std::nullopt);
  EXPECT_EQ(time("7"), std::nullopt);
  EXPECT_EQ(time("99999999999999999999"), std::nullopt);
}

TEST(WireSignal, ATimestampThatIsNoNumberAndNoTextIsLeftOut) {
  for (const std::string_view text : {"NaN", "[]", "{}", "true", "1e999"}) {
    const Read read{with(kSignal, "1733407800", text)};
    EXPECT_EQ(read.verdict(), "accepted");
    EXPECT_EQ(read.signal.timestamp, "");
    EXPECT_EQ(read.signal.left_out, 1U) << text;
  }
}

TEST(WireSignal, TimeframesOfBothVocabulariesAreEqual) {
  const auto timeframe = [](std::string_view text) {
    return std::string(
        with_metadata("{\"timeframe\": " + std::string(text) + "}").signal.timeframe);
  };
  EXPECT_EQ(timeframe(R"("5")"), "5m");
  EXPECT_EQ(timeframe("5"), "5m");
  EXPECT_EQ(timeframe(R"("5m")"), "5m");
  EXPECT_EQ(timeframe("240"), "4h");
  EXPECT_EQ(timeframe(R"("W")"), "1w");
  EXPECT_EQ(timeframe(R"("\u0044")"), "1d");
  EXPECT_EQ(timeframe("null"), "");
  EXPECT_EQ(timeframe("{}"), "");
  EXPECT_EQ(timeframe(R"("")"), "");
}

TEST(WireSignal, MetadataIsAnObjectOrNull) {
  EXPECT_EQ(metadata_of("null"), "{}");
  EXPECT_EQ(metadata_of("{}"), "{}");
  EXPECT_EQ(with_metadata("[]").verdict(), "wrong_type");
  EXPECT_EQ(with_metadata(R"("text")").verdict(), "wrong_type");
  EXPECT_EQ(with_metadata("false").verdict(), "wrong_type");
}

TEST(WireSignal, MetadataIsForwardedAsItCame) {
  const std::string_view text =
      R"({ "a":1.0, "b" : 12345678901234567890123, "c":[NaN, -Infinity,{"d":1E5}], "e":"\u00e9é"})";
  EXPECT_EQ(metadata_of(text), text);
}

TEST(WireSignal, TickerPipelinesAreTakenOutWhereverTheyStand) {
  EXPECT_EQ(metadata_of(R"({"ticker_pipelines": {}, "a": 1})"), R"({"a": 1})");
  EXPECT_EQ(metadata_of(R"({"a": 1, "ticker_pipelines": {}, "b" :2 })"), R"({"a": 1, "b" :2})");
  EXPECT_EQ(metadata_of(R"({"a": 1,"c":3 , "ticker_pipelines": {"X": [{}]}})"),
            R"({"a": 1,"c":3})");
  EXPECT_EQ(metadata_of(R"({"ticker_pipelines": {}})"), "{}");
  EXPECT_EQ(metadata_of(R"({"ticker\u005fpipelines": {}, "a": [1] , "ticker_pipelines": null})"),
            R"({"a": [1]})");
  EXPECT_EQ(metadata_of(R"({"a": {"ticker_pipelines": 1}})"), R"({"a": {"ticker_pipelines": 1}})");
}

TEST(WireSignal, RoutesByTheIdsThatAreOnesAndSkipsTheRest) {
  const Read read = with_metadata(
      R"({"ticker_pipelines": {"MSFT": [null, 7, "x", {}, {"pipeline_id": null}, )"
      R"({"pipeline_id": "16fd2706-8baf-433b-82eb-8c7fada847da", "more": [1, {}]}, )"
      R"({"pipeline\u005fid": "7C9E6679-7425-40DE-944B-E07FC1F90AE7"}], )"
      R"("AAPL": [{"pipeline_id": "no uuid"}], "EMPTY": [], "NONE": null, "TEXT": "x"}})");
  ASSERT_EQ(read.verdict(), "accepted");
  ASSERT_THAT(read.signal.routing, SizeIs(2));
  EXPECT_EQ(read.signal.routing[0].ticker, "AAPL");
  EXPECT_THAT(read.signal.routing[0].pipelines, IsEmpty());
  EXPECT_EQ(read.signal.routing[1].ticker, "MSFT");
  EXPECT_THAT(read.signal.routing[1].pipelines,
              ElementsAre(*parse_uuid(kDaily), *parse_uuid(kSwing)));
}

TEST(WireSignal, TickerPipelinesThatAreNoObjectRouteNothing) {
  for (const std::string_view text : {"null", "[]", "7", R"("x")", "true", "[{}]"}) {
    const Read read = with_metadata(R"({"ticker_pipelines": )" + std::string(text) + "}");
    EXPECT_EQ(read.verdict(), "accepted");
    EXPECT_THAT(read.signal.routing, IsEmpty());
    EXPECT_EQ(read.signal.metadata, "{}");
  }
}

TEST(WireSignal, OfAKeyThatRepeatsTheLastValueCounts) {
  const Read read{
      R"({"tickers": [{"ticker": "A"}], "signal_id": "one", "tickers": [{"ticker": "B", )"
      R"("ticker": "C", "confidence": "x", "confidence": 7}], "signal_id": "two", )"
      R"("metadata": {"timeframe": "5", "backtest_run_id": "r"}, "metadata": {"timeframe": "D", )"
      R"("timeframe": "W", "ticker_pipelines": {"C": [{}]}, "ticker_pipelines": {"C": [)"
      R"({"pipeline_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}], "D": [{}], "D": []}}})"};
  ASSERT_EQ(read.verdict(), "accepted");
  EXPECT_EQ(read.signal.id, "two");
  ASSERT_THAT(read.signal.tickers, SizeIs(1));
  EXPECT_EQ(read.signal.tickers[0].ticker, "C");
  EXPECT_EQ(read.signal.tickers[0].confidence, 7.0);
  EXPECT_EQ(read.signal.left_out, 0U);
  EXPECT_EQ(read.signal.timeframe, "1w");
  EXPECT_FALSE(read.signal.backtest.any());
  ASSERT_THAT(read.signal.routing, SizeIs(1));
  EXPECT_THAT(read.signal.routing[0].pipelines, ElementsAre(*parse_uuid(kSwing)));
  EXPECT_EQ(read.signal.metadata, R"({"timeframe": "D", "timeframe": "W"})");
  const Read cleared{R"({"tickers": [], "metadata": {"timeframe": "5", "ticker_pipelines": )"
                     R"({"A": [{}]}, "backtest_run_id": "r"}, "metadata": null})"};
  EXPECT_EQ(cleared.signal.timeframe, "");
  EXPECT_THAT(cleared.signal.routing, IsEmpty());
  EXPECT_FALSE(cleared.signal.backtest.any());
  EXPECT_EQ(Read{R"({"tickers": [], "tickers": null})"}.verdict(), "missing_field");
}

TEST(WireSignal, ABacktestIsWhatPythonTakesForOne) {
  const auto run = [](std::string_view text) {
    const Read read = with_metadata(R"({"backtest_run_id": )" + std::string(text) +
                                    R"(, "backtest_user_id": "u"})");
    EXPECT_EQ(read.verdict(), "accepted");
    EXPECT_EQ(read.signal.backtest.user_id, "u");
    return std::string(read.signal.backtest.run_id);
  };
  EXPECT_EQ(run(R"("run-7")"), "run-7");
  EXPECT_EQ(run(R"("\u0072")"), "r");
  EXPECT_EQ(run("7"), "7");
  EXPECT_EQ(run("true"), "true");
  EXPECT_EQ(run("[ 1 ]"), "[ 1 ]");
  for (const std::string_view falsy : {"null", "false", "0", "-0.0", R"("")", "[]", "[ ]", "{}"}) {
    EXPECT_EQ(run(falsy), "") << falsy;
  }
}

TEST(WireSignal, NoKeyReachesATaskThatAWorkerTakesForATypedValue) {
  EXPECT_EQ(metadata_of(R"({"__type__": "datetime", "__value__": 1})"),
            R"({"x__type__": "datetime", "__value__": 1})");
  EXPECT_EQ(metadata_of(R"({"a": [{"__type__" : "x"}], "b": "__type__"})"),
            R"({"a": [{"x__type__" : "x"}], "b": "__type__"})");
  EXPECT_EQ(metadata_of(R"({"a": {"\u005f_t\u0079pe__": 1}, "b": "\u00e9"})"),
            R"({"a": {"x__type__": 1}, "b": "\u00e9"})");
  EXPECT_EQ(metadata_of(R"({"a": ["__type__", "\"__type__\":"], "__type___": 1})"),
            R"({"a": ["__type__", "\"__type__\":"], "__type___": 1})");
  EXPECT_EQ(metadata_of(R"({"__type__": 1, "ticker_pipelines": {"__type__": 1}})"),
            R"({"x__type__": 1})");
}

TEST(WireSignal, LargeMetadataIsReducedToWhatWorkersRead) {
  const std::string large(kMetadataBytesMax, 'x');
  const Read read = with_metadata(
      R"({"large": ")" + large + R"(", "sma": 50.10, "nested": {"a": 1}, "timeframe": "D", )" +
      R"("timeframes": ["D", {"__type__": 1}], "backtest_ts": "2024", "sma": 51, )" +
      R"("__type__": "uuid", "note": null})");
  EXPECT_EQ(read.verdict(), "accepted");
  EXPECT_TRUE(read.signal.is_metadata_reduced);
  EXPECT_EQ(read.signal.metadata,
            R"({"timeframe":"D","timeframes":["D", {"x__type__": 1}],"backtest_ts":"2024",)"
            R"("sma":51,"x__type__":"uuid","note":null})");
}

TEST(WireSignal, ReducedMetadataKeepsToItsLimit) {
  std::string many = R"({"nested": {}, )";
  for (int i = 0; i < 4'000; ++i) many += "\"indicator_" + std::to_string(i) + "\": 1.5, ";
  const Read read = with_metadata(many + R"("timeframe": "5"})");
  EXPECT_TRUE(read.signal.is_metadata_reduced);
  EXPECT_LE(read.signal.metadata.size(), kMetadataBytesMax);
  EXPECT_GT(read.signal.metadata.size(), kMetadataBytesMax - 100);
  EXPECT_TRUE(read.signal.metadata.starts_with(R"({"timeframe":"5","indicator_0":1.5)"));
}

TEST(WireSignal, ANumberThatPythonDoesNotReadIsLeftOut) {
  const std::string most(kNumberDigitsMax, '9');
  for (const std::size_t before : {0U, 1U, 4'299U, 5'000U}) {
    const std::string start = R"({"a": 1, "text": ")" + std::string(before, 'x') + R"(", "n": [-)";
    EXPECT_FALSE(with_metadata(start + most + "]}").signal.is_metadata_reduced);
    const Read left_out = with_metadata(start + most + "9]}");
    EXPECT_EQ(left_out.verdict(), "accepted");
    EXPECT_TRUE(left_out.signal.is_metadata_reduced);
    EXPECT_FALSE(left_out.signal.metadata.contains('9'));
  }
}

TEST(WireSignal, WhatOnlyTickerPipelinesMakeLargeIsNotReduced) {
  const Read read = with_metadata(R"({"a": 1, "ticker_pipelines": {"AAPL": [{"pipeline_name": ")" +
                                  std::string(1'000'000, 'x') + R"("}]}})");
  EXPECT_EQ(read.verdict(), "accepted");
  EXPECT_FALSE(read.signal.is_metadata_reduced);
  EXPECT_EQ(read.signal.metadata, R"({"a": 1})");
}

TEST(WireSignal, DeepMetadataIsReducedAndDeeperPayloadsAreRefused) {
  const auto nested = [](std::size_t depth) {
    return R"({"deep": )" + std::string(depth, '[') + std::string(depth, ']') + R"(, "a": 1})";
  };
  EXPECT_FALSE(with_metadata(nested(kMetadataDepthMax - 1)).signal.is_metadata_reduced);
  const Read deep = with_metadata(nested(kMetadataDepthMax));
  EXPECT_TRUE(deep.signal.is_metadata_reduced);
  EXPECT_EQ(deep.signal.metadata, R"({"a":1})");
  EXPECT_EQ(with_metadata(nested(100'000)).verdict(), "not_json");
  EXPECT_EQ(with_tickers(std::string(100'000, '[')).verdict(), "not_json");
}

TEST(WireSignal, ChecksWhatNobodyReads) {
  for (const std::string_view bad :
       {R"({"a" 1})", R"({"a": })", R"({"a": 1,})", R"({"a": 01})", R"({,})", R"({"a": "\x"})",
        R"({"ticker_pipelines": {"A": [{"pipeline_id": 1,}]}})",
        R"({"ticker_pipelines": {"A": [1,]}})", R"({"ticker_pipelines": {"A": [,1]}})",
        R"({"ticker_pipelines": {"A" [1]}})", R"({"ticker_pipelines": {"A": [{}}]})",
        R"({"ticker_pipelines": {"A": [{1:2}]}})", R"({"ticker_pipelines": {"A": [1 2]}})"}) {
    EXPECT_EQ(with_metadata(bad).verdict(), "not_json") << bad;
  }
  for (const std::string_view bad : {"[{]", "[}", "[{\"ticker\": \"A\"]", "[{\"ticker\": \"A\"},]",
                                     "[{\"ticker\": \"A\" 7}]", "[,]", "[{\"ticker\"}]", "[tru]"}) {
    EXPECT_EQ(with_tickers(bad).verdict(), "not_json") << bad;
  }
}

}  // namespace
}  // namespace signalbox
