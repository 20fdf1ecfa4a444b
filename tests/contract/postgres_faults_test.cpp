#include "adapters/postgres_faults.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/postgres_schema.hpp"
#include "adapters/postgres_sink.hpp"
#include "contract/postgres_batch.hpp"
#include "contract/reply_eater.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

PostgresSinkOptions options_for(const PostgresOptions& postgres) {
  PostgresSinkOptions options{.postgres = postgres, .group = "group"};
  options.postgres.lock_timeout = std::chrono::milliseconds{200};
  return options;
}

std::vector<std::size_t> rejected_rows(const WriteOutcome& outcome) {
  std::vector<std::size_t> rows;
  if (const auto* rejected = std::get_if<RowsRejected>(&outcome)) {
    for (const RejectedRow& row : rejected->rows) rows.push_back(row.index);
  }
  return rows;
}

class PostgresFaults : public testing::Test {
 protected:
  PostgresFaults() { prepare(database_); }

  static void prepare(TestDatabase& database) {
    database.connection().run_script(kOriginalMarketData);
    migrate(database.connection());
  }

  std::optional<Fence> fence() {
    const FenceMap fences = sink_.read_fences({&AnyBatch::partition(), 1});
    return fences.empty() ? std::nullopt : std::optional{fences.begin()->second};
  }

  std::string candles() { return database_.value("SELECT count(*) FROM market_data"); }

  TestDatabase database_;
  PostgresSink sink_{options_for(database_.options())};
};

TEST_F(PostgresFaults, ThreePoisonRowsAmongFiveHundredAreFoundAndNothingIsWritten) {
  AnyBatch batch;
  for (int i = 0; i < 500; ++i) {
    CandleOf candle{.minute = i};
    if (i == 0) candle.volume = "1e21";                     // 22003: more than numeric(28,8) holds
    if (i == 250) candle.high = "1";                        // 23514: below the low
    if (i == 499) candle.symbol = "ABCDEFGHIJKLMNOPQRSTU";  // 22001: too long
    batch.candle(candle);
  }
  const WriteOutcome outcome = sink_.write(batch.get());
  EXPECT_THAT(rejected_rows(outcome), testing::UnorderedElementsAre(0, 250, 499));
  EXPECT_THAT(name_of(outcome), AllOf(HasSubstr("22003"), HasSubstr("23514"), HasSubstr("22001")));
  EXPECT_EQ(candles(), "0");
  EXPECT_EQ(fence(), std::nullopt);
}

TEST_F(PostgresFaults, AnIllNumberCostsItsRowOnly) {
  auto batch = AnyBatch{}.candle({.minute = 0}).candle({.minute = 1, .close = "1},{2"});
  EXPECT_THAT(rejected_rows(sink_.write(batch.get())), ElementsAre(1));
}

TEST_F(PostgresFaults, ALonePoisonRowIsToldFromATableThatRefusesEverything) {
  auto poison = AnyBatch{}.candle({.high = "1"});
  EXPECT_THAT(rejected_rows(sink_.write(poison.get())), ElementsAre(0));

  database_.sql("ALTER TABLE market_data ADD CONSTRAINT closed_for_today CHECK (false) NOT VALID");
  EXPECT_THAT(name_of(sink_.write(AnyBatch{}.candle({}).get())),
              StartsWith("Unavailable: the table refuses every row"));
}

TEST_F(PostgresFaults, APoisonRowIsBlamedEvenWhereOnlyListedSymbolsAreTaken) {
  database_.sql("CREATE TABLE symbols (symbol varchar(20) PRIMARY KEY)");
  database_.sql("INSERT INTO symbols VALUES ('BTCUSDC')");
  database_.sql("ALTER TABLE market_data ADD FOREIGN KEY (symbol) REFERENCES symbols");
  EXPECT_THAT(rejected_rows(sink_.write(AnyBatch{}.candle({.high = "1"}).get())), ElementsAre(0));
  ASSERT_EQ(name_of(sink_.write(AnyBatch{}.candle({}).get())), "Committed");
  // Nothing but the newest candle, written again, shows that the table takes rows.
  EXPECT_THAT(rejected_rows(sink_.write(AnyBatch{1}.candle({.symbol = "UNLISTED"}).get())),
              ElementsAre(0));
}

