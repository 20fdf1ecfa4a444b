#include "adapters/postgres_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/postgres_schema.hpp"
#include "contract/postgres_batch.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

PostgresSinkOptions options_for(const PostgresOptions& postgres) {
  PostgresSinkOptions options{.postgres = postgres, .group = "group"};
  options.postgres.application_name = "sink of a test";
  return options;
}

/// A database with the original's table, its NOTIFY trigger, and our schema.
class PostgresSinkTest : public testing::Test {
 protected:
  PostgresSinkTest() {
    database_.connection().run_script(kOriginalMarketData);
    migrate(database_.connection());
  }

  std::optional<Fence> fence() {
    const FenceMap fences = sink_.read_fences({&AnyBatch::partition(), 1});
    return fences.empty() ? std::nullopt : std::optional{fences.begin()->second};
  }

  TestDatabase database_;
  PostgresSink sink_{options_for(database_.options())};
};

TEST_F(PostgresSinkTest, StoresACandleWithEveryDigit) {
  auto batch = AnyBatch{}.candle({.open = "0.12345678",
                                  .high = "99999999999.12345678",
                                  .low = "1e-8",
                                  .close = "5",
                                  .volume = "1.50"});
  ASSERT_EQ(name_of(sink_.write(batch.get())), "Committed");
  EXPECT_THAT(
      database_.sql(
          "SELECT concat_ws(' ', time, symbol, timeframe, open, high, low, close, volume, "
          "is_closed) FROM market_data"),
      ElementsAre("2025-01-01 00:00:00+00 BTCUSDC 1m 0.12345678 99999999999.12345678 0.00000001 "
                  "5.00000000 1.50000000 t"));
}

TEST_F(PostgresSinkTest, TheRowTriggerFiresOncePerRowAndSaysInsertOnlyForNewOnes) {
  database_.sql("CREATE TABLE told (id serial, action text, time timestamptz)");
  database_.connection().run_script(
      "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO told (action, "
      "time) VALUES (TG_OP, NEW.time); RETURN NEW; END';"
      "CREATE TRIGGER note AFTER INSERT OR UPDATE ON market_data FOR EACH ROW EXECUTE FUNCTION "
      "note()");
  ASSERT_EQ(name_of(sink_.write(AnyBatch{}.candle({.minute = 0}).candle({.minute = 1}).get())),
            "Committed");
  ASSERT_EQ(name_of(sink_.write(
                AnyBatch{2}.candle({.minute = 1, .close = "10"}).candle({.minute = 2}).get())),
            "Committed");
  EXPECT_THAT(database_.sql("SELECT action || to_char(time, ' MI') FROM told ORDER BY id"),
              ElementsAre("INSERT 00", "INSERT 01", "UPDATE 01", "INSERT 02"));
}

TEST_F(PostgresSinkTest, CandlesOfOneKeyBecomeOneRowAndCountAsSuperseded) {
  auto batch = AnyBatch{}
                   .candle({.close = "9", .is_closed = false})
                   .candle({.close = "10", .is_closed = true})
                   .candle({.close = "11", .is_closed = false});
  const WriteOutcome outcome = sink_.write(batch.get());
  ASSERT_EQ(name_of(outcome), "Committed");
  EXPECT_EQ(std::get<Committed>(outcome).superseded, 2);
  EXPECT_EQ(database_.value("SELECT close::text || is_closed FROM market_data"), "10.00000000true");
}

TEST_F(PostgresSinkTest, ACandleWithoutAFieldItsRowNeedsIsRejectedBeforeAnythingIsSent) {
  auto batch = AnyBatch{}.candle({.minute = 0}).candle({.minute = 1, .close = ""});
  EXPECT_EQ(name_of(sink_.write(batch.get())), "RowsRejected: 1 missing_field (close)");
  EXPECT_EQ(fence(), std::nullopt);
}

TEST_F(PostgresSinkTest, RecordsAreStoredWithTheirPayloadAndOnceOnly) {
  RecordFields fields;
  fields.symbol = "BTCUSDC";
  fields.side = std::string("B\0UY", 4);
  fields.price = "115001.400000000000000001";
  const std::string payload = R"({"note": "\u0000 \"x\" ä"})";
  auto batch = AnyBatch{}
                   .record("signals", payload, fields)
                   .record("analyzer.signals", "{}")
                   .record("signals.filtered", "{}")
                   .record("orders", "{}")
                   .record("executions", "{}");
  ASSERT_EQ(name_of(sink_.write(batch.get())), "Committed");
  EXPECT_THAT(database_.sql("SELECT kind FROM signalbox.signals ORDER BY source_offset"),
              ElementsAre("signal", "analyzer_signal", "filtered_signal"));
  EXPECT_EQ(database_.value("SELECT concat_ws('|', symbol, side, price, payload, source_topic, "
                            "source_partition, source_offset) FROM signalbox.signals WHERE kind = "
                            "'signal'"),
            "BTCUSDC|B\xEF\xBF\xBDUY|115001.400000000000000001|" + payload + "|signals|0|0");
  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.orders"), "1");
  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.executions"), "1");

  // The fence was set back by hand: the same messages come again.
  database_.sql("DELETE FROM signalbox.fences");
  ASSERT_EQ(name_of(sink_.write(batch.get())), "Committed");
  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.signals"), "3");
}

TEST_F(PostgresSinkTest, ATopicThatIsMadeAnewStoresItsMessagesBesideTheOldOnes) {
  auto batch = AnyBatch{}.record("orders", "{}");
  ASSERT_EQ(name_of(sink_.write(batch.get())), "Committed");
  database_.sql("UPDATE signalbox.orders SET message_time = message_time - interval '1 day'");
  database_.sql("DELETE FROM signalbox.fences");
  ASSERT_EQ(name_of(sink_.write(batch.get())), "Committed");
  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.orders"), "2");
}

