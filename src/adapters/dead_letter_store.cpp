#include "adapters/dead_letter_store.hpp"

#include <algorithm>
#include <array>

#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

/// `%` stands for the expression that gives the payload.
constexpr std::string_view kColumns =
    "lane, topic, partition, \"offset\", reason, detail, "
    "to_char(message_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "
    "to_char(rejected_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "
    "encode(key, 'hex'), encode(%, 'hex'), "
    "coalesce(truncated_size, octet_length(payload), 0), truncated_size IS NOT NULL, sha256, "
    "to_char(replayed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), replays";

constexpr std::string_view kAtPlace =
    " WHERE lane = $1 AND topic = $2 AND partition = $3::integer AND \"offset\" = $4::bigint";

std::string select(std::string_view payload) {
  std::string sql = "SELECT ";
  const std::size_t at = kColumns.find('%');
  sql.append(kColumns.substr(0, at)).append(payload).append(kColumns.substr(at + 1));
  return sql + " FROM signalbox.dead_letters";
}

std::optional<std::string> from_hex(const std::optional<std::string>& hex) {
  if (!hex) return std::nullopt;
  return bytes_from_hex(*hex);
}

template <typename Integer>
Integer integer_of(const std::optional<std::string>& text) {
  return integer_from<Integer>(text.value_or("")).value_or(0);
}

StoredLetter letter_of(const std::vector<std::optional<std::string>>& row) {
  return {.place = {.lane = row.at(0).value_or(""),
                    .source = {row.at(1).value_or(""), integer_of<std::int32_t>(row.at(2))},
                    .offset = Offset{integer_of<std::int64_t>(row.at(3))}},
          .reason = row.at(4).value_or(""),
          .detail = row.at(5).value_or(""),
          .message_time = row.at(6),
          .rejected_at = row.at(7).value_or(""),
          .key = from_hex(row.at(8)),
          .payload = from_hex(row.at(9)),
          .payload_size = integer_of<std::int64_t>(row.at(10)),
          .is_truncated = row.at(11) == "t",
          .sha256 = row.at(12),
          .replayed_at = row.at(13),
          .replays = integer_of<std::int32_t>(row.at(14))};
}

std::vector<std::optional<std::string>> parameters_of(const DeadLetterPlace& place) {
  return {place.lane, place.source.topic, std::to_string(place.source.partition),
          std::to_string(place.offset.value)};
}

Pruned prune_table(PostgresConnection& connection, const std::string& table,
                   const std::string& column, std::chrono::days keep, const PruneLimits& limits) {
  Pruned pruned{.table = table, .rows = 0, .is_complete = false};
  // By physical place, so that a chunk costs one look at the index and no sort.
  const std::string sql = "DELETE FROM " + table + " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " +
                          table + " WHERE " + column +
                          " < now() - make_interval(days => $1::integer) LIMIT $2::integer))";
  for (std::int32_t chunk = 0; chunk < limits.chunks_max && !pruned.is_complete; ++chunk) {
    const auto deleted =
        connection
            .execute(sql, {std::to_string(keep.count()), std::to_string(limits.rows_per_chunk)})
            .affected;
    pruned.rows += deleted;
    pruned.is_complete = deleted < static_cast<std::uint64_t>(limits.rows_per_chunk);
  }
  return pruned;
}

}  // namespace

std::vector<StoredLetter> DeadLetterStore::list(const DeadLetterFilter& filter) {
  const PostgresRows rows = connection_.execute(
      select("substring(payload FROM 1 FOR 200)") +
          " WHERE ($1::text IS NULL OR lane = $1) AND ($2::text IS NULL OR reason = $2) "
          "AND ($3::text IS NULL OR topic = $3) ORDER BY rejected_at DESC, lane, topic, partition, "
          "\"offset\" DESC LIMIT $4::integer",
      {filter.lane, filter.reason, filter.topic, std::to_string(filter.limit)});
  std::vector<StoredLetter> letters;
  letters.reserve(rows.rows.size());
  for (const auto& row : rows.rows) letters.push_back(letter_of(row));
  return letters;
}

std::optional<StoredLetter> DeadLetterStore::show(const DeadLetterPlace& place) {
  const PostgresRows rows =
      connection_.execute(select("payload") + std::string(kAtPlace), parameters_of(place));
  if (rows.rows.empty()) return std::nullopt;
  return letter_of(rows.rows.front());
}

bool DeadLetterStore::mark_replayed(const DeadLetterPlace& place) {
  const std::string sql =
      "UPDATE signalbox.dead_letters SET replayed_at = now(), replays = replays + 1" +
      std::string(kAtPlace);
  return connection_.execute(sql, parameters_of(place)).affected == 1;
}

std::vector<Pruned> prune(PostgresConnection& connection, const Retention& retention,
                          const PruneLimits& limits) {
  struct Table {
    const char* name;
    const char* column;
    std::chrono::days keep;
  };
  const std::array tables{
      Table{"signalbox.signals", "received_at", retention.records},
      Table{"signalbox.orders", "received_at", retention.records},
      Table{"signalbox.executions", "received_at", retention.records},
      Table{"signalbox.dead_letters", "received_at", retention.dead_letters},
      Table{"signalbox.shadow_market_data", "created_at", retention.shadow_candles},
      Table{"signalbox.open_candles", "received_at", retention.open_candles}};
  std::vector<Pruned> pruned;
  for (const Table& table : tables) {
    pruned.push_back(prune_table(connection, table.name, table.column, table.keep, limits));
  }
  return pruned;
}

}  // namespace signalbox