TEST_F(PostgresFaults, ADeferredConstraintBlamesItsRowToo) {
  database_.connection().run_script(
      "CREATE FUNCTION no_eth() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.symbol = "
      "''ETHUSDC'' THEN RAISE EXCEPTION ''no'' USING ERRCODE = ''23514''; END IF; RETURN NULL; "
      "END';"
      "CREATE CONSTRAINT TRIGGER no_eth AFTER INSERT ON market_data DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION no_eth()");
  auto batch = AnyBatch{}
                   .candle({.symbol = "BTCUSDC"})
                   .candle({.symbol = "ETHUSDC"})
                   .candle({.symbol = "XRPUSDC"});
  EXPECT_THAT(rejected_rows(sink_.write(batch.get())), ElementsAre(1));
}

TEST_F(PostgresFaults, ARefusedRecordCostsItselfAndNotTheCandlesBesideIt) {
  database_.sql("ALTER TABLE signalbox.orders ADD CHECK (price < 100)");
  RecordFields dear;
  dear.price = "101";
  RecordFields cheap;
  cheap.price = "99";
  auto batch = AnyBatch{}.candle({}).record("orders", "{}", cheap).record("orders", "{}", dear);
  EXPECT_THAT(rejected_rows(sink_.write(batch.get())), ElementsAre(2));
}

TEST_F(PostgresFaults, AMissingPartitionIsWaitedForAndACheckInOneIsNot) {
  database_.sql("DROP TABLE public.market_data");
  database_.sql(
      "CREATE TABLE public.market_data (LIKE signalbox.shadow_market_data INCLUDING DEFAULTS, "
      "CHECK (high >= low), PRIMARY KEY (time, symbol, timeframe)) PARTITION BY RANGE (time)");
  const auto batch = [] { return AnyBatch{}.candle({}); };
  EXPECT_THAT(name_of(sink_.write(batch().get())),
              AllOf(StartsWith("Unavailable"), HasSubstr("no partition of relation")));

  database_.sql(
      "CREATE TABLE public.y2025 PARTITION OF public.market_data FOR VALUES FROM ('2025-01-01') TO "
      "('2026-01-01')");
  auto bad = AnyBatch{}.candle({.minute = 0, .high = "1"}).candle({.minute = 1});
  EXPECT_THAT(rejected_rows(sink_.write(bad.get())), ElementsAre(0));
  EXPECT_EQ(name_of(sink_.write(batch().get())), "Committed");
}

TEST_F(PostgresFaults, ALockedTableCostsWaitingOnly) {
  ASSERT_EQ(name_of(sink_.write(AnyBatch{}.candle({}).get())), "Committed");
  database_.sql("BEGIN");
  database_.sql("LOCK TABLE market_data IN ACCESS EXCLUSIVE MODE");
  auto next = AnyBatch{1}.candle({.minute = 1});
  EXPECT_THAT(name_of(sink_.write(next.get())),
              AllOf(StartsWith("Unavailable"), HasSubstr("55P03")));
  database_.sql("COMMIT");
  EXPECT_EQ(name_of(sink_.write(next.get())), "Committed");
  EXPECT_EQ(candles(), "2");
}

TEST_F(PostgresFaults, AReadOnlyDatabaseIsWaitedForAndSaidInTheInspection) {
  database_.sql("ALTER DATABASE " + database_.options().database +
                " SET default_transaction_read_only = on");
  EXPECT_THAT(name_of(sink_.write(AnyBatch{}.candle({}).get())),
              AllOf(StartsWith("Unavailable"), HasSubstr("25006")));
  EXPECT_THAT(sink_.inspect(), Contains(Field(&SinkWarning::code, "READ_ONLY")));
  PostgresConnection free{database_.options()};
  free.execute("SET default_transaction_read_only = off");
  free.execute("ALTER DATABASE " + database_.options().database +
               " RESET default_transaction_read_only");
  // A refused sink looks at the server anew.
  EXPECT_THAT(name_of(sink_.write(AnyBatch{}.candle({}).get())), StartsWith("Unavailable"));
  EXPECT_EQ(name_of(sink_.write(AnyBatch{}.candle({}).get())), "Committed");
}

