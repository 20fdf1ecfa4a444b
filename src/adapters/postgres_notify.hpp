#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "adapters/postgres_connection.hpp"

namespace signalbox {

/// Where a change of the platform's pipelines or scanners is told.
inline constexpr const char* kPipelinesChannel = "signalbox_pipelines";

/// Puts a trigger on public.pipelines and public.scanners that notifies kPipelinesChannel, once a
/// statement. Safe to run again; what was done is a line each, for people. Needs the right TRIGGER
/// on both tables and schema signalbox. All or nothing; throws IoError.
std::vector<std::string> install_notify(PostgresConnection& connection);

/// Takes the triggers away again, as far as they are there. Throws IoError.
std::vector<std::string> remove_notify(PostgresConnection& connection);

/// Whether both triggers are there. Throws IoError.
bool has_notify(PostgresConnection& connection);

/// Whether a LISTEN on such a connection hears a NOTIFY; the error says what to do. A pooler that
/// gives connections to transactions takes the LISTEN and forgets it. Throws IoError.
std::expected<void, std::string> try_notifications(const PostgresOptions& options,
                                                   std::chrono::milliseconds patience);

}  // namespace signalbox
