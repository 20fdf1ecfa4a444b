#include "adapters/sqlite_tables.hpp"

#include <chrono>

#include "domain/dead_letter.hpp"

namespace signalbox {
namespace {

/// Rows removed at once, and how far a table may grow beyond its limit in between.
constexpr std::int64_t kPruneChunk = 2'000;

/// The ranges are those of PostgreSQL's numeric(20,8) and numeric(28,8). A text that is no number
/// stays a text, a number that is no integer stays a real: typeof tells. AUTOINCREMENT, so that no
/// id of a removed row is given again and ids tell the age.
constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS market_data (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ms INTEGER NOT NULL,
  symbol TEXT NOT NULL CHECK (symbol <> '' AND length(symbol) <= 20
                              AND symbol NOT GLOB '*[^A-Z0-9]*'),
  timeframe TEXT NOT NULL CHECK (timeframe IN ('1m', '3m', '5m', '15m', '1h', '1d')),
  open REAL NOT NULL CHECK (typeof(open) = 'real' AND abs(open) < 1e12),
  high REAL NOT NULL CHECK (typeof(high) = 'real' AND abs(high) < 1e12),
  low REAL NOT NULL CHECK (typeof(low) = 'real' AND abs(low) < 1e12),
  close REAL NOT NULL CHECK (typeof(close) = 'real' AND abs(close) < 1e12),
  volume REAL NOT NULL CHECK (typeof(volume) = 'real' AND abs(volume) < 1e20),
  quote_asset_volume REAL CHECK (typeof(quote_asset_volume) <> 'text'
                                 AND abs(quote_asset_volume) < 1e20),
  number_of_trades INTEGER CHECK (typeof(number_of_trades) IN ('integer', 'null')
                                  AND abs(number_of_trades) < 2147483648),
  taker_buy_base_asset_volume REAL CHECK (typeof(taker_buy_base_asset_volume) <> 'text'
                                          AND abs(taker_buy_base_asset_volume) < 1e20),
  taker_buy_quote_asset_volume REAL CHECK (typeof(taker_buy_quote_asset_volume) <> 'text'
                                           AND abs(taker_buy_quote_asset_volume) < 1e20),
  is_closed INTEGER NOT NULL,
  received_at_us INTEGER NOT NULL,
  UNIQUE (symbol, timeframe, time_ms),
  CHECK (high >= low AND high >= open AND high >= close AND low <= open AND low <= close));

CREATE TABLE IF NOT EXISTS dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  lane TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
  reason TEXT NOT NULL, detail TEXT NOT NULL,
  message_time_ms INTEGER, rejected_at_ms INTEGER NOT NULL, received_at_us INTEGER NOT NULL,
  key BLOB, payload BLOB, truncated_size INTEGER, sha256 TEXT,
  UNIQUE (lane, topic, partition, "offset"));
)sql";

/// The message's time is in the key because a topic that is made anew counts from 0 again.
std::string records_table(const std::string& name) {
  return "CREATE TABLE IF NOT EXISTS " + name + R"sql( (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  symbol TEXT, side TEXT, strategy TEXT, status TEXT, strength TEXT,
  order_id TEXT, client_order_id TEXT, event_time_ms INTEGER,
  price REAL CHECK (typeof(price) <> 'text'),
  quantity REAL CHECK (typeof(quantity) <> 'text'),
  confidence REAL CHECK (typeof(confidence) <> 'text'),
  source_topic TEXT NOT NULL, source_partition INTEGER NOT NULL, source_offset INTEGER NOT NULL,
  message_time_ms INTEGER NOT NULL, received_at_us INTEGER NOT NULL, payload TEXT NOT NULL,
  UNIQUE (source_topic, source_partition, source_offset, message_time_ms));
)sql";
}

constexpr const char* kPutCandle =
    "INSERT INTO market_data AS t (time_ms, symbol, timeframe, open, high, low, close, volume,"
    " quote_asset_volume, number_of_trades, taker_buy_base_asset_volume,"
    " taker_buy_quote_asset_volume, is_closed, received_at_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (symbol, timeframe, time_ms) DO UPDATE SET open = excluded.open,"
    " high = excluded.high, low = excluded.low, close = excluded.close,"
    " volume = excluded.volume, quote_asset_volume = excluded.quote_asset_volume,"
    " number_of_trades = excluded.number_of_trades,"
    " taker_buy_base_asset_volume = excluded.taker_buy_base_asset_volume,"
    " taker_buy_quote_asset_volume = excluded.taker_buy_quote_asset_volume,"
    " is_closed = excluded.is_closed, received_at_us = excluded.received_at_us"
    " WHERE excluded.is_closed >= t.is_closed";

constexpr const char* kPutLetter =
    "INSERT INTO dead_letters (lane, topic, partition, \"offset\", reason, detail,"
    " message_time_ms, rejected_at_ms, received_at_us, key, payload, truncated_size, sha256)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (lane, topic, partition, \"offset\") DO NOTHING";