TEST_F(PostgresFaults, ARoleWithoutRightsIsWaitedForAndSaidInTheInspection) {
  const PostgresOptions guest = database_.options_of_guest();
  database_.sql("GRANT USAGE ON SCHEMA signalbox TO " + guest.user);
  database_.sql("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA signalbox TO " + guest.user);
  PostgresSink sink{options_for(guest)};
  EXPECT_THAT(name_of(sink.write(AnyBatch{}.candle({}).get())),
              AllOf(StartsWith("Unavailable"), HasSubstr("42501")));
  EXPECT_THAT(sink.inspect(), ElementsAre(Field(&SinkWarning::code, "NO_RIGHT_ON_MARKET_DATA")));
  database_.sql("GRANT SELECT, INSERT, UPDATE ON market_data TO " + guest.user);
  EXPECT_EQ(name_of(sink.write(AnyBatch{}.candle({}).get())), "Committed");
  EXPECT_THAT(sink.inspect(), IsEmpty());
}

TEST_F(PostgresFaults, WhatTheServerMayForgetIsSaid) {
  database_.sql("ALTER DATABASE " + database_.options().database + " SET synchronous_commit = off");
  EXPECT_THAT(sink_.inspect(), ElementsAre(Field(&SinkWarning::code, "AT_RISK")));
}

TEST_F(PostgresFaults, ALostReplyIsUnknownAndTheFenceTellsThatItLanded) {
  const PostgresOptions direct = database_.options();
  ReplyEater relay{direct.host, direct.port};
  PostgresSinkOptions options = options_for(direct);
  options.postgres.host = "127.0.0.1";
  options.postgres.port = relay.port();
  PostgresSink sink{options};
  ASSERT_EQ(name_of(sink.write(AnyBatch{}.candle({}).get())), "Committed");

  auto next = AnyBatch{1}.candle({.minute = 1, .close = "10"}).candle({.minute = 1});
  relay.eat_next_reply();
  const WriteOutcome outcome = sink.write(next.get());

  ASSERT_THAT(name_of(outcome), StartsWith("Unknown"));
  EXPECT_EQ(std::get<Unknown>(outcome).if_landed.superseded, 1);
  EXPECT_EQ(fence(), fence_after(3));
  EXPECT_EQ(name_of(sink.write(next.get())), "Refused");
  EXPECT_EQ(candles(), "2");
}

TEST_F(PostgresFaults, ABackendThatDiesInTheWriteIsUnknownAndTheFenceTellsThatItDidNotLand) {
  ASSERT_EQ(name_of(sink_.write(AnyBatch{}.candle({}).get())), "Committed");
  database_.connection().run_script(
      "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
      "pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';"
      "CREATE TRIGGER die AFTER INSERT ON market_data FOR EACH ROW EXECUTE FUNCTION die()");
  auto next = AnyBatch{1}.candle({.minute = 1});
  EXPECT_THAT(name_of(sink_.write(next.get())), StartsWith("Unknown"));
  EXPECT_EQ(fence(), fence_after(1));
  database_.sql("DROP TRIGGER die ON market_data");
  EXPECT_EQ(name_of(sink_.write(next.get())), "Committed");
}

TEST_F(PostgresFaults, AConnectionThatWasClosedMeanwhileIsReplacedWithoutAWord) {
  ASSERT_EQ(name_of(sink_.write(AnyBatch{}.candle({}).get())), "Committed");
  database_.sql(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = "
      "current_database() AND pid <> pg_backend_pid()");
  EXPECT_EQ(name_of(sink_.write(AnyBatch{1}.candle({.minute = 1}).get())), "Committed");
}

