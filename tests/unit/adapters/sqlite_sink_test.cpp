#include "adapters/sqlite_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <variant>

#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr EventTime kOpen{1'516'000'200'000ms};
constexpr ReceivedAt kNow{1'516'000'500'000ms};
const TopicPartition kSource{"market.data.btcusdc.5m", 0};

/// Messages of one write, with what they borrow.
class Batch {
 public:
  CandleFields& candle(std::string_view close, bool is_closed = true) {
    Routed& routed = add(candles_);
    routed.facts.record = CandleFields{.symbol = "BTCUSDC",
                                       .timeframe = Timeframe::M5,
                                       .open_time = kOpen,
                                       .open = "10",
                                       .high = "12.5",
                                       .low = "9.75",
                                       .close = close,
                                       .volume = "3.1",
                                       .quote_asset_volume = {},
                                       .number_of_trades = "418",
                                       .taker_buy_base_asset_volume = {},
                                       .taker_buy_quote_asset_volume = {},
                                       .is_closed = is_closed};
    return std::get<CandleFields>(routed.facts.record);
  }

  void order(std::string symbol) {
    RecordFields record;
    record.symbol = std::move(symbol);
    record.price = "115001.4";
    add(orders_).facts.record = std::move(record);
  }

  void letter(const DeadLetterFields& fields) { add(letters_).facts.record = fields; }

  void move(std::optional<std::int64_t> from, std::int64_t to) {
    moves_.push_back({kSource, from ? std::optional{fence(*from)} : std::nullopt, fence(to)});
  }

  WriteBatch get() const { return {.messages = routed_, .moves = moves_, .received_at = kNow}; }

  static Fence fence(std::int64_t next) {
    return {.next = Offset{next}, .epoch = 1, .lineage = "l"};
  }

 private:
  Routed& add(const Route& route) {
    const Offset offset{static_cast<std::int64_t>(messages_.size())};
    messages_.push_back({.offset = offset, .timestamp = kOpen, .key = "k", .payload = "{}"});
    routed_.push_back({.message = &messages_.back(),
                       .route = &route,
                       .source = &kSource,
                       .source_offset = offset,
                       .facts = {}});
    return routed_.back();
  }

  static Route route(Kind kind) {
    return {.kind = kind, .topic = "t", .symbol = {}, .timeframe = {}, .channels = {}};
  }

  Route candles_ = route(Kind::Candle);
  Route orders_ = route(Kind::Order);
  Route letters_ = route(Kind::DeadLetter);
  std::deque<Message> messages_;
  std::vector<Routed> routed_;
  std::vector<FenceMove> moves_;
};

class SqliteSinkTest : public testing::Test {
 protected:
  SqliteSinkOptions options() const {
    return {.file = folder / "store.db", .group = "g", .busy_timeout = 0ms};
  }
  std::vector<std::string> column(const std::string& sql) {
    SqliteDatabase database{{.file = folder / "store.db"}};
    std::vector<std::string> values;
    database.prepare(sql).each([&](const SqliteStatement& row) {
      values.emplace_back(row.text(0));
      return Visit::Continue;
    });
    return values;
  }

  TemporaryFolder folder;
  SqliteSink sink{options()};
};

TEST_F(SqliteSinkTest, AnOpenCandleNeverOverwritesAClosedOneNeitherInABatchNorInTheTable) {
  Batch first;
  first.candle("11", true);
  first.candle("12", false);
  const WriteOutcome outcome = sink.write(first.get());
  ASSERT_TRUE(std::holds_alternative<Committed>(outcome));
  EXPECT_EQ(std::get<Committed>(outcome).superseded, 1U);

  Batch late;
  late.candle("12.25", false);
  ASSERT_TRUE(std::holds_alternative<Committed>(sink.write(late.get())));
  EXPECT_THAT(column("SELECT close FROM market_data"), ElementsAre("11.0"));

  Batch corrected;
  corrected.candle("11.5", true);
  ASSERT_TRUE(std::holds_alternative<Committed>(sink.write(corrected.get())));
  EXPECT_THAT(column("SELECT close FROM market_data"), ElementsAre("11.5"));
}

TEST_F(SqliteSinkTest, RowsOfRefusedContentAreNamedAndNothingIsWritten) {
  Batch batch;
  batch.candle("11");
  batch.candle("13").open_time = kOpen + 5min;  // above the high
  batch.candle("").open_time = kOpen + 10min;
  batch.candle("dear").open_time = kOpen + 15min;
  batch.candle("11").open_time = std::nullopt;
  batch.order("BTCUSDC");
  batch.move(std::nullopt, 6);

  const WriteOutcome outcome = sink.write(batch.get());

  ASSERT_TRUE(std::holds_alternative<RowsRejected>(outcome));
  std::vector<std::size_t> rejected;
  for (const RejectedRow& row : std::get<RowsRejected>(outcome).rows) rejected.push_back(row.index);
  EXPECT_THAT(rejected, testing::UnorderedElementsAre(1, 2, 3, 4));
  EXPECT_THAT(column("SELECT id FROM market_data"), IsEmpty());
  EXPECT_THAT(column("SELECT id FROM orders"), IsEmpty());
  EXPECT_THAT(sink.read_fences(std::vector{kSource}), IsEmpty());
}

