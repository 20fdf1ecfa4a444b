#include "services/trigger_desk.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ports/io_error.hpp"
#include "support/manual_clock.hpp"

namespace signalbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const TopicPartition kPartition{"trading-signals", 0};
const Uuid kFirst = *parse_uuid("11111111-1111-4111-8111-111111111111");
const Uuid kSecond = *parse_uuid("22222222-2222-4222-8222-222222222222");
const Uuid kUser = *parse_uuid("99999999-9999-4999-8999-999999999999");

/// Takes everything it is given, or answers as it was told to; keeps what it heard.
class RecordingQueue final : public TaskQueue {
 public:
  struct Heard {
    std::vector<TaskRequest> requests;
    std::vector<TriggerOutcome> settled;
    std::vector<FenceMove> moves;
  };

  FenceMap read_fences(std::span<const TopicPartition>) override { return fences; }
  std::optional<Cut> read_cut(const TopicPartition&) override { return cut; }
  ClaimOutcome claim(const ClaimBatch& batch) override {
    claimed_at.push_back(batch.database_now);
    if (clock != nullptr) clock->advance(takes);
    Heard heard{.requests = {batch.requests.begin(), batch.requests.end()},
                .settled = {},
                .moves = {batch.moves.begin(), batch.moves.end()}};
    for (const SettledPair& pair : batch.settled) heard.settled.push_back(pair.outcome);
    calls.push_back(std::move(heard));
    if (answer) return *answer;
    Claimed claimed;
    for (std::size_t i = 0; i < batch.requests.size(); ++i) {
      const bool is_busy = batch.requests[i].is_running;
      claimed.outcomes.push_back(is_busy ? TriggerOutcome::Busy : TriggerOutcome::Enqueued);
      if (!is_busy) claimed.enqueued.push_back({i, "task"});
    }
    return claimed;
  }
  std::vector<HeldTask> held(std::size_t) override { return {}; }
  Claimed settle_held(std::span<const HeldDecision>, DatabaseTime) override { return {}; }
  std::vector<OpenClaim> open_claims(std::size_t, std::chrono::milliseconds) override { return {}; }
  void release(std::span<const OpenClaim>) override {}
  QueueReport report() override { return {}; }
  void ping() override {}
  std::vector<SinkWarning> inspect() override { return warnings; }

  FenceMap fences;
  std::optional<Cut> cut;
  std::optional<ClaimOutcome> answer;
  std::vector<SinkWarning> warnings;
  std::vector<Heard> calls;
  std::vector<DatabaseTime> claimed_at;
  ManualClock* clock = nullptr;  ///< moved by `takes` with each call
  std::chrono::milliseconds takes{0};
};

class RecordingLedger final : public RunLedger {
 public:
  ActiveRuns active(std::span<const Uuid> pipelines) override {
    asked.emplace_back(pipelines.begin(), pipelines.end());
    if (is_down) throw IoError("postgresql", "planned");
    return {.now = {}, .runs = runs};
  }
  std::vector<std::size_t> finished(std::span<const PairSince>) override { return {}; }

  std::vector<std::vector<Uuid>> asked;
  std::vector<ActiveRun> runs;
  bool is_down = false;
};

class Desk : public testing::Test {
 protected:
  Desk() {
    rules_.busy_of = [](const IndexedPipeline&) { return BusyRule{}; };
    rules_.market_hours = MarketHoursBy::Off;
    load({pipeline(kFirst, {"AAPL", "MSFT"}), pipeline(kSecond, {"MSFT"})});
  }

  static Pipeline pipeline(const Uuid& id, std::vector<std::string> tickers) {
    return {.id = id,
            .user = kUser,
            .name = "p",
            .tickers = std::move(tickers),
            .subscriptions = {},
            .busy = {}};
  }

  void load(const std::vector<Pipeline>& pipelines) {
    pipelines_.with([&](PipelineView& view) {
      view.index = std::make_shared<const PipelineIndex>(pipelines);
      view.loaded_at = clock_.steady_now();
    });
  }

