#pragma once

#include <cstdint>
#include <string>

#include "adapters/sqlite_database.hpp"
#include "domain/facts.hpp"

namespace signalbox {

/// The tables of the embedded store and how a message becomes a row of one. Names and columns are
/// PostgreSQL's, but: times are integers with their unit in the name, numbers are doubles, which
/// is what the producers' JSON numbers are.
class SqliteTables {
 public:
  /// Makes the tables that are missing; `database` must outlive them.
  explicit SqliteTables(SqliteDatabase& database);

  /// A closed candle is not overwritten by an open one. The facts are CandleFields with an open
  /// time and a timeframe. Throws SqliteError; is_constraint() when the row's content is refused.
  void put_candle(const Routed& routed, ReceivedAt received_at);

  /// A signal, an order or an execution; one that is there already stays.
  void put_record(const Routed& routed, ReceivedAt received_at);

  /// A letter of the dead-letter topic; a copy of one that is there already changes nothing.
  void put_letter(const Routed& routed, ReceivedAt received_at);

  /// Rows that a table may hold; beyond it the ones that were made first go.
  struct Limits {
    std::int64_t candles_max = 2'000'000;
    std::int64_t records_max = 100'000;  ///< of signals, orders, executions and dead letters each
  };

  /// Removes at most some thousand rows a table; most calls find nothing to do.
  void prune(const Limits& limits);

 private:
  SqliteStatement candle_;
  SqliteStatement signal_;
  SqliteStatement order_;
  SqliteStatement execution_;
  SqliteStatement letter_;
  struct Pruner {
    SqliteStatement first;
    SqliteStatement last;
    SqliteStatement remove;
  };
  static Pruner pruner(SqliteDatabase& database, const std::string& table);
  static void prune(Pruner& pruner, std::int64_t rows_max);
  Pruner candles_;
  Pruner signals_;
  Pruner orders_;
  Pruner executions_;
  Pruner letters_;
};

}  // namespace signalbox
