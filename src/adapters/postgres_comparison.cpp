#include "adapters/postgres_comparison.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "adapters/postgres_array.hpp"
#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kKeysPerQuery = 5'000;

constexpr std::array<std::string_view, 9> kColumns{"open",
                                                   "high",
                                                   "low",
                                                   "close",
                                                   "volume",
                                                   "quote_asset_volume",
                                                   "number_of_trades",
                                                   "taker_buy_base_asset_volume",
                                                   "taker_buy_quote_asset_volume"};

constexpr std::string_view kTimeMs = "(extract(epoch FROM time) * 1000)::bigint";

EventTime time_of(const std::optional<std::string>& text) {
  const auto ms = integer_from<std::int64_t>(text.value_or(""));
  if (!ms) throw IoError{"postgresql", "a time is no integer"};
  return EventTime{std::chrono::milliseconds{*ms}};
}

std::string time_text(EventTime time) { return postgres_time(time).value_or("epoch"); }

/// `, m.time IS NOT NULL, m.open, m.high, …`
std::string columns_of(std::string_view table) {
  std::string sql;
  sql.append(", ").append(table).append(".time IS NOT NULL");
  for (const std::string_view column : kColumns) {
    sql.append(", ").append(table).append(".").append(column);
  }
  return sql;
}

std::string pairs_query() {
  std::string sql = "SELECT (extract(epoch FROM k.time) * 1000)::bigint, k.symbol, k.timeframe";
  sql.append(columns_of("m")).append(columns_of("s")).append(", s.is_closed");
  sql.append(" FROM unnest($1::timestamptz[], $2::text[], $3::text[]) k (time, symbol, timeframe)");
  for (const auto& [table, alias] :
       {std::pair{"public.market_data", "m"}, std::pair{"signalbox.shadow_market_data", "s"}}) {
    sql.append(" LEFT JOIN ").append(table).append(" ").append(alias).append(" ON ");
    sql.append(alias).append(".time = k.time AND ").append(alias).append(".symbol = k.symbol AND ");
    sql.append(alias).append(".timeframe = k.timeframe");
  }
  return sql;
}

std::optional<CandleRow> row_of(std::span<const std::optional<std::string>> fields) {
  if (fields.front() != "t") return std::nullopt;
  CandleRow row;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    row.columns.emplace(kColumns[i], fields[1 + i].value_or("NULL"));
  }
  return row;
}

CandlePair pair_of(const std::vector<std::optional<std::string>>& fields) {
  const std::span all{fields};
  constexpr std::size_t kSide = 1 + kColumns.size();
  CandlePair pair{
      .key = {time_of(fields.at(0)), fields.at(1).value_or(""), fields.at(2).value_or("")},
      .original = row_of(all.subspan(3, kSide)),
      .shadow = row_of(all.subspan(3 + kSide, kSide))};
  if (pair.shadow) pair.shadow->is_closed = fields.back() == "t";
  return pair;
}

}  // namespace

EventTime PostgresComparison::now() {
  return time_of(
      connection_.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").value());
}

std::vector<CandleKey> PostgresComparison::shadow_candles(EventTime from, EventTime until,
                                                          std::int32_t limit) {
  std::string sql = "SELECT ";
  sql.append(kTimeMs).append(", symbol, timeframe FROM signalbox.shadow_market_data WHERE ");
  sql.append("updated_at >= $1::timestamptz AND updated_at < $2::timestamptz ");
  sql.append("ORDER BY updated_at DESC LIMIT $3::integer");
  const PostgresRows rows =
      connection_.execute(sql, {time_text(from), time_text(until), std::to_string(limit)});
  std::vector<CandleKey> keys;
  keys.reserve(rows.rows.size());
  for (const auto& row : rows.rows) {
    keys.push_back({time_of(row.at(0)), row.at(1).value_or(""), row.at(2).value_or("")});
  }
  return keys;
}

std::vector<CandlePair> PostgresComparison::read_candles(const std::vector<CandleKey>& keys) {
  static const std::string kQuery = pairs_query();
  std::vector<CandlePair> pairs;
  pairs.reserve(keys.size());
  for (std::size_t begin = 0; begin < keys.size(); begin += kKeysPerQuery) {
    PostgresArray times;
    PostgresArray symbols;
    PostgresArray timeframes;
    for (std::size_t i = begin; i < std::min(keys.size(), begin + kKeysPerQuery); ++i) {
      if (!postgres_time(keys[i].open_time)) continue;  // no calendar of a table holds it
      times.add_time(keys[i].open_time);
      symbols.add_text(keys[i].symbol);
      timeframes.add_text(keys[i].timeframe);
    }
    const PostgresRows rows =
        connection_.execute(kQuery, {times.literal(), symbols.literal(), timeframes.literal()});
    for (const auto& row : rows.rows) pairs.push_back(pair_of(row));
  }
  return pairs;
}

std::vector<ShadowLetter> PostgresComparison::letters_since(EventTime from, std::int32_t limit) {
  const PostgresRows rows = connection_.execute(
      "SELECT lane, topic, reason, encode(payload, 'hex') FROM signalbox.dead_letters "
      "WHERE rejected_at >= $1::timestamptz AND lane LIKE 'shadow-%' AND payload IS NOT NULL "
      "ORDER BY rejected_at DESC LIMIT $2::integer",
      {time_text(from), std::to_string(limit)});
  std::vector<ShadowLetter> letters;
  letters.reserve(rows.rows.size());
  for (const auto& row : rows.rows) {
    letters.push_back({row.at(0).value_or(""), row.at(1).value_or(""), row.at(2).value_or(""),
                       bytes_from_hex(row.at(3).value_or(""))});
  }
  return letters;
}

}  // namespace signalbox
