#include "adapters/sqlite_executions.hpp"

#include <utility>

#include "adapters/sqlite_platform.hpp"

namespace signalbox {
namespace {

std::int64_t us_of(ReceivedAt time) { return time.time_since_epoch().count(); }

std::optional<ReceivedAt> time_from(const SqliteStatement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return ReceivedAt{std::chrono::microseconds{row.int64(column)}};
}

constexpr const char* kInsert =
    "INSERT INTO executions (id, pipeline_id, user_id, status, symbol, result, started_at_us,"
    " created_at_us) VALUES (?1, ?2, (SELECT user_id FROM pipelines WHERE id = ?2), 'RUNNING', ?3,"
    " json_object('signal_id', ?4, 'arguments', ?5, 'starts', 1), ?6, ?6)"
    " ON CONFLICT DO NOTHING";

constexpr const char* kAgain =
    "UPDATE executions SET started_at_us = ?,"
    " result = json_set(result, '$.starts', result ->> '$.starts' + 1)"
    " WHERE id = ? AND status = 'RUNNING'";

constexpr const char* kLast =
    "SELECT e.id, e.result ->> '$.signal_id', e.pipeline_id, coalesce(p.name, ''), e.symbol,"
    " e.status, e.result ->> '$.starts', e.started_at_us, e.completed_at_us"
    " FROM executions e LEFT JOIN pipelines p ON p.id = e.pipeline_id"
    " ORDER BY e.rowid DESC LIMIT ?";

/// Enough to look back on; a task comes again only while it is not finished, so no older row is
/// asked for.
constexpr std::int64_t kRunsKept = 10'000;
constexpr const char* kPrune =
    "DELETE FROM executions WHERE status = 'COMPLETED'"
    " AND rowid <= (SELECT max(rowid) FROM executions) - ?";

}  // namespace

SqliteExecutions::SqliteExecutions(SqliteOptions options) : options_(std::move(options)) {}
SqliteExecutions::~SqliteExecutions() = default;

/// A file that was replaced is opened anew by the next call.
SqliteDatabase& SqliteExecutions::database() {
  if (!database_) {
    auto opened = std::make_unique<SqliteDatabase>(options_);
    make_platform(*opened);
    database_ = std::move(opened);
  }
  try {
    database_->require_file();
  } catch (const SqliteError&) {
    database_.reset();
    throw;
  }
  return *database_;
}

RunBegun SqliteExecutions::begin(const RunStart& run, ReceivedAt now) {
  SqliteDatabase& to = database();
  SqliteTransaction transaction{to, SqliteAccess::Write};
  to.prepare(kInsert).run(run.task_id, to_text(run.pipeline), run.ticker, run.signal_id,
                          run.arguments, us_of(now));
  RunBegun begun = RunBegun::First;
  if (to.changes() == 0) {
    to.prepare(kAgain).run(us_of(now), run.task_id);
    begun = to.changes() == 0 ? RunBegun::EndedBefore : RunBegun::Again;
  }
  transaction.commit();
  return begun;
}

void SqliteExecutions::complete(std::string_view task_id, ReceivedAt now) {
  SqliteDatabase& to = database();
  SqliteTransaction transaction{to, SqliteAccess::Write};
  to.prepare(
        "UPDATE executions SET status = 'COMPLETED', completed_at_us = ?"
        " WHERE id = ? AND status = 'RUNNING'")
      .run(us_of(now), task_id);
  to.prepare(kPrune).run(kRunsKept);
  transaction.commit();
}

std::vector<RunRow> SqliteExecutions::last(std::size_t limit) {
  std::vector<RunRow> runs;
  database().prepare(kLast).each(
      [&](const SqliteStatement& row) {
        runs.push_back({.task_id = std::string(row.text(0)),
                        .signal_id = std::string(row.text(1)),
                        .pipeline_id = std::string(row.text(2)),
                        .pipeline = std::string(row.text(3)),
                        .ticker = std::string(row.text(4)),
                        .status = std::string(row.text(5)),
                        .starts = row.int64(6),
                        .started_at = time_from(row, 7),
                        .completed_at = time_from(row, 8)});
        return Visit::Continue;
      },
      static_cast<std::int64_t>(limit));
  return runs;
}

std::string SqliteExecutions::pipeline_name(const Uuid& pipeline) {
  std::string name;
  database()
      .prepare("SELECT name FROM pipelines WHERE id = ?")
      .each(
          [&](const SqliteStatement& row) {
            name = row.text(0);
            return Visit::Stop;
          },
          to_text(pipeline));
  return name;
}

}  // namespace signalbox
