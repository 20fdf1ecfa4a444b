#include "adapters/celery_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "support/claim_batch.hpp"

namespace signalbox {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kExpires = "2026-11-21T16:10:00.000000+00:00";

/// One request about `TSLA` whose parts a test may change.
struct Ask {
  std::string key = "550e8400-e29b-41d4-a716-446655440000";
  TradingSignal signal;
  TaskRequest request{};

  Ask() {
    signal.id = key;
    signal.type = "golden_cross";
    signal.source = "golden_cross_generator";
    signal.timestamp = "1733407800";
    signal.metadata = R"({"timeframe":"D","sma":NaN,"big":12345678901234567890})";
    signal.tickers.push_back({.ticker = "TSLA",
                              .bias = "BULLISH",
                              .confidence = 85.0,
                              .confidence_text = "85.0",
                              .reasoning = R"("Golden cross \u2014 up")"});
    request.pipeline = ClaimBatchBuilder::pipeline_id(1);
    request.user = ClaimBatchBuilder::pipeline_id(2);
    request.signal = &signal;
    request.signal_key = key;
    request.signal_logged_at = EventTime{std::chrono::milliseconds{1'733'407'811'987}};
  }
  Ask(const Ask&) = delete;
  Ask& operator=(const Ask&) = delete;
};

class CeleryMessage : public testing::Test {
 protected:
  std::string element() {
    std::string out = "before";
    expires_at_ = messages_.append(out, ask_.request,
                                   {.task_id = "task", .delivery_tag = "tag", .expires = kExpires});
    return out.substr(6);
  }

  /// The text of `[args, kwargs, embed]`.
  std::string body() {
    const auto text = json::parse(element()).at("body").get<std::string>();
    std::string bytes(text.size(), '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    bytes.resize(static_cast<std::size_t>(size) -
                 static_cast<std::size_t>(std::ranges::count(text, '=')));
    return bytes;
  }

  json context() {
    ask_.signal.metadata = "{}";
    return json::parse(body()).at(1).at("signal_context");
  }

  CeleryMessages messages_{CeleryOptions{}};
  Ask ask_;
  std::size_t expires_at_ = 0;
};

TEST_F(CeleryMessage, HasTheFieldsOfCelery534) {
  std::string text = element();
  EXPECT_EQ(text.substr(expires_at_, kExpires.size()), kExpires);
  json message = json::parse(text);
  const auto reply_to = message.at("properties").at("reply_to").get<std::string>();
  EXPECT_TRUE(parse_uuid(reply_to));
  message.erase("body");
  message.at("properties").erase("reply_to");
  EXPECT_EQ(message, json::parse(R"json({
    "content-encoding": "utf-8", "content-type": "application/json",
    "headers": {"lang": "py", "task": "app.orchestration.tasks.execute_pipeline", "id": "task",
      "shadow": null, "eta": null, "expires": "2026-11-21T16:10:00.000000+00:00", "group": null,
      "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "task",
      "parent_id": null, "argsrepr": "()",
      "kwargsrepr": "{'pipeline_id': 'aa000000-0000-0000-0000-000000000001'}",
      "origin": "signalbox", "ignore_result": false, "stamped_headers": null, "stamps": {}},
    "properties": {"correlation_id": "task", "delivery_mode": 2,
      "delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 0,
      "body_encoding": "base64", "delivery_tag": "tag"}})json"));
}

TEST_F(CeleryMessage, CarriesTheOriginalsArguments) {
  EXPECT_EQ(
      body(),
      R"json([[], {"pipeline_id": "aa000000-0000-0000-0000-000000000001", "user_id": )json"
      R"json("aa000000-0000-0000-0000-000000000002", "symbol": "TSLA", "mode": "paper", )json"
      R"json("signal_context": {"signal_id": "550e8400-e29b-41d4-a716-446655440000", )json"
      R"json("signal_type": "golden_cross", "source": "golden_cross_generator", )json"
      R"json("timestamp": 1733407800, "tickers": ["TSLA"], "confidence": 85.0, "metadata": )json"
      R"json({"timeframe":"D","sma":NaN,"big":12345678901234567890, "signalbox": )json"
      R"json({"bias": "BULLISH", "confidence": 85.0, "reasoning": )json"
      R"json("Golden cross \u2014 up"}}}}, {"callbacks": null, "errbacks": null, )json"
      R"json("chain": null, "chord": null}])json");
}

TEST_F(CeleryMessage, ABacktestGoesToItsQueueInItsMode) {
  ask_.request.is_backtest = true;
  EXPECT_EQ(json::parse(element()).at("properties").at("delivery_info").at("routing_key"),
            "backtest_pipeline_execution");
  ask_.signal.metadata = "{}";
  EXPECT_EQ(json::parse(body()).at(1).at("mode"), "backtest");
}

TEST_F(CeleryMessage, RequiredFieldsAreNeverNull) {
  ask_.signal.type = {};
  ask_.signal.source = {};
  ask_.signal.timestamp = {};
  ask_.signal.tickers[0].confidence.reset();
  ask_.signal.tickers[0].confidence_text = {};
  ask_.signal.tickers[0].reasoning = {};
  ask_.signal.tickers[0].bias = {};
  const json found = context();
  EXPECT_EQ(found.at("signal_type"), "");
  EXPECT_EQ(found.at("source"), "");
  EXPECT_EQ(found.at("timestamp"), 1'733'407'811);
  EXPECT_EQ(found.at("confidence"), 50.0);
  EXPECT_EQ(found.at("metadata"),
            json::parse(R"({"signalbox": {"bias": "", "confidence": null, "reasoning": null}})"));
}

TEST_F(CeleryMessage, EveryTextIsWellFormedWhateverTheSignalHeld) {
  const std::string hostile = "\"}]\\ \x01 \xFF\xC3( \xE2\x80\xA8 end";
  ask_.signal.type = hostile;
  ask_.signal.source = hostile;
  ask_.signal.tickers[0].ticker = hostile;
  ask_.request.signal_key = hostile;
  const std::string text = element();
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }))
      << "the envelope is ASCII";
  const json found = context();
  EXPECT_THAT(found.at("signal_type").get<std::string>(), HasSubstr("end"));
  EXPECT_THAT(found.at("tickers").at(0).get<std::string>(), HasSubstr("\xEF\xBF\xBD"));
}

