#include "adapters/sqlite_platform.hpp"

#include <gmock/gmock.h>

#include <chrono>

#include "adapters/sqlite_executions.hpp"
#include "adapters/sqlite_pipelines.hpp"
#include "adapters/sqlite_runs.hpp"
#include "contract/pipeline_store_suite.hpp"
#include "contract/run_ledger_suite.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

using testing::Each;
using testing::Field;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

/// An embedded file with the platform's tables, and a connection of the test's own to it.
class PlatformFile {
 public:
  PlatformFile() : database_({.file = options().file}) { make_platform(database_); }

  SqliteOptions options() const { return {.file = folder_ / "signalbox.db"}; }
  SqliteDatabase& database() { return database_; }

 private:
  TemporaryFolder folder_;
  SqliteDatabase database_;
};

class SqlitePipelinePlace final : public PipelinePlace {
 public:
  std::unique_ptr<PipelineStore> make_store() override {
    return std::make_unique<SqlitePipelines>(file_.options());
  }
  void put(const StoredPipeline& pipeline) override {
    file_.database()
        .prepare(
            "INSERT OR REPLACE INTO pipelines (id, user_id, name, is_active, trigger_mode, config,"
            " signal_subscriptions, scanner_tickers, scanner_config)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .run(to_text(pipeline_id(pipeline.number)), to_text(pipeline_owner()), pipeline.name,
             pipeline.is_active ? 1 : 0, pipeline.trigger_mode, pipeline.config,
             pipeline.subscriptions, pipeline.scanner_tickers, pipeline.scanner_config);
  }
  void remove(int number) override {
    file_.database()
        .prepare("DELETE FROM pipelines WHERE id = ?")
        .run(to_text(pipeline_id(number)));
  }
  Changes changes() const override { return Changes::Told; }

 private:
  PlatformFile file_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, PipelineStoreContract,
                         testing::Values(PipelineStoreAdapter{
                             "Sqlite", [] { return std::make_unique<SqlitePipelinePlace>(); }}),
                         pipeline_store_name);

class SqliteRunPlace final : public RunPlace {
 public:
  std::unique_ptr<RunLedger> make_ledger(std::vector<std::string> blocking) override {
    return std::make_unique<SqliteRuns>(
        SqliteRunsOptions{.sqlite = file_.options(), .blocking = std::move(blocking)});
  }
  void put(const StoredRun& run) override {
    const auto now =
        std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const auto before = [&](std::chrono::seconds age) {
      return std::int64_t{(now - age).time_since_epoch().count()};
    };
    std::optional<std::int64_t> started;
    if (run.started_ago) started = before(*run.started_ago);
    file_.database()
        .prepare(
            "INSERT INTO executions (id, pipeline_id, status, symbol, started_at_us,"
            " created_at_us) VALUES (?, ?, ?, ?, ?, ?)")
        .run(std::to_string(++count_), to_text(pipeline_id(run.pipeline)), run.status, run.symbol,
             started, before(run.created_ago));
  }

 private:
  PlatformFile file_;
  int count_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, RunLedgerContract,
                         testing::Values(RunLedgerAdapter{
                             "Sqlite", [] { return std::make_unique<SqliteRunPlace>(); }}),
                         run_ledger_name);

TEST(SqlitePlatform, TheSeededPipelinesCanAllBeRead) {
  PlatformFile file;
  EXPECT_TRUE(seed_pipelines(file.database()));
  const LoadedPipelines loaded = SqlitePipelines{file.options()}.load();
  EXPECT_THAT(loaded.malformed, IsEmpty());
  EXPECT_THAT(loaded.pipelines, SizeIs(5));
  EXPECT_THAT(loaded.pipelines, Each(Field(&Pipeline::tickers, Not(IsEmpty()))));
}

TEST(SqlitePlatform, SeedsNothingWherePipelinesAre) {
  PlatformFile file;
  EXPECT_TRUE(seed_pipelines(file.database()));
  file.database().execute("DELETE FROM pipelines WHERE name <> 'Ether swing'");
  EXPECT_FALSE(seed_pipelines(file.database()));
  EXPECT_THAT(SqlitePipelines{file.options()}.load().pipelines, SizeIs(1));
}

TEST(SqlitePlatform, ARowWithAConfigurationThatIsNoJsonIsMalformed) {
  PlatformFile file;
  seed_pipelines(file.database());
  file.database().execute("UPDATE pipelines SET config = 'x' WHERE name = 'Ether swing'");
  const LoadedPipelines loaded = SqlitePipelines{file.options()}.load();
  EXPECT_THAT(loaded.malformed, SizeIs(1));
  EXPECT_THAT(loaded.pipelines, SizeIs(4));
}

RunStart run_of(std::string task_id) {
  return {.task_id = std::move(task_id),
          .pipeline = parse_uuid("5eed0000-0000-4000-8000-000000000001").value(),
          .ticker = "ETHBTC",
          .signal_id = "golden_cross-10-30-ETHBTC-1515575400",
          .arguments = "{}"};
}

TEST(SqliteExecutions, ATaskHasOneRunHoweverOftenItIsTaken) {
  const PlatformFile file;
  SqliteExecutions executions{file.options()};
  const ReceivedAt start{std::chrono::seconds{1'700'000'000}};

  EXPECT_EQ(executions.begin(run_of("task"), start), RunBegun::First);
  EXPECT_EQ(executions.begin(run_of("task"), start + std::chrono::seconds{5}), RunBegun::Again);
  executions.complete("task", start + std::chrono::seconds{6});
  EXPECT_EQ(executions.begin(run_of("task"), start + std::chrono::seconds{7}),
            RunBegun::EndedBefore);

  const std::vector<RunRow> runs = executions.last(10);
  ASSERT_THAT(runs, SizeIs(1));
  EXPECT_EQ(runs[0].status, "COMPLETED");
  EXPECT_EQ(runs[0].starts, 2);
  EXPECT_EQ(runs[0].started_at, start + std::chrono::seconds{5});
  EXPECT_EQ(runs[0].completed_at, start + std::chrono::seconds{6});
}

TEST(SqliteExecutions, ListsTheNewestFirstWithTheNameOfTheirPipeline) {
  PlatformFile file;
  seed_pipelines(file.database());
  SqliteExecutions executions{file.options()};
  for (const char* task : {"first", "second", "third"}) {
    executions.begin(run_of(task), ReceivedAt{std::chrono::seconds{1'700'000'000}});
  }
  const std::vector<RunRow> runs = executions.last(2);
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].task_id, "third");
  EXPECT_EQ(runs[1].task_id, "second");
  EXPECT_EQ(runs[0].pipeline, "Ether swing");
  EXPECT_EQ(runs[0].signal_id, "golden_cross-10-30-ETHBTC-1515575400");
  EXPECT_EQ(runs[0].status, "RUNNING");
  EXPECT_EQ(runs[0].completed_at, std::nullopt);
}

TEST(SqliteExecutions, ARunKeepsItsPairBusyUntilItEnds) {
  const PlatformFile file;
  SqliteExecutions executions{file.options()};
  SqliteRuns ledger{{.sqlite = file.options()}};
  const Uuid pipeline = run_of("task").pipeline;
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());

  executions.begin(run_of("task"), now);
  EXPECT_THAT(ledger.active({&pipeline, 1}).runs, SizeIs(1));
  executions.complete("task", now);
  EXPECT_THAT(ledger.active({&pipeline, 1}).runs, IsEmpty());
}

}  // namespace
}  // namespace signalbox
