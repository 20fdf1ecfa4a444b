#include "adapters/postgres_schema.hpp"

#include <array>

#include "adapters/postgres_ddl.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr const char* kInsufficientPrivilege = "42501";

/// "signalbo" in ASCII: any constant would do, as long as it never changes.
constexpr const char* kMigrationLock = "8316866956900659823";

/// Another migration may be at work, and market_data may be in use: longer than a lane would wait.
constexpr const char* kMigrationLockTimeout = "25s";

bool exists(PostgresConnection& connection, const std::string& table) {
  return connection.execute("SELECT to_regclass($1) IS NOT NULL", {table}).value() == "t";
}

bool schema_exists(PostgresConnection& connection) {
  return connection.execute("SELECT to_regnamespace('signalbox') IS NOT NULL").value() == "t";
}

int version_of(PostgresConnection& connection) {
  if (!schema_exists(connection) || !exists(connection, "signalbox.schema_version")) return 0;
  const std::string version =
      connection.execute("SELECT coalesce(max(version), 0) FROM signalbox.schema_version").value();
  return std::stoi(version);
}

/// Rolls back unless committed, so that a failed migration leaves no lock behind.
class Transaction {
 public:
  explicit Transaction(PostgresConnection& connection) : connection_(connection) {
    connection_.execute("BEGIN");
  }
  ~Transaction() {
    // Nothing can be done about a failure here; the server rolls back when the connection ends.
    if (!is_done_ && !connection_.try_execute("ROLLBACK")) connection_.close();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() {
    connection_.execute("COMMIT");
    is_done_ = true;
  }

 private:
  PostgresConnection& connection_;
  bool is_done_ = false;
};

void upgrade(PostgresConnection& connection, MigrationReport& report) {
  constexpr std::array kSteps{&kSchemaVersion1};  // index 0 makes version 1
  static_assert(kSteps.size() == kSchemaVersion);
  for (int version = report.from_version; version < kSchemaVersion; ++version) {
    connection.run_script(*kSteps[static_cast<std::size_t>(version)]);
    connection.execute("INSERT INTO signalbox.schema_version (version) VALUES ($1)",
                       {std::to_string(version + 1)});
    report.done.push_back("schema signalbox: version " + std::to_string(version + 1));
  }
}

/// The one change that we make to a table of others; a role that may not goes without it.
void add_is_closed(PostgresConnection& connection, MigrationReport& report) {
  connection.execute("SAVEPOINT before_alter");
  const auto altered = connection.try_execute(
      "ALTER TABLE public.market_data ADD COLUMN IF NOT EXISTS is_closed boolean");
  if (altered) {
    report.done.push_back("public.market_data: column is_closed added");
    return;
  }
  if (altered.error().sqlstate != kInsufficientPrivilege) {
    throw IoError{"postgresql", "public.market_data: " + altered.error().text()};
  }
  connection.execute("ROLLBACK TO SAVEPOINT before_alter");
}

void migrate_market_data(PostgresConnection& connection, MigrationReport& report) {
  switch (find_closed_candles(connection)) {
    case ClosedCandles::NoTable:
      connection.run_script(kMarketDataTable);
      report.done.push_back("public.market_data: created");
      break;
    case ClosedCandles::SideTable:
      add_is_closed(connection, report);
      break;
    case ClosedCandles::Column:
      break;
  }
  report.closed_candles = find_closed_candles(connection);
}

}  // namespace

std::string_view advice_for(SchemaState state) {
  switch (state) {
    case SchemaState::Ok:
      return "";
    case SchemaState::Missing:
      return "schema signalbox is missing; run: signalbox migrate";
    case SchemaState::Older:
      return "schema signalbox is older than this program; run: signalbox migrate";
    case SchemaState::Newer:
      return "schema signalbox is newer than this program; install the newer signalbox";
  }
  return "";
}

SchemaState check_schema(PostgresConnection& connection) {
  const int version = version_of(connection);
  if (version == 0) return SchemaState::Missing;
  if (version < kSchemaVersion) return SchemaState::Older;
  return version == kSchemaVersion ? SchemaState::Ok : SchemaState::Newer;
}

ClosedCandles find_closed_candles(PostgresConnection& connection) {
  if (!exists(connection, "public.market_data")) return ClosedCandles::NoTable;
  const std::string has_column =
      connection
          .execute(
              "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = "
              "'public.market_data'::regclass AND attname = 'is_closed' AND NOT attisdropped)")
          .value();
  return has_column == "t" ? ClosedCandles::Column : ClosedCandles::SideTable;
}

MigrationReport migrate(PostgresConnection& connection) {
  Transaction transaction{connection};
  connection.execute("SELECT set_config('lock_timeout', $1, true)", {kMigrationLockTimeout});
  connection.execute(std::string("SELECT pg_advisory_xact_lock(") + kMigrationLock + ")");

  MigrationReport report;
  // Not CREATE ... IF NOT EXISTS: that asks for the right to create even when nothing is created.
  if (!schema_exists(connection)) connection.execute("CREATE SCHEMA signalbox");
  if (!exists(connection, "signalbox.schema_version")) {
    connection.execute(
        "CREATE TABLE signalbox.schema_version (version integer PRIMARY KEY, "
        "installed_at timestamptz NOT NULL DEFAULT now())");
  }
  report.from_version = version_of(connection);
  if (report.from_version > kSchemaVersion) {
    throw IoError{"postgresql", std::string(advice_for(SchemaState::Newer))};
  }
  upgrade(connection, report);
  migrate_market_data(connection, report);
  report.to_version = kSchemaVersion;
  transaction.commit();
  return report;
}

}  // namespace signalbox