  /// Adds a signal of one ticker to the batch.
  TradingSignal& signal(const char* id, const char* ticker) {
    auto signal = std::make_shared<TradingSignal>();
    signal->id = id;
    signal->type = "golden_cross";
    signal->tickers.push_back({.ticker = ticker,
                               .bias = {},
                               .confidence = 90.0,
                               .confidence_text = "90",
                               .reasoning = {}});
    const auto offset = static_cast<std::int64_t>(messages_.size());
    messages_.push_back({.offset = Offset{offset},
                         .timestamp = std::chrono::floor<std::chrono::milliseconds>(clock_.now()),
                         .key = {},
                         .payload = "{}"});
    TradingSignal& made = *signal;
    routed_.push_back({.message = &messages_.back(),
                       .route = nullptr,
                       .source = &kPartition,
                       .source_offset = Offset{offset},
                       .read_from = &kPartition,
                       .seq = static_cast<std::uint64_t>(offset) + 1,
                       .facts = {.record = std::shared_ptr<const TradingSignal>(signal)}});
    return made;
  }

  WriteOutcome write() {
    if (!desk_) desk_.emplace(io_, rules_);
    Fence expected = expected_;
    Fence next;
    next.next = Offset{static_cast<std::int64_t>(messages_.size())};
    next.seq = messages_.size();
    moves_ = {{kPartition, expected, next}};
    const std::vector<Routed> messages{routed_.begin(), routed_.end()};
    return desk_->write({.messages = messages, .moves = moves_, .received_at = clock_.now()});
  }

  std::vector<TriggerOutcome> settled() const {
    return queue_.calls.empty() ? std::vector<TriggerOutcome>{} : queue_.calls.back().settled;
  }

  ManualClock clock_;
  RecordingQueue queue_;
  RecordingLedger ledger_;
  CurrentPipelines pipelines_;
  QueryBudget budget_{QueryBudget::Limits{}};
  TriggerTally tally_;
  LatencySummary processing_;
  TriggerDesk::Io io_{.queue = queue_,
                      .ledger = ledger_,
                      .pipelines = pipelines_,
                      .budget = budget_,
                      .tally = tally_,
                      .clock = clock_,
                      .processing = processing_};
  TriggerRules rules_;
  Fence expected_;
  std::vector<FenceMove> moves_;
  std::deque<Message> messages_;
  std::deque<Routed> routed_;
  std::optional<TriggerDesk> desk_;
};

TEST_F(Desk, AsksOnceForABatchAndEnqueuesWhoeverIsIdle) {
  ledger_.runs = {{kSecond, "MSFT"}};
  signal("s1", "AAPL");
  signal("s2", "MSFT");
  const WriteOutcome outcome = write();
  ASSERT_TRUE(std::holds_alternative<Committed>(outcome));
  EXPECT_EQ(std::get<Committed>(outcome).publishes, 2u);
  EXPECT_THAT(ledger_.asked, ElementsAre(ElementsAre(kFirst, kSecond)));
  ASSERT_EQ(queue_.calls.size(), 1u);
  const TriggerCounters counters = tally_.copy();
  EXPECT_EQ(counters.signals, 2u);
  EXPECT_EQ(counters.of(TriggerOutcome::Enqueued), 2u);
  EXPECT_EQ(counters.of(TriggerOutcome::Busy), 1u);
  EXPECT_EQ(counters.pairs, 3u);
  EXPECT_TRUE(counters.balanced());
}

TEST_F(Desk, ARunWithoutASymbolKeepsEveryTickerOfItsPipelineBusy) {
  ledger_.runs = {{kFirst, ""}};
  signal("s1", "AAPL");
  write();
  EXPECT_TRUE(queue_.calls.at(0).requests.at(0).is_running);
}

TEST_F(Desk, AsksNothingWhereNobodyMatches) {
  signal("s1", "TSLA");
  EXPECT_TRUE(std::holds_alternative<Committed>(write()));
  EXPECT_THAT(ledger_.asked, IsEmpty());
  EXPECT_EQ(queue_.calls.size(), 1u);  // the fence moves all the same
  EXPECT_EQ(tally_.copy().unwatched_signals, 1u);
}

