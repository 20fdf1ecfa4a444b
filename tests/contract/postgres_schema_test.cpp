#include "adapters/postgres_schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "contract/postgres_place.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PostgresSchema : public testing::Test {
 protected:
  TestDatabase database_;
};

TEST_F(PostgresSchema, IsMissingInAnEmptyDatabaseAndOkAfterMigrate) {
  EXPECT_EQ(check_schema(database_.connection()), SchemaState::Missing);
  const MigrationReport report = migrate(database_.connection());
  EXPECT_EQ(report.from_version, 0);
  EXPECT_EQ(report.to_version, kSchemaVersion);
  EXPECT_EQ(report.closed_candles, ClosedCandles::Column);
  EXPECT_EQ(check_schema(database_.connection()), SchemaState::Ok);
}

TEST_F(PostgresSchema, ASecondMigrateDoesNothing) {
  migrate(database_.connection());
  EXPECT_THAT(migrate(database_.connection()).done, IsEmpty());
}

TEST_F(PostgresSchema, IsMadeOnceFromFourPlacesAtOnce) {
  std::atomic<int> upgrades{0};
  {
    std::vector<std::jthread> places;
    for (int i = 0; i < 4; ++i) {
      places.emplace_back([&] {
        try {
          PostgresConnection connection{database_.options()};
          if (!migrate(connection).done.empty()) ++upgrades;
        } catch (const IoError& error) {
          ADD_FAILURE() << error.what();
        }
      });
    }
  }
  EXPECT_EQ(upgrades, 1);
  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.schema_version"), "1");
}

TEST_F(PostgresSchema, OlderAndNewerAreToldApart) {
  migrate(database_.connection());
  database_.sql("UPDATE signalbox.schema_version SET version = 99");
  EXPECT_EQ(check_schema(database_.connection()), SchemaState::Newer);
  EXPECT_THROW(migrate(database_.connection()), IoError);
  database_.sql("UPDATE signalbox.schema_version SET version = 0");
  // Version 0 is a schema whose making was recorded but not done: nothing to work with.
  EXPECT_EQ(check_schema(database_.connection()), SchemaState::Missing);
  EXPECT_THAT(std::string(advice_for(SchemaState::Older)), HasSubstr("signalbox migrate"));
}

TEST_F(PostgresSchema, AFailedMigrationLeavesNothingAndNoLock) {
  database_.sql("CREATE SCHEMA signalbox");
  database_.sql("CREATE TABLE signalbox.orders (theirs integer)");
  EXPECT_THROW(migrate(database_.connection()), IoError);
  EXPECT_EQ(check_schema(database_.connection()), SchemaState::Missing);
  database_.sql("DROP TABLE signalbox.orders");
  PostgresConnection other{database_.options()};
  migrate(other);
  EXPECT_EQ(check_schema(database_.connection()), SchemaState::Ok);
}

TEST_F(PostgresSchema, MarketDataIsMadeWithTheOriginalsColumns) {
  migrate(database_.connection());
  EXPECT_THAT(
      database_.sql("SELECT column_name || ' ' || data_type || coalesce(' ' || numeric_precision "
                    "|| ',' || numeric_scale, '') || ' ' || is_nullable FROM "
                    "information_schema.columns WHERE table_schema = 'public' AND table_name = "
                    "'market_data' ORDER BY ordinal_position"),
      ElementsAre("time timestamp with time zone NO", "symbol character varying NO",
                  "timeframe character varying NO", "open numeric 20,8 NO", "high numeric 20,8 NO",
                  "low numeric 20,8 NO", "close numeric 20,8 NO", "volume numeric 28,8 NO",
                  "quote_asset_volume numeric 28,8 YES", "number_of_trades integer 32,0 YES",
                  "taker_buy_base_asset_volume numeric 28,8 YES",
                  "taker_buy_quote_asset_volume numeric 28,8 YES",
                  "created_at timestamp with time zone YES",
                  "updated_at timestamp with time zone YES", "is_closed boolean YES"));
}

TEST_F(PostgresSchema, AnExistingMarketDataOnlyGetsOneColumn) {
  database_.connection().run_script(kOriginalMarketData);
  database_.sql("INSERT INTO market_data VALUES ('2024-05-01', 'BTCUSDC', '1m', 1, 2, 1, 2, 5)");
  const std::string shape =
      "SELECT string_agg(conname || pg_get_constraintdef(oid), ';' ORDER BY conname) || "
      "(SELECT string_agg(indexdef, ';' ORDER BY indexname) FROM pg_indexes WHERE tablename = "
      "'market_data') || (SELECT string_agg(pg_get_triggerdef(oid), ';' ORDER BY tgname) FROM "
      "pg_trigger WHERE tgrelid = 'market_data'::regclass) FROM pg_constraint WHERE conrelid = "
      "'market_data'::regclass";
  const std::string before = database_.value(shape);
  const std::string file = database_.value("SELECT pg_relation_filenode('market_data')");

  const MigrationReport report = migrate(database_.connection());

  EXPECT_THAT(report.done, Contains("public.market_data: column is_closed added"));
  EXPECT_EQ(database_.value(shape), before);
  EXPECT_EQ(database_.value("SELECT pg_relation_filenode('market_data')"), file);
  EXPECT_EQ(database_.value("SELECT count(*) FROM market_data WHERE is_closed IS NULL"), "1");
}

TEST_F(PostgresSchema, ARoleThatMayNotAlterMarketDataUsesTheSideTable) {
  database_.connection().run_script(kOriginalMarketData);
  const PostgresOptions guest = database_.options_of_guest();
  database_.sql("GRANT CREATE ON DATABASE " + guest.database + " TO " + guest.user);
  database_.sql("GRANT SELECT, INSERT, UPDATE ON market_data TO " + guest.user);
  PostgresConnection connection{guest};

  const MigrationReport report = migrate(connection);

  EXPECT_EQ(report.closed_candles, ClosedCandles::SideTable);
  EXPECT_THAT(report.done, Not(Contains(HasSubstr("is_closed"))));
  EXPECT_EQ(check_schema(connection), SchemaState::Ok);
  EXPECT_EQ(find_closed_candles(connection), ClosedCandles::SideTable);
}

}  // namespace
}  // namespace signalbox
