#pragma once

#include <string>

#include "contract/pipeline_store_suite.hpp"
#include "contract/postgres_place.hpp"

namespace signalbox {

/// The platform's tables, tests/stack/platform.sql, in a database of a test's own with one user.
class PlatformDatabase {
 public:
  PlatformDatabase();

  TestDatabase& database() { return database_; }
  PostgresConnection& connection() { return database_.connection(); }

  void put(const StoredPipeline& pipeline);
  void remove(int number);

  /// Ends every connection whose application has this name, from the server's side.
  void break_connections(const std::string& application);

 private:
  TestDatabase database_;
};

}  // namespace signalbox
