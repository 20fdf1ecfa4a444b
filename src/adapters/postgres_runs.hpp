#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/postgres_connection.hpp"
#include "domain/run_status.hpp"
#include "ports/run_ledger.hpp"

namespace signalbox {

struct PostgresRunsOptions {
  PostgresOptions postgres;
  /// Statuses that keep a pair busy; each must be a run's status (is_run_status).
  std::vector<std::string> blocking{kBlockingStatuses.begin(), kBlockingStatuses.end()};
};

/// The platform's table `executions`; SELECT is all the right that it needs.
///
/// A question is one prepared statement without a transaction around it, so one round trip; a new
/// connection costs two more. Statuses that the database's type does not know yet are left out
/// of the question: no row can have them. One thread owns it.
class PostgresRuns final : public RunLedger {
 public:
  explicit PostgresRuns(PostgresRunsOptions options);

  ActiveRuns active(std::span<const Uuid> pipelines) override;
  std::vector<std::size_t> finished(std::span<const PairSince> pairs) override;

  /// What the server does to answer active(), for tests and people.
  std::vector<std::string> explain(std::span<const Uuid> pipelines);

 private:
  void word_statements();
  void require_worded();
  std::string array_of(std::span<const std::string_view> statuses) const;
  PostgresRows ask(const PostgresStatement& statement, std::span<const char* const> parameters);

  std::vector<std::string> blocking_;
  PostgresConnection connection_;
  /// The connection for which the statements were worded.
  std::optional<std::uint64_t> worded_for_;
  std::string status_type_;
  std::vector<std::string> labels_;  ///< of the type, where it is an enum
  PostgresStatement active_{.name = "runs_active", .sql = {}};
  PostgresStatement finished_{.name = "runs_finished", .sql = {}};
};

}  // namespace signalbox
