#include "adapters/postgres_rows.hpp"

#include <algorithm>
#include <array>

#include "domain/dead_letter.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kCandleColumns =
    "time, symbol, timeframe, open, high, low, close, volume, quote_asset_volume, "
    "number_of_trades, taker_buy_base_asset_volume, taker_buy_quote_asset_volume";

/// The rows as the server sees them. number_of_trades comes as numeric because JSON knows no
/// integers: 418.0 is one.
constexpr std::string_view kCandleArrays =
    "unnest($1::timestamptz[], $2::text[], $3::text[], $4::numeric[], $5::numeric[], "
    "$6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[], $10::numeric[], $11::numeric[], "
    "$12::numeric[]";

constexpr std::string_view kUpdateCandle =
    " ON CONFLICT (time, symbol, timeframe) DO UPDATE SET open = excluded.open, "
    "high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, "
    "quote_asset_volume = excluded.quote_asset_volume, "
    "number_of_trades = excluded.number_of_trades, "
    "taker_buy_base_asset_volume = excluded.taker_buy_base_asset_volume, "
    "taker_buy_quote_asset_volume = excluded.taker_buy_quote_asset_volume, updated_at = now()";

std::string candles_with_column(std::string_view table) {
  std::string sql = "INSERT INTO ";
  sql.append(table).append(" AS t (").append(kCandleColumns).append(", is_closed) SELECT * FROM ");
  sql.append(kCandleArrays).append(", $13::boolean[])").append(kUpdateCandle);
  return sql +
         ", is_closed = excluded.is_closed WHERE excluded.is_closed "
         "OR t.is_closed IS NOT TRUE";
}

std::string closed_candles() {
  std::string sql = "WITH written AS (INSERT INTO public.market_data AS t (";
  sql.append(kCandleColumns).append(") SELECT * FROM ").append(kCandleArrays).append(")");
  sql.append(kUpdateCandle).append(" RETURNING t.time, t.symbol, t.timeframe)");
  return sql +
         " DELETE FROM signalbox.open_candles o USING written w WHERE o.time = w.time "
         "AND o.symbol = w.symbol AND o.timeframe = w.timeframe";
}

/// Only a row that is known to be open is updated: whatever else stands there is closed.
std::string open_candles() {
  std::string sql = "WITH written AS (INSERT INTO public.market_data AS t (";
  sql.append(kCandleColumns).append(") SELECT * FROM ").append(kCandleArrays).append(")");
  sql.append(kUpdateCandle);
  return sql +
         " WHERE EXISTS (SELECT FROM signalbox.open_candles o WHERE o.time = t.time "
         "AND o.symbol = t.symbol AND o.timeframe = t.timeframe) "
         "RETURNING t.time, t.symbol, t.timeframe) "
         "INSERT INTO signalbox.open_candles (time, symbol, timeframe) "
         "SELECT time, symbol, timeframe FROM written ON CONFLICT DO NOTHING";
}

std::string rewrite_newest_candle() {
  std::string sql = "INSERT INTO public.market_data (";
  sql.append(kCandleColumns).append(") SELECT ").append(kCandleColumns);
  sql.append(" FROM public.market_data ORDER BY time DESC LIMIT 1").append(kUpdateCandle);
  return sql;
}

std::string records(std::string_view table) {
  std::string sql = "INSERT INTO signalbox.";
  sql.append(table);
  return sql +
         " (kind, symbol, side, strategy, status, strength, order_id, client_order_id, "
         "event_time, price, quantity, confidence, source_topic, source_partition, "
         "source_offset, message_time, payload, received_at) SELECT * FROM "
         "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], "
         "$7::text[], $8::text[], $9::timestamptz[], $10::numeric[], $11::numeric[], "
         "$12::numeric[], $13::text[], $14::integer[], $15::bigint[], $16::timestamptz[], "
         "$17::text[], $18::timestamptz[]) ON CONFLICT DO NOTHING";
}

