#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/sqlite_database.hpp"
#include "domain/run_status.hpp"
#include "ports/run_ledger.hpp"

namespace signalbox {

struct SqliteRunsOptions {
  SqliteOptions sqlite;
  /// Statuses that keep a pair busy.
  std::vector<std::string> blocking{kBlockingStatuses.begin(), kBlockingStatuses.end()};
};

/// Executions in a file of our own (sqlite_platform.hpp). Its clock is this host's. One thread
/// owns it.
class SqliteRuns final : public RunLedger {
 public:
  /// Opens the file at the first call.
  explicit SqliteRuns(SqliteRunsOptions options);
  ~SqliteRuns() override;

  ActiveRuns active(std::span<const Uuid> pipelines) override;
  std::vector<std::size_t> finished(std::span<const PairSince> pairs) override;

 private:
  struct Connection;
  Connection& connection();

  SqliteRunsOptions options_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace signalbox
