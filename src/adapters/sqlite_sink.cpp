#include "adapters/sqlite_sink.hpp"

#include <utility>
#include <vector>

#include "adapters/sqlite_fences.hpp"
#include "domain/coalesce.hpp"

namespace signalbox {
namespace {

bool is_complete_candle(const Routed& routed) {
  const auto* candle = std::get_if<CandleFields>(&routed.facts.record);
  return candle && candle->open_time && candle->timeframe;
}

}  // namespace

struct SqliteSink::Connection {
  explicit Connection(const SqliteSinkOptions& options)
      : database({.file = options.file,
                  .sync = SqliteSync::Normal,
                  .busy_timeout = options.busy_timeout}),
        tables(database),
        fences(database, options.group) {}

  SqliteDatabase database;
  SqliteTables tables;
  SqliteFences fences;
};

/// What putting a batch's rows came to.
struct SqliteSink::Rows {
  Committed committed{};
  std::vector<RejectedRow> rejected{};
};

SqliteSink::SqliteSink(SqliteSinkOptions options) : options_(std::move(options)) {}
SqliteSink::~SqliteSink() = default;

/// A connection that failed is not used again.
SqliteSink::Connection& SqliteSink::connection() {
  if (!connection_) connection_ = std::make_unique<Connection>(options_);
  connection_->database.require_file();
  return *connection_;
}

FenceMap SqliteSink::read_fences(std::span<const TopicPartition> partitions) {
  try {
    return connection().fences.read(partitions);
  } catch (const SqliteError&) {
    connection_.reset();
    throw;
  }
}

WriteOutcome SqliteSink::write(const WriteBatch& batch) {
  Rows rows;
  bool was_tried = false;  // to commit
  try {
    Connection& file = connection();
    SqliteTransaction transaction{file.database, SqliteAccess::Write};
    if (file.fences.move(batch.moves) == SqliteFences::Moved::Refused) return Refused{};
    rows = put_rows(file, batch);
    if (!rows.rejected.empty()) return RowsRejected{std::move(rows.rejected)};
    file.tables.prune(options_.limits);
    was_tried = true;
    transaction.commit();
    return rows.committed;
  } catch (const SqliteError& error) {
    connection_.reset();
    // What could not be written for want of room or of the lock is not there. After any other
    // failure of COMMIT the next one who opens the file may find it.
    if (was_tried && !error.is_full_or_locked()) return Unknown{error.what(), rows.committed};
    return Unavailable{error.what()};
  }
}

SqliteSink::Rows SqliteSink::put_rows(Connection& file, const WriteBatch& batch) {
  Rows rows;
  std::vector<std::size_t> candles;
  // A statement that is refused undoes itself only: its neighbours are tried all the same.
  const auto put = [&](std::size_t index, auto&& statement) {
    try {
      statement(batch.messages[index], batch.received_at);
    } catch (const SqliteError& error) {
      if (!error.is_constraint()) throw;
      rows.rejected.push_back({index, {RejectReason::RefusedBySink, error.what()}});
    }
  };
  for (std::size_t index = 0; index < batch.messages.size(); ++index) {
    const Routed& routed = batch.messages[index];
    switch (routed.route->kind) {
      case Kind::Candle:
        if (is_complete_candle(routed)) {
          candles.push_back(index);
        } else {
          rows.rejected.push_back({index, {RejectReason::MissingField, "time or timeframe"}});
        }
        break;
      case Kind::Signal:
      case Kind::AnalyzerSignal:
      case Kind::FilteredSignal:
      case Kind::Order:
      case Kind::Execution:
        put(index,
            [&](const Routed& record, ReceivedAt at) { file.tables.put_record(record, at); });
        break;
      case Kind::DeadLetter:
        put(index,
            [&](const Routed& letter, ReceivedAt at) { file.tables.put_letter(letter, at); });
        break;
      case Kind::TriggerSignal:
        break;
    }
  }
  const Coalesced coalesced = coalesce_candles(batch.messages, candles);
  rows.committed.superseded = coalesced.superseded;
  for (const std::size_t index : coalesced.winners) {
    put(index, [&](const Routed& candle, ReceivedAt at) { file.tables.put_candle(candle, at); });
  }
  return rows;
}

void SqliteSink::ping() { static_cast<void>(read_fences(std::vector{kGroupStarted})); }

std::vector<SinkWarning> SqliteSink::inspect() {
  ping();
  return {};
}

}  // namespace signalbox
