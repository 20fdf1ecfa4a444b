#include "contract/pipeline_store_suite.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace signalbox {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Uuid pipeline_id(int number) {
  Uuid id{.bytes = {0xA1, 0xB2, 0xC3, 0xD4, 0, 0, 0x40, 0, 0x80}};
  id.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  id.bytes[15] = static_cast<std::uint8_t>(number);
  return id;
}

Uuid pipeline_owner() { return *parse_uuid("00000000-0000-4000-8000-0000000000ff"); }

std::string pipeline_store_name(const testing::TestParamInfo<PipelineStoreAdapter>& info) {
  return info.param.name;
}

std::string PipelineStoreContract::loaded(const StoredPipeline& pipeline) {
  place_->put(pipeline);
  const LoadedPipelines loaded = store_->load();
  if (loaded.malformed.size() == 1) return "malformed";
  if (loaded.pipelines.empty()) return "nothing";
  std::string text;
  for (const std::string& ticker : loaded.pipelines.at(0).tickers) {
    text += (text.empty() ? "" : " ") + ticker;
  }
  return text;
}

namespace {

constexpr const char* kApple = R"({"tickers": ["AAPL"]})";

TEST_P(PipelineStoreContract, LoadsWhatAPipelineSays) {
  place_->put({.number = 1,
               .name = "Swing “A”",
               .config = R"({"mode": "live", "signalbox": {"when_busy": "keep_latest"}})",
               .subscriptions = R"([{"signal_type": "golden_cross", "timeframe": "D",
                                     "min_confidence": 80},
                                    {"signal_type": "mock", "timeframe": null},
                                    {"signal_type": "news", "timeframe": 60,
                                     "min_confidence": null}])",
               .scanner_config = R"({"tickers": ["AAPL", "MSFT", "AAPL"]})"});
  const LoadedPipelines loaded = store_->load();
  EXPECT_THAT(loaded.malformed, IsEmpty());
  ASSERT_THAT(loaded.pipelines, SizeIs(1));
  const Pipeline& pipeline = loaded.pipelines[0];
  EXPECT_EQ(pipeline.id, pipeline_id(1));
  EXPECT_EQ(pipeline.user, pipeline_owner());
  EXPECT_EQ(pipeline.name, "Swing “A”");
  EXPECT_THAT(pipeline.tickers, ElementsAre("AAPL", "MSFT"));
  EXPECT_THAT(pipeline.subscriptions,
              ElementsAre(Subscription{"golden_cross", "1d", 80.0}, Subscription{"mock", "", {}},
                          Subscription{"news", "1h", {}}));
  EXPECT_EQ(pipeline.busy, (BusyRule{.policy = BusyPolicy::KeepLatest, .slots = 1}));
}

TEST_P(PipelineStoreContract, LeavesOutWhatIsInactiveOrPeriodic) {
  place_->put({.number = 1, .is_active = false, .scanner_config = kApple});
  place_->put({.number = 2, .trigger_mode = "periodic", .scanner_config = kApple});
  place_->put({.number = 3, .scanner_config = kApple});
  const LoadedPipelines loaded = store_->load();
  ASSERT_THAT(loaded.pipelines, SizeIs(1));
  EXPECT_EQ(loaded.pipelines[0].id, pipeline_id(3));
}

TEST_P(PipelineStoreContract, TheScannerSaysTheTickersUnlessItsConfigurationIsEmpty) {
  const std::optional<std::string> old = R"(["TSLA"])";
  EXPECT_EQ(loaded({.scanner_tickers = old, .scanner_config = kApple}), "AAPL");
  EXPECT_EQ(loaded({.scanner_tickers = old, .scanner_config = "{}"}), "TSLA");
  EXPECT_EQ(loaded({.scanner_tickers = old, .scanner_config = "null"}), "TSLA");
  EXPECT_EQ(loaded({.scanner_tickers = old, .scanner_config = "[]"}), "TSLA");
  EXPECT_EQ(loaded({.scanner_tickers = old}), "TSLA");
  EXPECT_EQ(loaded({.scanner_tickers = old, .scanner_config = R"({"tickers": []})"}), "nothing");
  EXPECT_EQ(loaded({.scanner_tickers = old, .scanner_config = R"({"sector": "tech"})"}), "nothing");
  EXPECT_EQ(loaded({}), "nothing");
  EXPECT_EQ(loaded({.scanner_tickers = "null"}), "nothing");
}

TEST_P(PipelineStoreContract, OnlyTextsAreTickers) {
  EXPECT_EQ(loaded({.scanner_config = R"({"tickers": ["AAPL", null, 7, true, "", "B"]})"}),
            "AAPL B");
  EXPECT_EQ(loaded({.scanner_config = R"({"tickers": null})"}), "nothing");
  EXPECT_EQ(loaded({.scanner_config = R"({"tickers": [["AAPL"]]})"}), "malformed");
  EXPECT_EQ(loaded({.scanner_config = R"({"tickers": {"AAPL": 1}})"}), "malformed");
}

TEST_P(PipelineStoreContract, ATextInPlaceOfAListOfTickersIsMalformedAndNotItsLetters) {
  EXPECT_EQ(loaded({.scanner_config = R"({"tickers": "AAPL"})"}), "malformed");
  EXPECT_EQ(loaded({.scanner_config = R"(["AAPL"])"}), "malformed");
  EXPECT_EQ(loaded({.scanner_tickers = R"("AAPL")"}), "malformed");
}

