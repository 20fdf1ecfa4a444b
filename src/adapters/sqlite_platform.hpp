#pragma once

#include "adapters/sqlite_database.hpp"

namespace signalbox {

/// Makes the tables `pipelines` and `executions` where they are missing: what `signalbox up` has in
/// place of the platform's database. Times are microseconds since 1970, JSON is text.
void make_platform(SqliteDatabase& database);

/// Puts a few pipelines into an empty table, to try the trigger with; false: it was not empty.
bool seed_pipelines(SqliteDatabase& database);

}  // namespace signalbox