constexpr const char* kDeadLetters =
    "INSERT INTO signalbox.dead_letters (lane, topic, partition, \"offset\", reason, detail, "
    "message_time, rejected_at, received_at, key, payload, truncated_size, sha256) "
    "SELECT lane, topic, partition, \"offset\", reason, detail, message_time, "
    "coalesce(rejected_at, received_at), received_at, key, payload, truncated_size, sha256 "
    "FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::text[], "
    "$7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::bytea[], $11::bytea[], "
    "$12::bigint[], $13::text[]) AS l (lane, topic, partition, \"offset\", reason, detail, "
    "message_time, rejected_at, received_at, key, payload, truncated_size, sha256) "
    "ON CONFLICT DO NOTHING";

constexpr const char* kMoveFences =
    "SELECT signalbox.move_fences($1::text, $2::text[], $3::integer[], $4::boolean[], "
    "$5::bigint[], $6::integer[], $7::bigint[], $8::numeric[], $9::bigint[], $10::text[], "
    "$11::bigint[], $12::bigint[], $13::integer[], $14::bigint[], $15::numeric[], $16::bigint[], "
    "$17::text[], $18::bigint[])";

void encode_candle(std::deque<PostgresArray>& columns, const Routed& routed, RowKind kind) {
  const auto& candle = std::get<CandleFields>(routed.facts.record);
  columns[0].add_time(candle.open_time);
  columns[1].add_text(candle.symbol);
  columns[2].add_text(candle.timeframe ? name_of(*candle.timeframe) : "");
  const std::array numbers{candle.open,
                           candle.high,
                           candle.low,
                           candle.close,
                           candle.volume,
                           candle.quote_asset_volume,
                           candle.number_of_trades,
                           candle.taker_buy_base_asset_volume,
                           candle.taker_buy_quote_asset_volume};
  for (std::size_t i = 0; i < numbers.size(); ++i) columns[3 + i].add_number(numbers[i]);
  if (kind == RowKind::Candle || kind == RowKind::ShadowCandle) {
    columns[12].add_bool(candle.is_closed);
  }
}

/// The time of the message when it was produced first: a replay is a message of its own.
EventTime message_time_of(const Routed& routed) {
  if (!routed.is_replay) return routed.message->timestamp;
  const auto fields = dead_letter_fields(routed.message->headers);
  return fields && fields->message_time ? *fields->message_time : routed.message->timestamp;
}

void encode_record(std::deque<PostgresArray>& columns, const Routed& routed,
                   const std::string& received_at) {
  static const RecordFields kNothingRead;
  const auto* read = std::get_if<RecordFields>(&routed.facts.record);
  const RecordFields& record = read ? *read : kNothingRead;
  columns[0].add_text(name_of(routed.route->kind));
  const std::array texts{&record.symbol,   &record.side,     &record.strategy,       &record.status,
                         &record.strength, &record.order_id, &record.client_order_id};
  for (std::size_t i = 0; i < texts.size(); ++i) columns[1 + i].add_optional_text(*texts[i]);
  columns[8].add_time(record.event_time);
  columns[9].add_number(record.price);
  columns[10].add_number(record.quantity);
  columns[11].add_number(record.confidence);
  columns[12].add_text(routed.source->topic);
  columns[13].add_integer(routed.source->partition);
  columns[14].add_integer(routed.source_offset.value);
  // The column is part of the key: what no calendar holds becomes the epoch.
  const auto message_time = postgres_time(message_time_of(routed));
  columns[15].add_text(message_time ? std::string_view{*message_time} : "epoch");
  columns[16].add_text(routed.message->payload);
  columns[17].add_text(received_at);
}

void encode_letter(std::deque<PostgresArray>& columns, const Routed& routed,
                   const std::string& received_at) {
  const auto& letter = std::get<DeadLetterFields>(routed.facts.record);
  columns[0].add_text(letter.lane);
  columns[1].add_text(letter.topic);
  columns[2].add_integer(letter.partition);
  columns[3].add_integer(letter.offset.value);
  columns[4].add_text(letter.reason);
  columns[5].add_text(letter.detail);
  columns[6].add_time(letter.message_time);
  columns[7].add_time(letter.rejected_at);
  columns[8].add_text(received_at);
  columns[9].add_bytes(letter.key ? std::string_view{*letter.key} : std::string_view{});
  columns[10].add_bytes(routed.message->payload);
  if (letter.whole_size) {
    columns[11].add_integer(*letter.whole_size);
  } else {
    columns[11].add_null();
  }
  columns[12].add_optional_text(letter.sha256);
}

