#include "adapters/postgres_runs.hpp"

#include <gmock/gmock.h>

#include "contract/pipeline_store_suite.hpp"
#include "contract/platform_place.hpp"
#include "contract/run_ledger_suite.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

PostgresRunsOptions options_of(PlatformDatabase& platform) {
  PostgresRunsOptions options{.postgres = platform.database().options()};
  options.postgres.application_name = "ledger";
  return options;
}

void put_pipelines(PlatformDatabase& platform) {
  for (int number = 1; number < 10; ++number) platform.put({.number = number});
}

void put_run(PlatformDatabase& platform, const StoredRun& run) {
  const auto ago = [](std::chrono::seconds age) { return std::to_string(age.count()); };
  std::optional<std::string> started;
  if (run.started_ago) started = ago(*run.started_ago);
  platform.connection().execute(
      "INSERT INTO public.executions (id, pipeline_id, user_id, status, symbol, started_at,"
      " created_at) SELECT gen_random_uuid(), $1, $2, $3::executionstatus, $4,"
      " now_utc - make_interval(secs => $5::float), now_utc - make_interval(secs => $6::float)"
      " FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now_utc) t",
      {to_text(pipeline_id(run.pipeline)), to_text(pipeline_owner()), run.status, run.symbol,
       started, ago(run.created_ago)});
}

class PostgresRunPlace final : public RunPlace {
 public:
  PostgresRunPlace() { put_pipelines(platform_); }

  std::unique_ptr<RunLedger> make_ledger(std::vector<std::string> blocking) override {
    PostgresRunsOptions options = options_of(platform_);
    options.blocking = std::move(blocking);
    return std::make_unique<PostgresRuns>(std::move(options));
  }
  void put(const StoredRun& run) override { put_run(platform_, run); }

 private:
  PlatformDatabase platform_;
};

INSTANTIATE_TEST_SUITE_P(Postgres, RunLedgerContract,
                         testing::Values(RunLedgerAdapter{
                             "Postgres", [] { return std::make_unique<PostgresRunPlace>(); }}),
                         run_ledger_name);

class PostgresRunsTest : public testing::Test {
 protected:
  PostgresRunsTest() : ledger_(options_of(platform_)) { put_pipelines(platform_); }

  std::size_t active_count() { return ledger_.active(std::vector{pipeline_id(1)}).runs.size(); }

  PlatformDatabase platform_;
  PostgresRuns ledger_;
};

/// 5,000 runs a pipeline, of which each `active_each`th is active.
void put_runs(PlatformDatabase& platform, int active_each) {
  platform.connection().run_script(
      "INSERT INTO public.executions (id, pipeline_id, user_id, status, symbol, created_at)"
      " SELECT gen_random_uuid(), p.id, p.user_id, (CASE WHEN n % " +
      std::to_string(active_each) +
      " = 0 THEN 'MONITORING' ELSE 'COMPLETED' END)::executionstatus, 'AAPL',"
      " (now() AT TIME ZONE 'UTC') - n * interval '1s'"
      " FROM public.pipelines p, generate_series(1, 5000) n; ANALYZE public.executions");
}

TEST_F(PostgresRunsTest, UsesTheIndexOfPipelineAndStatus) {
  put_runs(platform_, 5);
  const auto plan = ledger_.explain(std::vector{pipeline_id(1)});
  EXPECT_THAT(plan, Contains(HasSubstr("ix_executions_pipeline_status")));
}

TEST_F(PostgresRunsTest, MayUseTheIndexOfTheStatusWhereFewRunsAreActiveButNeverReadsTheTable) {
  put_runs(platform_, 1000);
  const auto plan = ledger_.explain(std::vector{pipeline_id(1), pipeline_id(2)});
  EXPECT_THAT(plan, Contains(HasSubstr("_status")));
  EXPECT_THAT(plan, testing::Not(Contains(HasSubstr("Seq Scan on executions"))));
}

TEST_F(PostgresRunsTest, AsksWithoutATransactionAroundTheStatement) {
  static_cast<void>(active_count());
  static_cast<void>(active_count());
  const auto activity = [&](const std::string& column) {
    return platform_.database().value("SELECT " + column +
                                      " FROM pg_stat_activity WHERE application_name = 'ledger'");
  };
  // The last thing that the server heard is the question itself: no ROLLBACK came behind it.
  EXPECT_THAT(activity("query"), HasSubstr("FROM public.executions"));
  EXPECT_EQ(activity("state"), "idle");
}