TEST_F(SqliteSinkTest, RecordsAndLettersHaveTablesOfTheirOwnAndCopiesOfALetterAreOne) {
  Batch batch;
  batch.order("BTCUSDC");
  DeadLetterFields letter;
  letter.lane = "redis";
  letter.topic = "orders";
  letter.reason = "not_json";
  letter.offset = Offset{4};
  batch.letter(letter);
  batch.letter(letter);

  ASSERT_TRUE(std::holds_alternative<Committed>(sink.write(batch.get())));

  EXPECT_THAT(column("SELECT symbol || ' ' || price FROM orders"), ElementsAre("BTCUSDC 115001.4"));
  EXPECT_THAT(column("SELECT lane || ' ' || \"offset\" FROM dead_letters"), ElementsAre("redis 4"));
}

TEST_F(SqliteSinkTest, ALockedFileIsUnavailableAndTheSameWriteSucceedsLater) {
  Batch batch;
  batch.candle("11");
  batch.move(std::nullopt, 1);
  ASSERT_NO_THROW(sink.ping());
  SqliteDatabase other{{.file = folder / "store.db"}};
  {
    const SqliteTransaction held{other, SqliteAccess::Write};
    const WriteOutcome outcome = sink.write(batch.get());
    ASSERT_TRUE(std::holds_alternative<Unavailable>(outcome));
    EXPECT_THAT(std::get<Unavailable>(outcome).why, HasSubstr("locked"));
  }
  EXPECT_TRUE(std::holds_alternative<Committed>(sink.write(batch.get())));
}

TEST_F(SqliteSinkTest, ATableKeepsTheNewestRows) {
  SqliteSinkOptions small = options();
  small.limits = {.candles_max = 3'000, .records_max = 10};
  SqliteSink bounded{small};
  for (int write = 0; write < 20; ++write) {
    Batch batch;
    for (int i = 0; i < 500; ++i) batch.candle("11").open_time = kOpen + 5min * (write * 500 + i);
    ASSERT_TRUE(std::holds_alternative<Committed>(bounded.write(batch.get())));
  }
  const int kept = std::stoi(column("SELECT count(*) FROM market_data").at(0));
  EXPECT_GE(kept, 3'000);
  EXPECT_LE(kept, 5'500);
  EXPECT_THAT(column("SELECT max(time_ms) FROM market_data"),
              ElementsAre(std::to_string((kOpen + 5min * 9'999).time_since_epoch().count())));
}

TEST_F(SqliteSinkTest, AFileThatIsTakenAwayIsNoticedAndANewOneHasForgotten) {
  Batch batch;
  batch.candle("11");
  batch.move(std::nullopt, 1);
  ASSERT_TRUE(std::holds_alternative<Committed>(sink.write(batch.get())));
  for (const char* file : {"store.db", "store.db-wal", "store.db-shm"}) {
    std::filesystem::remove(folder / file);
  }

  EXPECT_TRUE(std::holds_alternative<Unavailable>(sink.write(batch.get())));
  EXPECT_THAT(sink.read_fences(std::vector{kSource}), IsEmpty());
}

/// The child writes rows and fence of one offset after the other and is killed in the middle.
TEST_F(SqliteSinkTest, AfterAKillRowsAndFenceAgree) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    SqliteSink writer{options()};
    for (std::int64_t next = 0;; ++next) {
      Batch batch;
      for (int i = 0; i < 5; ++i) batch.candle("11").open_time = kOpen + 5min * (next * 5 + i);
      batch.move(next == 0 ? std::nullopt : std::optional{next}, next + 1);
      if (!std::holds_alternative<Committed>(writer.write(batch.get()))) _exit(1);
      if (write(pipe_ends[1], "b", 1) != 1) _exit(1);
    }
  }
  close(pipe_ends[1]);
  std::int64_t acknowledged = 0;
  for (char byte = 0; acknowledged < 50 && read(pipe_ends[0], &byte, 1) == 1;) ++acknowledged;
  ASSERT_EQ(kill(child, SIGKILL), 0);
  for (char byte = 0; read(pipe_ends[0], &byte, 1) == 1;) ++acknowledged;
  close(pipe_ends[0]);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);

  const std::int64_t next = sink.read_fences(std::vector{kSource}).at(kSource).next.value;
  EXPECT_GE(next, acknowledged);
  EXPECT_LE(next, acknowledged + 1);
  EXPECT_THAT(column("SELECT count(*) FROM market_data"), ElementsAre(std::to_string(next * 5)));
}

}  // namespace
}  // namespace signalbox