TEST_F(Desk, WritesNothingWhileTheLedgerDoesNotAnswer) {
  ledger_.is_down = true;
  signal("s1", "AAPL");
  EXPECT_TRUE(std::holds_alternative<Unavailable>(write()));
  EXPECT_THAT(queue_.calls, IsEmpty());
  ledger_.is_down = false;
  EXPECT_TRUE(std::holds_alternative<Committed>(write()));
  EXPECT_EQ(tally_.copy().signals, 1u);
}

TEST_F(Desk, WritesNothingWhileThePipelinesAreUnknownOrTooOld) {
  signal("s1", "AAPL");
  clock_.advance(std::chrono::milliseconds{300'000});
  EXPECT_TRUE(std::holds_alternative<Committed>(write()));  // at the bound
  clock_.advance(std::chrono::milliseconds{1});
  EXPECT_TRUE(std::holds_alternative<Unavailable>(write()));
  pipelines_.set({});
  EXPECT_TRUE(std::holds_alternative<Unavailable>(write()));
  EXPECT_EQ(queue_.calls.size(), 1u);
}

TEST_F(Desk, ASignalAtTheAgeLimitRunsAndAMomentLaterIsExpired) {
  signal("s1", "AAPL");
  clock_.advance(std::chrono::seconds{600});
  load({pipeline(kFirst, {"AAPL"})});
  write();
  EXPECT_THAT(settled(), IsEmpty());
  clock_.advance(std::chrono::milliseconds{1});
  write();
  EXPECT_THAT(settled(), ElementsAre(TriggerOutcome::Expired));
}

TEST_F(Desk, AClosedMarketSettlesThePairAndABacktestIgnoresIt) {
  rules_.market_hours = MarketHoursBy::Signal;
  rules_.match.allow_backtest = true;
  const EventTime sunday = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};
  signal("s1", "AAPL").time = sunday;
  TradingSignal& backtest = signal("s2", "AAPL");
  backtest.time = sunday;
  backtest.backtest.run_id = "r1";
  write();
  EXPECT_THAT(settled(), ElementsAre(TriggerOutcome::MarketClosed));
  ASSERT_EQ(queue_.calls.at(0).requests.size(), 1u);
  EXPECT_TRUE(queue_.calls.at(0).requests[0].is_backtest);
}

TEST_F(Desk, APipelineWithoutAnOwnerIsSettledUnlessTheBacktestNamesAUser) {
  Pipeline orphan = pipeline(kFirst, {"AAPL"});
  orphan.user.reset();
  load({orphan});
  rules_.match.allow_backtest = true;
  signal("s1", "AAPL");
  TradingSignal& backtest = signal("s2", "AAPL");
  backtest.backtest.run_id = "r1";
  backtest.backtest.user_id = "99999999-9999-4999-8999-999999999999";
  write();
  EXPECT_THAT(settled(), ElementsAre(TriggerOutcome::NoUser));
  ASSERT_EQ(queue_.calls.at(0).requests.size(), 1u);
  EXPECT_EQ(queue_.calls.at(0).requests[0].user, kUser);
}

TEST_F(Desk, ASignalWithoutAnIdIsNamedByItsPlace) {
  signal("", "AAPL");
  write();
  // The name itself is gone with the call; its task is named by the queue.
  ASSERT_EQ(queue_.calls.at(0).requests.size(), 1u);
  signal("", "AAPL");
  write();
  EXPECT_EQ(queue_.calls.at(1).requests.size(), 2u);
}

TEST_F(Desk, ACallWithoutAReplyIsCountedWhenItsFencesSayThatItLanded) {
  queue_.answer = Unknown{"lost"};
  signal("s1", "AAPL");
  EXPECT_TRUE(std::holds_alternative<Unknown>(write()));
  EXPECT_EQ(tally_.copy().signals, 0u);
  queue_.fences[kPartition] = moves_.at(0).next;
  desk_->read_fences(std::vector{kPartition});
  EXPECT_EQ(tally_.copy().signals, 1u);
  EXPECT_EQ(tally_.copy().unread, 1u);
  EXPECT_TRUE(tally_.copy().balanced());
  desk_->read_fences(std::vector{kPartition});
  EXPECT_EQ(tally_.copy().signals, 1u);
}

TEST_F(Desk, ACallThatDidNotLandIsNotCounted) {
  queue_.answer = Unknown{"lost"};
  signal("s1", "AAPL");
  write();
  desk_->read_fences(std::vector{kPartition});
  EXPECT_EQ(tally_.copy().pairs, 0u);
}

TEST_F(Desk, AQueueThatMayEvictClaimsIsNotWorkedWithUnlessAllowed) {
  queue_.warnings = {{"KEYS_MAY_BE_EVICTED", "allkeys-lru"}};
  signal("s1", "AAPL");
  EXPECT_TRUE(std::holds_alternative<Unavailable>(write()));
  EXPECT_THAT(queue_.calls, IsEmpty());
  desk_.reset();
  rules_.eviction = Eviction::Allowed;
  EXPECT_TRUE(std::holds_alternative<Committed>(write()));
}

TEST_F(Desk, StampsEachCallWithTheDatabasesClockAsItIsThenNotAsItWasAtTheAnswer) {
  rules_.calls.tasks = 1;
  queue_.clock = &clock_;
  queue_.takes = std::chrono::milliseconds{2'000};
  signal("s1", "AAPL");
  signal("s2", "AAPL");
  write();
  EXPECT_THAT(queue_.claimed_at,
              ElementsAre(DatabaseTime{}, DatabaseTime{std::chrono::seconds{2}}));
}

TEST_F(Desk, GoesOnBehindTheLastPairOfASignalThatWasCut) {
  expected_.part = 1;
  queue_.cut =
      Cut{.partition = kPartition, .pairs_done = 1, .last_pair = to_text(kFirst) + "|MSFT"};
  signal("s1", "MSFT");
  write();
  ASSERT_EQ(queue_.calls.at(0).requests.size(), 1u);
  EXPECT_EQ(queue_.calls.at(0).requests[0].pipeline, kSecond);
  EXPECT_FALSE(queue_.calls.at(0).requests[0].is_repeat_checked);
}

TEST_F(Desk, ASignalThatGrowsTooOldBetweenItsPartsEndsExpiredInTheRest) {
  expected_.part = 1;
  queue_.cut =
      Cut{.partition = kPartition, .pairs_done = 1, .last_pair = to_text(kFirst) + "|MSFT"};
  signal("s1", "MSFT");
  clock_.advance(rules_.signal_max_age + std::chrono::seconds{1});
  load({pipeline(kFirst, {"MSFT"}), pipeline(kSecond, {"MSFT"})});
  write();
  EXPECT_THAT(queue_.calls.at(0).requests, IsEmpty());
  EXPECT_THAT(settled(), ElementsAre(TriggerOutcome::Expired));
}

TEST_F(Desk, TheLaterPartsOfARepeatAreLookedUpAsItsFirstOne) {
  rules_.calls.tasks = 1;
  queue_.answer = Claimed{.outcomes = {TriggerOutcome::Duplicate}, .enqueued = {}};
  signal("s1", "MSFT");
  write();
  ASSERT_EQ(queue_.calls.size(), 2u);
  EXPECT_TRUE(queue_.calls.at(1).requests.at(0).is_repeat_checked);
  queue_.answer = Claimed{.outcomes = {TriggerOutcome::Busy}, .enqueued = {}};
  queue_.calls.clear();
  write();
  ASSERT_EQ(queue_.calls.size(), 2u);
  EXPECT_FALSE(queue_.calls.at(1).requests.at(0).is_repeat_checked);
}

}  // namespace
}  // namespace signalbox
