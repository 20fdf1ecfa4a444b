#include "adapters/postgres_run_list.hpp"

#include <charconv>
#include <string>

#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {

std::vector<OriginalRun> runs_since(const PostgresOptions& options, EventTime since) {
  PostgresConnection connection{options};
  // The platform keeps UTC in columns without a time zone.
  const PostgresRows rows = connection.execute(
      "SELECT id, pipeline_id, symbol, (extract(epoch FROM created_at) * 1000)::bigint "
      "FROM public.executions WHERE mode = 'paper' AND coalesce(symbol, '') <> '' "
      "AND created_at >= to_timestamp($1::bigint / 1000.0) AT TIME ZONE 'UTC' "
      "ORDER BY created_at LIMIT 200000",
      {std::to_string(since.time_since_epoch().count())});
  std::vector<OriginalRun> runs;
  for (const auto& row : rows.rows) {
    const auto ms = integer_from<std::int64_t>(row[3].value_or(""));
    if (!ms) throw IoError{"postgresql", "a time is no integer"};
    runs.push_back({.at = EventTime{std::chrono::milliseconds{*ms}},
                    .id = row[0].value_or(""),
                    .pair = row[1].value_or("") + "|" + row[2].value_or("")});
  }
  return runs;
}

}  // namespace signalbox
