#include "contract/run_ledger_suite.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "contract/pipeline_store_suite.hpp"

namespace signalbox {

using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

std::string run_ledger_name(const testing::TestParamInfo<RunLedgerAdapter>& info) {
  return info.param.name;
}

std::string RunLedgerContract::active(RunLedger& ledger, const std::vector<int>& pipelines) {
  std::vector<Uuid> ids;
  for (const int number : pipelines) ids.push_back(pipeline_id(number));
  std::multiset<std::string> pairs;
  for (const ActiveRun& run : ledger.active(ids).runs) {
    const int number = run.pipeline.bytes[15];
    EXPECT_EQ(run.pipeline, pipeline_id(number));
    pairs.insert(std::to_string(number) + ":" + (run.ticker.empty() ? "*" : run.ticker));
  }
  std::string text;
  for (const std::string& pair : pairs) text += (text.empty() ? "" : " ") + pair;
  return text;
}

namespace {

TEST_P(RunLedgerContract, NothingIsActiveInAnEmptyLedger) {
  EXPECT_EQ(active({}), "");
  EXPECT_EQ(active({1, 2, 3}), "");
}

TEST_P(RunLedgerContract, TellsTheRunsOfThePipelinesThatItIsAskedFor) {
  place_->put({.pipeline = 1, .symbol = "AAPL"});
  place_->put({.pipeline = 1, .symbol = "MSFT", .status = "PENDING"});
  place_->put({.pipeline = 2, .symbol = "BRK.B"});
  EXPECT_EQ(active({1, 3}), "1:AAPL 1:MSFT");
  EXPECT_EQ(active({2}), "2:BRK.B");
  EXPECT_EQ(active({1, 2}), "1:AAPL 1:MSFT 2:BRK.B");
  EXPECT_EQ(active({3}), "");
}

TEST_P(RunLedgerContract, AnEndedRunKeepsNobodyBusy) {
  for (const std::string_view status : kTerminalStatuses) {
    place_->put({.status = std::string(status)});
  }
  EXPECT_EQ(active({1}), "");
}

TEST_P(RunLedgerContract, ARunWithoutASymbolKeepsAllTickersBusy) {
  place_->put({.pipeline = 1, .symbol = std::nullopt});
  place_->put({.pipeline = 2, .symbol = ""});
  EXPECT_EQ(active({1, 2}), "1:* 2:*");
}

TEST_P(RunLedgerContract, PendingAndRunningCountForTwelveMinutes) {
  place_->put({.pipeline = 1,
               .status = "RUNNING",
               .started_ago = minutes{11},
               .created_ago = minutes{300}});
  place_->put(
      {.pipeline = 2, .status = "RUNNING", .started_ago = minutes{13}, .created_ago = minutes{1}});
  place_->put({.pipeline = 3, .status = "PENDING", .created_ago = minutes{11}});
  place_->put({.pipeline = 4, .status = "PENDING", .created_ago = minutes{13}});
  EXPECT_EQ(active({1, 2, 3, 4}), "1:AAPL 3:AAPL");
}

TEST_P(RunLedgerContract, WhatWaitsForABrokerCountsAtAnyAge) {
  const seconds year = std::chrono::days{365};
  place_->put({.pipeline = 1, .status = "MONITORING", .started_ago = year, .created_ago = year});
  place_->put(
      {.pipeline = 2, .status = "COMMUNICATION_ERROR", .started_ago = year, .created_ago = year});
  place_->put({.pipeline = 3, .status = "NEEDS_RECONCILIATION", .created_ago = year});
  EXPECT_EQ(active({1, 2, 3}), "1:AAPL 2:AAPL 3:AAPL");
}

TEST_P(RunLedgerContract, PausedRunsAndThoseThatWaitForApprovalCountWhereTheyAreAskedFor) {
  place_->put({.pipeline = 1, .status = "AWAITING_APPROVAL", .created_ago = minutes{300}});
  place_->put({.pipeline = 2, .status = "PAUSED", .created_ago = minutes{300}});
  EXPECT_EQ(active({1, 2}), "");
  const auto stricter = place_->make_ledger({"RUNNING", "AWAITING_APPROVAL", "PAUSED"});
  EXPECT_EQ(active(*stricter, {1, 2}), "1:AAPL 2:AAPL");
  const auto looser = place_->make_ledger({});
  EXPECT_EQ(active(*looser, {1, 2}), "");
}

TEST_P(RunLedgerContract, AnswersForThousandsOfPipelines) {
  place_->put({.pipeline = 7});
  std::vector<Uuid> ids;
  for (int number = 0; number < 5'000; ++number) ids.push_back(pipeline_id(number));
  const ActiveRuns active = ledger_->active(ids);
  ASSERT_EQ(active.runs.size(), 1U);
  EXPECT_EQ(active.runs[0].pipeline, pipeline_id(7));
}

TEST_P(RunLedgerContract, TheDatabasesClockGoesOn) {
  const DatabaseTime first = ledger_->active({}).now;
  const DatabaseTime second = ledger_->active({}).now;
  EXPECT_LE(first, second);
  EXPECT_LT(second - first, minutes{1});
  EXPECT_GT(first.time_since_epoch(), std::chrono::years{50});
}

TEST_P(RunLedgerContract, FinishedIsWhatWasCreatedAfterwardsAndHasEnded) {
  const DatabaseTime now = ledger_->active({}).now;
  place_->put({.pipeline = 1, .status = "COMPLETED", .created_ago = seconds{50}});
  place_->put({.pipeline = 2, .status = "FAILED", .created_ago = seconds{150}});
  place_->put({.pipeline = 3, .status = "RUNNING", .created_ago = seconds{50}});
  place_->put(
      {.pipeline = 4, .symbol = std::nullopt, .status = "COMPLETED", .created_ago = seconds{50}});
  place_->put({.pipeline = 5, .status = "CANCELLED", .created_ago = seconds{50}});
  place_->put({.pipeline = 6, .status = "SKIPPED", .created_ago = seconds{50}});
  std::vector<PairSince> pairs;
  for (const int number : {1, 2, 3, 4, 5, 6, 7}) {
    pairs.push_back({pipeline_id(number), "AAPL", now - seconds{100}});
  }
  pairs.push_back({pipeline_id(1), "MSFT", now - seconds{100}});
  pairs.push_back({pipeline_id(2), "AAPL", now - seconds{200}});
  EXPECT_THAT(ledger_->finished(pairs), ElementsAre(0U, 4U, 5U, 8U));
  EXPECT_THAT(ledger_->finished({}), IsEmpty());
}

TEST_P(RunLedgerContract, ATickerMayHoldWhatSqlWouldMean) {
  const DatabaseTime now = ledger_->active({}).now;
  const std::string ticker = R"(a"b\,{'}%_)";
  place_->put({.symbol = ticker, .status = "COMPLETED", .created_ago = seconds{50}});
  const std::vector<PairSince> pairs{{pipeline_id(1), "AAPL", now - minutes{5}},
                                     {pipeline_id(1), ticker, now - minutes{5}}};
  EXPECT_THAT(ledger_->finished(pairs), ElementsAre(1U));
  place_->put({.symbol = ticker});
  EXPECT_EQ(active({1}), "1:" + ticker);
}

}  // namespace
}  // namespace signalbox