TEST_P(PipelineStoreContract, WithoutSubscriptionsEverySignalIsWanted) {
  for (const char* none : {"null", "[]"}) {
    place_->put({.subscriptions = none, .scanner_config = kApple});
    EXPECT_THAT(store_->load().pipelines.at(0).subscriptions, IsEmpty());
  }
  place_->put({.scanner_config = kApple});
  EXPECT_THAT(store_->load().pipelines.at(0).subscriptions, IsEmpty());
}

TEST_P(PipelineStoreContract, ASubscriptionThatCannotBeReadIsNotTakenForNone) {
  for (const char* subscriptions :
       {R"({"signal_type": "mock"})", R"(["mock"])", R"([{"timeframe": "D"}])",
        R"([{"signal_type": 7}])", R"([{"signal_type": "mock", "min_confidence": "80"}])",
        R"([{"signal_type": "mock", "timeframe": ["D"]}])", R"("mock")", "7"}) {
    EXPECT_EQ(loaded({.subscriptions = subscriptions, .scanner_config = kApple}), "malformed")
        << subscriptions;
  }
}

TEST_P(PipelineStoreContract, AMalformedRowCostsThatRowAndIsNamed) {
  place_->put({.number = 1, .scanner_config = kApple});
  place_->put({.number = 2, .scanner_config = R"({"tickers": "AAPL"})"});
  place_->put({.number = 3, .scanner_config = kApple});
  const LoadedPipelines loaded = store_->load();
  EXPECT_THAT(loaded.pipelines, SizeIs(2));
  ASSERT_THAT(loaded.malformed, SizeIs(1));
  EXPECT_EQ(loaded.malformed[0].id, to_text(pipeline_id(2)));
  EXPECT_THAT(loaded.malformed[0].detail, HasSubstr("scanners.config.tickers"));
}

TEST_P(PipelineStoreContract, ReadsWhatToDoWhileBusy) {
  const auto rule = [&](const std::string& ours) -> std::optional<BusyRule> {
    place_->put({.config = R"({"signalbox": )" + ours + "}", .scanner_config = kApple});
    return store_->load().pipelines.at(0).busy;
  };
  EXPECT_EQ(rule(R"({"when_busy": "skip"})"), (BusyRule{.policy = BusyPolicy::Skip, .slots = 0}));
  EXPECT_EQ(rule(R"({"when_busy": {"queue": 5}})"),
            (BusyRule{.policy = BusyPolicy::Queue, .slots = 5}));
  EXPECT_EQ(rule(R"({"when_busy": null})"), std::nullopt);
  EXPECT_EQ(rule("{}"), std::nullopt);
  EXPECT_EQ(rule("null"), std::nullopt);
  for (const char* ours :
       {R"({"when_busy": "wait"})", R"({"when_busy": {"queue": 0}})",
        R"({"when_busy": {"queue": 101}})", R"({"when_busy": {"queue": "5"}})", R"("skip")"}) {
    EXPECT_EQ(
        loaded({.config = R"({"signalbox": )" + std::string(ours) + "}", .scanner_config = kApple}),
        "malformed")
        << ours;
  }
}

/// Whether a store that is told of changes comes to show so many pipelines. An edit may be several
/// statements, and so several changes.
bool comes_to_show(PipelineStore& store, std::size_t pipelines) {
  for (int changes = 0; changes < 5; ++changes) {
    if (!store.wait_for_change(milliseconds{10'000}, {})) return false;
    if (store.load().pipelines.size() == pipelines) return true;
  }
  return false;
}

/// Whether it is told of nothing more, when what was on its way has come.
bool falls_silent(PipelineStore& store) {
  for (int changes = 0; changes < 5; ++changes) {
    if (!store.wait_for_change(milliseconds{200}, {})) return true;
  }
  return false;
}

TEST_P(PipelineStoreContract, WaitsForAChange) {
  place_->put({.number = 1, .scanner_config = kApple});
  EXPECT_THAT(store_->load().pipelines, SizeIs(1));
  EXPECT_FALSE(store_->wait_for_change(milliseconds{50}, {}));
  if (place_->changes() == Changes::NotTold) return;
  place_->put({.number = 2, .scanner_config = kApple});
  EXPECT_TRUE(comes_to_show(*store_, 2));
  EXPECT_TRUE(falls_silent(*store_));
  place_->remove(1);
  EXPECT_TRUE(comes_to_show(*store_, 1));
  EXPECT_TRUE(falls_silent(*store_));
}

TEST_P(PipelineStoreContract, AChangeDuringTheWaitEndsIt) {
  if (place_->changes() == Changes::NotTold) return;
  static_cast<void>(store_->load());
  const std::jthread other{[&] { place_->put({.number = 2, .scanner_config = kApple}); }};
  EXPECT_TRUE(store_->wait_for_change(milliseconds{10'000}, {}));
}

TEST_P(PipelineStoreContract, AStopEndsTheWait) {
  static_cast<void>(store_->load());
  std::stop_source stop;
  const std::jthread other{[&] { stop.request_stop(); }};
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(store_->wait_for_change(milliseconds{60'000}, stop.get_token()));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{10});
}

}  // namespace
}  // namespace signalbox
