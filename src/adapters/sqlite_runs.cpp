#include "adapters/sqlite_runs.hpp"

#include <chrono>
#include <span>
#include <string_view>
#include <utility>

#include "adapters/sqlite_platform.hpp"

namespace signalbox {
namespace {

/// A list for SQL; the names of statuses hold letters only.
template <typename Names>
std::string list_of(const Names& names) {
  std::string list;
  for (const std::string_view name : names) {
    list += list.empty() ? "'" : ", '";
    (list += name) += '\'';
  }
  return "(" + list + ")";
}

std::string json_array(std::span<const Uuid> ids) {
  std::string json = "[";
  for (const Uuid& id : ids) {
    if (json.size() > 1) json += ',';
    json += '"' + to_text(id) + '"';
  }
  return json += ']';
}

}  // namespace

struct SqliteRuns::Connection {
  explicit Connection(const SqliteRunsOptions& options)
      : database(opened(options.sqlite)),
        active(database->prepare(
            "SELECT pipeline_id, symbol FROM executions"
            " WHERE pipeline_id IN (SELECT value FROM json_each(?)) AND status IN " +
            list_of(options.blocking) + " AND (status NOT IN " + list_of(kAgeingStatuses) +
            " OR coalesce(started_at_us, created_at_us) >= ?)")),
        finished(database->prepare(
            "SELECT EXISTS (SELECT 1 FROM executions WHERE pipeline_id = ? AND symbol = ?"
            " AND created_at_us > ? AND status IN " +
            list_of(kTerminalStatuses) + ")")) {}

  static std::unique_ptr<SqliteDatabase> opened(const SqliteOptions& options) {
    auto database = std::make_unique<SqliteDatabase>(options);
    make_platform(*database);
    return database;
  }

  std::unique_ptr<SqliteDatabase> database;
  SqliteStatement active;
  SqliteStatement finished;
};

SqliteRuns::SqliteRuns(SqliteRunsOptions options) : options_(std::move(options)) {}
SqliteRuns::~SqliteRuns() = default;

/// A file that was replaced is opened anew by the next call.
SqliteRuns::Connection& SqliteRuns::connection() {
  if (!connection_) connection_ = std::make_unique<Connection>(options_);
  try {
    connection_->database->require_file();
  } catch (const SqliteError&) {
    connection_.reset();
    throw;
  }
  return *connection_;
}

ActiveRuns SqliteRuns::active(std::span<const Uuid> pipelines) {
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  ActiveRuns active{.now = now, .runs = {}};
  connection().active.each(
      [&](const SqliteStatement& row) {
        const auto pipeline = parse_uuid(row.text(0));
        if (pipeline) active.runs.push_back({*pipeline, std::string(row.text(1))});
        return Visit::Continue;
      },
      json_array(pipelines), (now - kRunStaleAfter).time_since_epoch().count());
  return active;
}

std::vector<std::size_t> SqliteRuns::finished(std::span<const PairSince> pairs) {
  std::vector<std::size_t> found;
  SqliteStatement& statement = connection().finished;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::string id = to_text(pairs[i].pipeline);
    const std::int64_t since = pairs[i].since.time_since_epoch().count();
    if (statement.integer(id, pairs[i].ticker, since) == 1) found.push_back(i);
  }
  return found;
}

}  // namespace signalbox
