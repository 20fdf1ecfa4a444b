#pragma once

#include <expected>
#include <string>
#include <vector>

#include "adapters/postgres_connection.hpp"
#include "domain/fault_finder.hpp"
#include "ports/sink.hpp"

namespace signalbox {

/// Whether an error can be the fault of a row's content: SQLSTATE 22xxx and 23xxx, but not a
/// partition that is missing. What follows from it is decided by the row's neighbours.
bool is_row_fault(const PostgresError& error);

/// A trial ends with SB002 when everything before passed.
TrialOutcome trial_outcome(const std::expected<void, PostgresFailure>& trial);

/// A prepared statement that is not there, or is somebody else's: the mark of a pooler that gives
/// each transaction another connection.
bool is_lost_statement(const PostgresError& error);

/// A table, column, schema or function is missing.
bool is_missing_object(const PostgresError& error);

/// What this session has learnt or prepared may no longer be true.
bool calls_for_new_session(const PostgresError& error);

struct PostgresInspection {
  std::string group;
  bool writes_candles = true;    ///< into public.market_data
  bool lost_statements = false;  ///< is_lost_statement() was seen
};

/// What is wrong with a server, its settings and our rights. Throws IoError.
std::vector<SinkWarning> inspect_postgres(PostgresConnection& connection,
                                          const PostgresInspection& inspection);

}  // namespace signalbox
