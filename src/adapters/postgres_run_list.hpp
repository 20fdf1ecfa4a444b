#pragma once

#include <vector>

#include "adapters/postgres_connection.hpp"
#include "domain/trigger_comparison.hpp"

namespace signalbox {

/// The runs that workers started for signals (mode `paper`, with a symbol) since `since`, at most
/// 200,000, oldest first. Throws IoError.
std::vector<OriginalRun> runs_since(const PostgresOptions& options, EventTime since);

}  // namespace signalbox