std::string put_record_into(const std::string& table) {
  std::string sql = "INSERT INTO " + table;
  return sql +=
         " (kind, symbol, side, strategy, status, strength, order_id, client_order_id,"
         " event_time_ms, price, quantity, confidence, source_topic, source_partition,"
         " source_offset, message_time_ms, received_at_us, payload)"
         " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
         " ON CONFLICT (source_topic, source_partition, source_offset, message_time_ms) DO NOTHING";
}

SqliteDatabase& with_tables(SqliteDatabase& database) {
  database.execute(kSchema);
  for (const char* table : {"signals", "orders", "executions"}) {
    database.execute(records_table(table));
    const std::string name{table};
    database.execute("CREATE INDEX IF NOT EXISTS " + name + "_symbol_time ON " + name +
                     " (symbol, event_time_ms)");
  }
  return database;
}

std::int64_t ms(EventTime time) { return time.time_since_epoch().count(); }
std::int64_t us(ReceivedAt time) { return time.time_since_epoch().count(); }

std::optional<std::int64_t> ms(const std::optional<EventTime>& time) {
  return time ? std::optional{ms(*time)} : std::nullopt;
}

/// Bound as text: the column makes a number of it where it is one.
std::optional<std::string_view> number(NumberText text) {
  return text.empty() ? std::nullopt : std::optional{text};
}

/// The time of the message when it was produced first: a replay is a message of its own.
EventTime message_time_of(const Routed& routed) {
  if (!routed.is_replay) return routed.message->timestamp;
  const auto fields = dead_letter_fields(routed.message->headers);
  return fields && fields->message_time ? *fields->message_time : routed.message->timestamp;
}

}  // namespace

SqliteTables::SqliteTables(SqliteDatabase& database)
    : candle_(with_tables(database).prepare(kPutCandle)),
      signal_(database.prepare(put_record_into("signals"))),
      order_(database.prepare(put_record_into("orders"))),
      execution_(database.prepare(put_record_into("executions"))),
      letter_(database.prepare(kPutLetter)),
      candles_(pruner(database, "market_data")),
      signals_(pruner(database, "signals")),
      orders_(pruner(database, "orders")),
      executions_(pruner(database, "executions")),
      letters_(pruner(database, "dead_letters")) {}

void SqliteTables::put_candle(const Routed& routed, ReceivedAt received_at) {
  const auto& candle = std::get<CandleFields>(routed.facts.record);
  candle_.run(ms(candle.open_time), candle.symbol, name_of(*candle.timeframe), number(candle.open),
              number(candle.high), number(candle.low), number(candle.close), number(candle.volume),
              number(candle.quote_asset_volume), number(candle.number_of_trades),
              number(candle.taker_buy_base_asset_volume),
              number(candle.taker_buy_quote_asset_volume), std::int64_t{candle.is_closed},
              us(received_at));
}

void SqliteTables::put_record(const Routed& routed, ReceivedAt received_at) {
  static const RecordFields kNothingRead;
  const auto* read = std::get_if<RecordFields>(&routed.facts.record);
  const RecordFields& record = read ? *read : kNothingRead;
  const Kind kind = routed.route->kind;
  SqliteStatement& statement = kind == Kind::Order       ? order_
                               : kind == Kind::Execution ? execution_
                                                         : signal_;
  statement.run(name_of(kind), record.symbol, record.side, record.strategy, record.status,
                record.strength, record.order_id, record.client_order_id, ms(record.event_time),
                number(record.price), number(record.quantity), number(record.confidence),
                routed.source->topic, routed.source->partition, routed.source_offset.value,
                ms(message_time_of(routed)), us(received_at), routed.message->payload);
}

void SqliteTables::put_letter(const Routed& routed, ReceivedAt received_at) {
  const auto& letter = std::get<DeadLetterFields>(routed.facts.record);
  const auto now = std::chrono::floor<std::chrono::milliseconds>(received_at);
  const std::optional<SqliteBlob> key =
      letter.key ? std::optional{SqliteBlob{*letter.key}} : std::nullopt;
  letter_.run(letter.lane, letter.topic, letter.partition, letter.offset.value, letter.reason,
              letter.detail, ms(letter.message_time), ms(letter.rejected_at.value_or(now)),
              us(received_at), key, SqliteBlob{routed.message->payload}, letter.whole_size,
              letter.sha256);
}

SqliteTables::Pruner SqliteTables::pruner(SqliteDatabase& database, const std::string& table) {
  return {.first = database.prepare("SELECT min(id) FROM " + table),
          .last = database.prepare("SELECT max(id) FROM " + table),
          .remove = database.prepare("DELETE FROM " + table + " WHERE id < ?")};
}

void SqliteTables::prune(const Limits& limits) {
  prune(candles_, limits.candles_max);
  for (Pruner* pruner : {&signals_, &orders_, &executions_, &letters_}) {
    prune(*pruner, limits.records_max);
  }
}

/// Ids have gaps where a row was there already, so the span of ids bounds the rows from above.
void SqliteTables::prune(Pruner& pruner, std::int64_t rows_max) {
  const auto first = pruner.first.integer();
  if (!first) return;
  const std::int64_t last = pruner.last.integer().value_or(*first);
  if (last - *first + 1 > rows_max + kPruneChunk) pruner.remove.run(*first + kPruneChunk);
}

}  // namespace signalbox