TEST_F(CeleryMessage, IsBoundedWhateverTheSignalHeld) {
  const std::string long_text(1'000'000, 'x');
  const std::string long_token = '"' + long_text + '"';
  const std::string long_number(1'000, '9');
  ask_.signal.type = long_text;
  ask_.signal.source = long_text;
  ask_.signal.timestamp = long_token;
  ask_.signal.tickers[0].ticker = long_text;
  ask_.signal.tickers[0].reasoning = long_token;
  ask_.signal.tickers[0].confidence_text = long_number;
  ask_.request.signal_key = long_text;
  EXPECT_LT(element().size(), 64'000U);
  const json found = context();
  EXPECT_EQ(found.at("confidence"), 50.0);
  EXPECT_EQ(found.at("timestamp"), 1'733'407'811);
  EXPECT_TRUE(found.at("metadata").at("signalbox").at("reasoning").is_null());
}

TEST_F(CeleryMessage, NeverExceedsWhatItsCallerReserves) {
  for (const std::size_t size : {0U, 10U, 1'000U, 50'000U}) {
    const std::string text(size, '\x01');
    const std::string metadata = R"({"k": ")" + std::string(size, 'm') + R"("})";
    ask_.signal.type = text;
    ask_.signal.id = text;
    ask_.request.signal_key = text;
    ask_.signal.tickers[0].ticker = text;
    ask_.signal.metadata = metadata;
    EXPECT_LE(element().size(), claim_bytes_max(ask_.signal)) << size;
  }
}

TEST_F(CeleryMessage, ATaskIdIsAUuidOfVersionFiveOfItsThreeParts) {
  const auto pipeline = ClaimBatchBuilder::pipeline_id(1);
  // uuid.uuid5(uuid.UUID("5f2b6f0e-7d0a-5c60-9f0e-0d2f3d1c6b11"), "s1|aa00…01|AAPL") in Python.
  EXPECT_EQ(messages_.task_id("s1", pipeline, "AAPL"), "1b6e9cf7-0e4e-595f-9a54-9bd75b3b2af6");
  EXPECT_EQ(CeleryMessages{CeleryOptions{}}.task_id("s1", pipeline, "AAPL"),
            messages_.task_id("s1", pipeline, "AAPL"));
  EXPECT_NE(messages_.task_id("s1", pipeline, "AAPL2"), messages_.task_id("s1", pipeline, "AAPL"));
}

TEST_F(CeleryMessage, DeliveryTagsNeverRepeat) {
  std::set<std::string> tags;
  CeleryMessages other{CeleryOptions{}};
  for (int i = 0; i < 1'000; ++i) {
    tags.insert(messages_.delivery_tag());
    tags.insert(other.delivery_tag());
  }
  EXPECT_EQ(tags.size(), 2'000U);
  EXPECT_TRUE(std::ranges::all_of(
      tags, [](const std::string& tag) { return parse_uuid(tag) && tag[14] == '4'; }));
}

}  // namespace
}  // namespace signalbox
