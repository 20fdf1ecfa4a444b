#include "adapters/postgres_runs.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "adapters/postgres_array.hpp"
#include "base/check.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr const char* kDependency = "postgresql";

constexpr const char* kStatusType =
    "SELECT format_type(a.atttypid, NULL), a.atttypid::text, e.enumlabel FROM pg_attribute a"
    " LEFT JOIN pg_enum e ON e.enumtypid = a.atttypid"
    " WHERE a.attrelid = to_regclass('public.executions') AND a.attname = 'status'"
    " AND NOT a.attisdropped";

std::string uuid_array(std::span<const Uuid> ids) {
  std::string literal = "{";
  literal.reserve(2 + ids.size() * 37);
  for (const Uuid& id : ids) {
    if (literal.size() > 1) literal += ',';
    literal += to_text(id);
  }
  return literal += '}';
}

std::string interval_of(std::chrono::minutes age) {
  return "interval '" + std::to_string(age.count()) + " minutes'";
}

template <typename Integer>
Integer number_of(const std::optional<std::string>& text) {
  Integer value{};
  const std::string_view digits = text ? std::string_view{*text} : std::string_view{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.empty()) {
    throw IoError{kDependency, "a number is expected, found `" + std::string(digits) + "`"};
  }
  return value;
}

std::vector<std::string_view> views_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

}  // namespace

PostgresRuns::PostgresRuns(PostgresRunsOptions options)
    : blocking_(std::move(options.blocking)), connection_(std::move(options.postgres)) {
  for (const std::string& status : blocking_) SB_CHECK(is_run_status(status));
}

ActiveRuns PostgresRuns::active(std::span<const Uuid> pipelines) {
  const std::string ids = uuid_array(pipelines);
  const std::array parameters{ids.c_str()};
  PostgresRows rows = ask(active_, parameters);
  const auto is_head = [](const auto& row) { return !row[0]; };
  auto head = std::ranges::find_if(rows.rows, is_head);
  if (head != rows.rows.end() && number_of<std::size_t>((*head)[2]) != labels_.size()) {
    // The type has learnt a status since; the statements are worded anew on a new connection.
    connection_.close();
    rows = ask(active_, parameters);
    head = std::ranges::find_if(rows.rows, is_head);
  }
  if (head == rows.rows.end()) throw IoError{kDependency, "the running check tells no time"};
  ActiveRuns active{
      .now = DatabaseTime{std::chrono::microseconds{number_of<std::int64_t>((*head)[1])}},
      .runs = {}};
  active.runs.reserve(rows.rows.size());
  for (auto& row : rows.rows) {
    if (!row[0]) continue;
    const auto pipeline = parse_uuid(*row[0]);
    if (!pipeline) throw IoError{kDependency, "executions.pipeline_id is no UUID: " + *row[0]};
    active.runs.push_back({*pipeline, std::move(row[1]).value_or("")});
  }
  return active;
}

std::vector<std::size_t> PostgresRuns::finished(std::span<const PairSince> pairs) {
  std::vector<std::size_t> found;
  if (pairs.empty()) return found;
  std::vector<Uuid> ids;
  PostgresArray tickers;
  PostgresArray since;
  for (const PairSince& pair : pairs) {
    ids.push_back(pair.pipeline);
    tickers.add_text(pair.ticker);
    since.add_integer(pair.since.time_since_epoch().count());
  }
  const std::string id_array = uuid_array(ids);
  const std::array parameters{id_array.c_str(), tickers.literal(), since.literal()};
  for (const auto& row : ask(finished_, parameters).rows) {
    const auto number = number_of<std::size_t>(row.at(0));
    if (number >= 1 && number <= pairs.size()) found.push_back(number - 1);
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> PostgresRuns::explain(std::span<const Uuid> pipelines) {
  require_worded();
  std::string sql = "EXPLAIN " + active_.sql;
  const std::size_t parameter = sql.find("$1");
  sql.replace(parameter, 2, "'" + uuid_array(pipelines) + "'");
  std::vector<std::string> lines;
  for (const auto& row : connection_.execute(sql).rows) lines.push_back(row.at(0).value_or(""));
  return lines;
}

PostgresRows PostgresRuns::ask(const PostgresStatement& statement,
                               std::span<const char* const> parameters) {
  require_worded();
  auto rows = connection_.try_query({&statement, parameters});
  if (!rows) throw IoError{kDependency, rows.error().text()};
  return *std::move(rows);
}

void PostgresRuns::require_worded() {
  if (const auto connected = connection_.ensure_connected(); !connected) {
    throw IoError{kDependency, connected.error().text()};
  }
  if (worded_for_ != connection_.generation()) word_statements();
}

/// `'{PENDING,RUNNING}'::executionstatus[]`, without what the type does not know.
std::string PostgresRuns::array_of(std::span<const std::string_view> statuses) const {
  std::string literal;
  for (const std::string_view status : statuses) {
    if (!labels_.empty() && std::ranges::find(labels_, status) == labels_.end()) continue;
    (literal += literal.empty() ? "" : ",") += status;
  }
  return "'{" + literal + "}'::" + status_type_ + "[]";
}

/// The statuses stand in the text and are compared as what the column is, so that the planner
/// knows how few they select and may use (pipeline_id, status).
void PostgresRuns::word_statements() {
  const PostgresRows rows = connection_.execute(kStatusType);
  if (rows.rows.empty()) {
    throw IoError{kDependency, "public.executions or its column `status` is missing"};
  }
  status_type_ = rows.rows[0].at(0).value_or("text");
  const std::string type_id = rows.rows[0].at(1).value_or("0");
  labels_.clear();
  for (const auto& row : rows.rows) {
    if (row.at(2)) labels_.push_back(*row[2]);
  }
  const std::string now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text";
  const std::string statement_began = "(statement_timestamp() AT TIME ZONE 'UTC')";
  active_.sql =
      "SELECT NULL::text, " + now + ", (SELECT count(*) FROM pg_enum WHERE enumtypid = " + type_id +
      ") UNION ALL SELECT e.pipeline_id::text, e.symbol::text, NULL"
      " FROM public.executions e WHERE e.pipeline_id = ANY($1::uuid[])"
      " AND e.status = ANY(" +
      array_of(views_of(blocking_)) + ") AND (e.status <> ALL(" + array_of(kAgeingStatuses) +
      ") OR coalesce(e.started_at, e.created_at) >= " + statement_began + " - " +
      interval_of(kRunStaleAfter) + ")";
  finished_.sql =
      "SELECT p.number FROM unnest($1::uuid[], $2::text[], $3::bigint[]) WITH ORDINALITY"
      " AS p (pipeline, ticker, since_us, number)"
      " WHERE EXISTS (SELECT FROM public.executions e WHERE e.pipeline_id = p.pipeline"
      " AND e.status = ANY(" +
      array_of(kTerminalStatuses) +
      ") AND e.symbol = p.ticker"
      " AND e.created_at > timestamp 'epoch' + p.since_us * interval '1 microsecond')";
  worded_for_ = connection_.generation();
}

}  // namespace signalbox
