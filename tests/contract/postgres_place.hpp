#pragma once

#include <string>
#include <vector>

#include "adapters/postgres_connection.hpp"

namespace signalbox {

/// The server of the tests, from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE.
PostgresOptions test_postgres();

/// A database of a test's own, empty when made, gone when the test ends.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  /// To connect as the server's own user.
  PostgresOptions options() const;

  /// To connect as a role that owns nothing; made on first use, dropped with the database.
  PostgresOptions options_of_guest();

  /// One statement as the server's own user; its first column as text, NULL as "null".
  std::vector<std::string> sql(const std::string& statement);

  /// The first row's first column.
  std::string value(const std::string& statement);

  PostgresConnection& connection() { return connection_; }

 private:
  std::string name_;
  bool has_guest_ = false;
  PostgresConnection connection_;
};

/// public.market_data as the original stack makes it, with its indexes and triggers, but without
/// any column of ours.
extern const char* const kOriginalMarketData;

}  // namespace signalbox
