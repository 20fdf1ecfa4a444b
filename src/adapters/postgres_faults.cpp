#include "adapters/postgres_faults.hpp"

#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kTrialPassed = "SB002";
constexpr std::string_view kCheckViolation = "23514";

/// A missing partition has the SQLSTATE of a CHECK, but no constraint to name. A trigger that
/// raises the same SQLSTATE names none either, but comes from PL/pgSQL.
bool is_missing_partition(const PostgresError& error) {
  return error.sqlstate == kCheckViolation && error.constraint.empty() &&
         error.source_function != "exec_stmt_raise";
}

}  // namespace

bool is_row_fault(const PostgresError& error) {
  if (is_missing_partition(error)) return false;
  return error.sqlstate.starts_with("22") || error.sqlstate.starts_with("23");
}

TrialOutcome trial_outcome(const std::expected<void, PostgresFailure>& trial) {
  using enum TrialOutcome::Kind;
  if (trial) return {Unavailable, "a trial was not rolled back"};
  const PostgresError& error = trial.error().error;
  if (error.sqlstate == kTrialPassed) return {Passed, {}};
  return {is_row_fault(error) ? RowFault : Unavailable, error.text().substr(0, 500)};
}

bool is_lost_statement(const PostgresError& error) {
  return error.sqlstate == "26000" || error.sqlstate == "42P05";
}

bool is_missing_object(const PostgresError& error) {
  return error.sqlstate == "42P01" || error.sqlstate == "42703" || error.sqlstate == "42883" ||
         error.sqlstate == "3F000";
}

bool calls_for_new_session(const PostgresError& error) {
  return is_lost_statement(error) || is_missing_object(error) || error.sqlstate == "0A000" ||
         error.sqlstate == "25006";  // read-only: a fail-over may have moved the primary
}

std::vector<SinkWarning> inspect_postgres(PostgresConnection& connection,
                                          const PostgresInspection& inspection) {
  std::vector<SinkWarning> warnings;
  const PostgresRows rows = connection.execute(
      "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', "
      "current_setting('synchronous_commit') = 'off', current_setting('fsync') = 'off', "
      "has_table_privilege('signalbox.fences', 'SELECT') AND "
      "has_table_privilege('signalbox.fences', 'INSERT') AND "
      "has_table_privilege('signalbox.fences', 'UPDATE'), "
      "to_regclass('public.market_data') IS NULL, "
      "coalesce(has_table_privilege(to_regclass('public.market_data'), 'INSERT') AND "
      "has_table_privilege(to_regclass('public.market_data'), 'UPDATE') AND "
      "has_table_privilege(to_regclass('public.market_data'), 'SELECT'), true)");
  const auto& row = rows.rows.at(0);
  const auto is_true = [&](std::size_t column) { return row.at(column) == "t"; };
  if (is_true(0)) {
    warnings.push_back({"STANDBY",
                        "this PostgreSQL server is a standby and takes no writes; "
                        "point PGHOST at the primary"});
  } else if (is_true(1)) {
    warnings.push_back({"READ_ONLY",
                        "transactions are read-only here; see "
                        "default_transaction_read_only of role and database"});
  }
  if (is_true(2) || is_true(3)) {
    warnings.push_back({"AT_RISK",
                        "synchronous_commit or fsync is off: a crash of the server "
                        "loses the last writes (data and fences together, so they are "
                        "filled in again while Kafka keeps them)"});
  }
  if (!is_true(4)) {
    warnings.push_back({"NO_RIGHT_ON_FENCES",
                        "this role may not read and write "
                        "signalbox.fences; grant it schema signalbox"});
  }
  if (inspection.writes_candles && is_true(5)) {
    warnings.push_back({"NO_MARKET_DATA",
                        "table public.market_data is missing; "
                        "run: signalbox migrate"});
  }
  if (inspection.writes_candles && !is_true(6)) {
    warnings.push_back({"NO_RIGHT_ON_MARKET_DATA",
                        "this role may not read, insert and update "
                        "public.market_data; grant it"});
  }
  if (inspection.lost_statements) {
    warnings.push_back({"POOLED_BY_TRANSACTION",
                        "prepared statements get lost: this looks like a "
                        "pooler in transaction mode; connect directly or "
                        "pool by session"});
  }
  return warnings;
}

}  // namespace signalbox