TEST_F(PostgresFaults, BetweenWritesTheConnectionIsInNoTransaction) {
  ASSERT_EQ(name_of(sink_.write(AnyBatch{}.candle({}).get())), "Committed");
  ASSERT_THAT(rejected_rows(sink_.write(AnyBatch{1}.candle({.high = "1"}).get())), ElementsAre(0));
  EXPECT_THAT(database_.sql("SELECT state FROM pg_stat_activity WHERE datname = current_database() "
                            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"),
              ElementsAre("idle"));
}

TEST_F(PostgresFaults, PreparedStatementsThatGetLostAreMadeAnewAndSaid) {
  ASSERT_EQ(name_of(sink_.write(AnyBatch{}.candle({}).get())), "Committed");
  database_.connection().run_script(
      "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DEALLOCATE ALL; RETURN "
      "NEW; END';"
      "CREATE CONSTRAINT TRIGGER forget AFTER INSERT ON market_data DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION forget()");
  ASSERT_EQ(name_of(sink_.write(AnyBatch{1}.candle({.minute = 1}).get())), "Committed");
  database_.sql("DROP TRIGGER forget ON market_data");
  auto next = AnyBatch{2}.candle({.minute = 2});
  EXPECT_THAT(name_of(sink_.write(next.get())),
              AllOf(StartsWith("Unavailable"), HasSubstr("26000")));
  EXPECT_EQ(name_of(sink_.write(next.get())), "Committed");
  EXPECT_THAT(sink_.inspect(), Contains(Field(&SinkWarning::code, "POOLED_BY_TRANSACTION")));
}

TEST_F(PostgresFaults, AMissingTableIsWaitedForWithAWordOnWhatToRun) {
  ASSERT_EQ(name_of(sink_.write(AnyBatch{}.candle({}).get())), "Committed");
  database_.sql("DROP TABLE market_data");
  auto next = AnyBatch{1}.candle({.minute = 1});
  EXPECT_THAT(name_of(sink_.write(next.get())),
              AllOf(StartsWith("Unavailable"), HasSubstr("run: signalbox migrate")));
  EXPECT_THAT(sink_.inspect(), Contains(Field(&SinkWarning::code, "NO_MARKET_DATA")));
  migrate(database_.connection());
  EXPECT_EQ(name_of(sink_.write(next.get())), "Committed");
}

TEST(PostgresStart, AMissingSchemaIsWaitedFor) {
  TestDatabase database;
  PostgresSink sink{options_for(database.options())};
  EXPECT_THAT(name_of(sink.write(AnyBatch{}.candle({}).get())),
              AllOf(StartsWith("Unavailable"), HasSubstr("run: signalbox migrate")));
  EXPECT_THROW(sink.read_fences({&AnyBatch::partition(), 1}), IoError);
  migrate(database.connection());
  EXPECT_EQ(name_of(sink.write(AnyBatch{}.candle({}).get())), "Committed");
}

TEST(PostgresStart, AServerThatIsNotThereIsWaitedFor) {
  PostgresOptions nowhere = test_postgres();
  nowhere.host = "127.0.0.1";
  nowhere.port = 1;
  PostgresSink sink{options_for(nowhere)};
  EXPECT_THAT(name_of(sink.write(AnyBatch{}.candle({}).get())), StartsWith("Unavailable"));
  EXPECT_THROW(sink.ping(), IoError);
}

TEST(PostgresStart, AMissingDatabaseIsWaitedFor) {
  PostgresOptions missing = test_postgres();
  missing.database = "signalbox_no_such_database";
  PostgresSink sink{options_for(missing)};
  EXPECT_THAT(name_of(sink.write(AnyBatch{}.candle({}).get())),
              AllOf(StartsWith("Unavailable"), HasSubstr("does not exist")));
}

}  // namespace
}  // namespace signalbox