std::size_t column_count(RowKind kind) {
  constexpr std::array<std::size_t, kRowKindCount> counts{13, 13, 12, 12, 18, 18, 18, 13};
  return counts[static_cast<std::size_t>(kind)];
}

void encode_fence(std::deque<PostgresArray>& columns, std::size_t first, const Fence& fence) {
  columns[first].add_integer(fence.next.value);
  columns[first + 1].add_integer(fence.part);
  columns[first + 2].add_integer(fence.last_timestamp.time_since_epoch().count());
  columns[first + 3].add_number(std::to_string(fence.seq));
  columns[first + 4].add_integer(fence.epoch);
  columns[first + 5].add_text(fence.lineage);
  columns[first + 6].add_integer(fence.gap);
}

}  // namespace

const PostgresStatement& statement_for(RowKind kind) {
  static const std::array<PostgresStatement, kRowKindCount> kStatements{{
      {"candles", candles_with_column("public.market_data")},
      {"shadow_candles", candles_with_column("signalbox.shadow_market_data")},
      {"closed_candles", closed_candles()},
      {"open_candles", open_candles()},
      {"signals", records("signals")},
      {"orders", records("orders")},
      {"executions", records("executions")},
      {"dead_letters", kDeadLetters},
  }};
  return kStatements[static_cast<std::size_t>(kind)];
}

const PostgresStatement& move_fences_statement() {
  static const PostgresStatement kStatement{"move_fences", kMoveFences};
  return kStatement;
}

const PostgresStatement& abandon_statement() {
  static const PostgresStatement kStatement{"abandon", "SELECT signalbox.abandon()"};
  return kStatement;
}

const PostgresStatement& rewrite_newest_candle_statement() {
  static const PostgresStatement kStatement{"rewrite_newest_candle", rewrite_newest_candle()};
  return kStatement;
}

std::deque<PostgresArray>& PostgresParameters::add_arrays(std::size_t count) {
  arrays_.resize(arrays_.size() + count);
  return arrays_;
}

std::span<const char* const> PostgresParameters::get() {
  pointers_.clear();
  for (const std::string& scalar : scalars_) pointers_.push_back(scalar.c_str());
  for (PostgresArray& array : arrays_) pointers_.push_back(array.literal());
  return pointers_;
}

void encode_rows(PostgresParameters& parameters, RowKind kind, const WriteBatch& batch,
                 std::span<const std::size_t> rows) {
  std::deque<PostgresArray>& columns = parameters.add_arrays(column_count(kind));
  const std::string received_at = postgres_time(batch.received_at).value_or("epoch");
  for (const std::size_t row : rows) {
    const Routed& routed = batch.messages[row];
    switch (kind) {
      case RowKind::Candle:
      case RowKind::ShadowCandle:
      case RowKind::ClosedCandle:
      case RowKind::OpenCandle:
        encode_candle(columns, routed, kind);
        break;
      case RowKind::Signal:
      case RowKind::Order:
      case RowKind::Execution:
        encode_record(columns, routed, received_at);
        break;
      case RowKind::DeadLetter:
        encode_letter(columns, routed, received_at);
        break;
    }
  }
}

void encode_moves(PostgresParameters& parameters, const std::string& group,
                  std::span<const FenceMove> moves) {
  parameters.add_scalar(group);
  std::deque<PostgresArray>& columns = parameters.add_arrays(17);
  // Sorted, so that two writers lock fences in the same order.
  std::vector<const FenceMove*> sorted;
  for (const FenceMove& move : moves) sorted.push_back(&move);
  std::ranges::sort(sorted, {}, [](const FenceMove* move) { return move->partition; });
  for (const FenceMove* move : sorted) {
    columns[0].add_text(move->partition.topic);
    columns[1].add_integer(move->partition.partition);
    columns[2].add_bool(move->expected.has_value());
    encode_fence(columns, 3, move->expected.value_or(Fence{}));
    encode_fence(columns, 10, move->next);
  }
}

}  // namespace signalbox