TEST_F(PostgresSinkTest, AReplayOfAStoredMessageStoresNothingNew) {
  auto first = AnyBatch{}.record("orders", "{}");
  ASSERT_EQ(name_of(sink_.write(first.get())), "Committed");
  database_.sql("DELETE FROM signalbox.fences");
  database_.sql("UPDATE signalbox.orders SET message_time = '2025-06-01'");
  const EventTime stored{std::chrono::sys_days{std::chrono::year{2025} / 6 / 1}};
  auto again = AnyBatch{}.record("orders", "{}").replayed(stored);
  ASSERT_EQ(name_of(sink_.write(again.get())), "Committed");
  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.orders"), "1");
}

TEST_F(PostgresSinkTest, ADeadLetterComesTwiceAndIsStoredOnce) {
  DeadLetterFields fields;
  fields.lane = "redis";
  fields.topic = "signals";
  fields.partition = 3;
  fields.offset = Offset{17};
  fields.reason = "not_json";
  fields.detail = "unexpected end";
  fields.key = std::string("k\0\xff", 3);
  fields.whole_size = 950'000;
  fields.sha256 = "ab12";
  const std::string_view payload{"{\0\xfe", 3};
  auto batch = AnyBatch{}.letter(fields, payload).letter(fields, payload);
  ASSERT_EQ(name_of(sink_.write(batch.get())), "Committed");
  EXPECT_THAT(database_.sql("SELECT concat_ws('|', lane, topic, partition, \"offset\", reason, "
                            "detail, key, payload, truncated_size, sha256, rejected_at = "
                            "received_at) FROM signalbox.dead_letters"),
              ElementsAre("redis|signals|3|17|not_json|unexpected end|\\x6b00ff|\\x7b00fe|950000|"
                          "ab12|t"));
}

TEST_F(PostgresSinkTest, AShadowWritesItsCandlesBesideTheRealTable) {
  PostgresSinkOptions options = options_for(database_.options());
  options.candle_table = CandleTable::Shadow;
  PostgresSink shadow{options};
  ASSERT_EQ(name_of(shadow.write(AnyBatch{}.candle({}).get())), "Committed");
  EXPECT_EQ(database_.value("SELECT count(*) FROM market_data"), "0");
  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.shadow_market_data"), "1");
}

/// Both ways to remember which candles are closed.
class PostgresClosedCandles : public testing::TestWithParam<ClosedCandles> {
 protected:
  PostgresClosedCandles() {
    database_.connection().run_script(kOriginalMarketData);
    PostgresOptions user = database_.options();
    if (GetParam() == ClosedCandles::SideTable) {
      user = database_.options_of_guest();
      database_.sql("GRANT CREATE ON DATABASE " + user.database + " TO " + user.user);
      database_.sql("GRANT SELECT, INSERT, UPDATE ON market_data TO " + user.user);
    }
    PostgresConnection connection{user};
    EXPECT_EQ(migrate(connection).closed_candles, GetParam());
    sink_.emplace(options_for(user));
  }

  void write(const CandleOf& candle) {
    ASSERT_EQ(name_of(sink_->write(AnyBatch{next_++}.candle(candle).get())), "Committed");
  }

  std::string close() { return database_.value("SELECT round(close, 0) FROM market_data"); }

  TestDatabase database_;
  std::optional<PostgresSink> sink_;
  std::int64_t next_ = 0;
};

TEST_P(PostgresClosedCandles, AnOpenCandleReplacesAnOpenOne) {
  write({.close = "10", .is_closed = false});
  write({.close = "11", .is_closed = false});
  EXPECT_EQ(close(), "11");
}

TEST_P(PostgresClosedCandles, AClosedCandleReplacesAnOpenOneAndStays) {
  write({.close = "10", .is_closed = false});
  write({.close = "11", .is_closed = true});
  write({.close = "12", .is_closed = false});
  EXPECT_EQ(close(), "11");
}

TEST_P(PostgresClosedCandles, AClosedCandleReplacesAClosedOne) {
  write({.close = "11", .is_closed = true});
  write({.close = "12", .is_closed = true});
  EXPECT_EQ(close(), "12");
}

TEST_P(PostgresClosedCandles, OpenAndClosedCandlesShareABatch) {
  auto batch = AnyBatch{}
                   .candle({.minute = 0, .close = "10", .is_closed = true})
                   .candle({.minute = 1, .close = "11", .is_closed = false});
  ASSERT_EQ(name_of(sink_->write(batch.get())), "Committed");
  next_ = 2;
  write({.minute = 0, .close = "9", .is_closed = false});
  write({.minute = 1, .close = "9", .is_closed = false});
  EXPECT_THAT(database_.sql("SELECT round(close, 0) FROM market_data ORDER BY time"),
              ElementsAre("10", "9"));
}

TEST_P(PostgresClosedCandles, ABadOpenCandleIsFoundBesideGoodClosedOnes) {
  auto batch = AnyBatch{}
                   .candle({.minute = 0})
                   .candle({.minute = 1, .high = "1", .is_closed = false})
                   .candle({.minute = 2, .is_closed = false});
  EXPECT_THAT(name_of(sink_->write(batch.get())),
              AllOf(StartsWith("RowsRejected: 1 refused_by_sink"), HasSubstr("23514")));
}

INSTANTIATE_TEST_SUITE_P(Postgres, PostgresClosedCandles,
                         testing::Values(ClosedCandles::Column, ClosedCandles::SideTable),
                         [](const auto& param) {
                           return std::string(param.param == ClosedCandles::Column ? "Column"
                                                                                   : "SideTable");
                         });

}  // namespace
}  // namespace signalbox