TEST_F(PostgresRunsTest, NeedsTheRightToSelectOnly) {
  put_run(platform_, {});
  PostgresRunsOptions options = options_of(platform_);
  options.postgres = platform_.database().options_of_guest();
  platform_.connection().run_script("GRANT SELECT ON public.executions TO " +
                                    options.postgres.user);
  PostgresRuns ledger{options};
  EXPECT_THAT(ledger.active(std::vector{pipeline_id(1)}).runs, SizeIs(1));
}

TEST_F(PostgresRunsTest, AStatusThatTheDatabaseDoesNotKnowYetBreaksNothing) {
  platform_.connection().run_script(
      "CREATE TYPE older AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED');"
      "ALTER TABLE public.executions ALTER COLUMN status TYPE older USING status::text::older;"
      "INSERT INTO public.executions (id, pipeline_id, user_id, status, symbol)"
      " SELECT gen_random_uuid(), id, user_id, 'RUNNING', 'AAPL' FROM public.pipelines");
  EXPECT_EQ(active_count(), 1U);
  const std::vector<PairSince> pairs{{pipeline_id(1), "AAPL", {}}};
  EXPECT_TRUE(ledger_.finished(pairs).empty());
}

TEST_F(PostgresRunsTest, AStatusThatTheDatabaseLearnsLaterIsAskedForAtOnce) {
  platform_.connection().run_script(
      "CREATE TYPE older AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED');"
      "ALTER TABLE public.executions ALTER COLUMN status TYPE older USING status::text::older");
  EXPECT_EQ(active_count(), 0U);
  platform_.connection().execute("ALTER TYPE older ADD VALUE 'MONITORING'");
  platform_.connection().execute(
      "INSERT INTO public.executions (id, pipeline_id, user_id, status, symbol)"
      " SELECT gen_random_uuid(), id, user_id, 'MONITORING', 'AAPL' FROM public.pipelines");
  EXPECT_EQ(active_count(), 1U);
}

TEST_F(PostgresRunsTest, StatusesMayBeTexts) {
  platform_.connection().run_script(
      "ALTER TABLE public.executions ALTER COLUMN status TYPE varchar(30);"
      "INSERT INTO public.executions (id, pipeline_id, user_id, status, symbol)"
      " SELECT gen_random_uuid(), id, user_id, 'MONITORING', 'AAPL' FROM public.pipelines");
  EXPECT_EQ(active_count(), 1U);
}

TEST_F(PostgresRunsTest, ThrowsWhereNothingIsKnownAndGoesOnAfterwards) {
  put_run(platform_, {});
  EXPECT_EQ(active_count(), 1U);
  platform_.break_connections("ledger");
  // The loss may be seen before the question or with it: then the caller asks again.
  std::size_t found = 0;
  for (int attempt = 0; attempt < 2 && found == 0; ++attempt) {
    try {
      found = active_count();
    } catch (const IoError&) {
      continue;
    }
  }
  EXPECT_EQ(found, 1U);
  platform_.connection().run_script("ALTER TABLE public.executions RENAME TO gone");
  EXPECT_THROW(active_count(), IoError);
  platform_.connection().run_script("ALTER TABLE public.gone RENAME TO executions");
  EXPECT_EQ(active_count(), 1U);
}

TEST_F(PostgresRunsTest, ALockedTableCostsTheStatementsTimeOnly) {
  PostgresRunsOptions options = options_of(platform_);
  options.postgres.statement_timeout = milliseconds{200};
  options.postgres.lock_timeout = milliseconds{100};
  PostgresRuns ledger{options};
  EXPECT_EQ(ledger.active(std::vector{pipeline_id(1)}).runs.size(), 0U);
  platform_.connection().execute("BEGIN");
  platform_.connection().execute("LOCK TABLE public.executions IN ACCESS EXCLUSIVE MODE");
  EXPECT_THROW(ledger.active(std::vector{pipeline_id(1)}), IoError);
  platform_.connection().execute("ROLLBACK");
  EXPECT_EQ(ledger.active(std::vector{pipeline_id(1)}).runs.size(), 0U);
}

}  // namespace
}  // namespace signalbox
