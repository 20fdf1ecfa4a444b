#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/postgres_connection.hpp"

namespace signalbox {

/// The version of schema `signalbox` that this program reads and writes.
inline constexpr int kSchemaVersion = 1;

enum class SchemaState : std::uint8_t { Ok, Missing, Older, Newer };

/// What to tell the operator; empty when Ok.
std::string_view advice_for(SchemaState state);

/// Compares the schema in the database with kSchemaVersion. Throws IoError when the database does
/// not answer.
SchemaState check_schema(PostgresConnection& connection);

/// How the table of candles remembers which of them are closed.
enum class ClosedCandles : std::uint8_t {
  Column,     ///< public.market_data.is_closed
  SideTable,  ///< signalbox.open_candles, because we may not alter public.market_data
  NoTable,    ///< public.market_data is missing
};

ClosedCandles find_closed_candles(PostgresConnection& connection);

struct MigrationReport {
  int from_version = 0;
  int to_version = 0;
  ClosedCandles closed_candles = ClosedCandles::Column;
  std::vector<std::string> done;  ///< one line each, for people; empty when nothing was to do
};

/// Creates or upgrades schema `signalbox`, creates public.market_data when it is missing and adds
/// its nullable column is_closed, or leaves that to signalbox.open_candles where the role may not.
///
/// One transaction under an advisory lock: safe to run from two places at once, and again. A
/// market_data that is there, hypertable or not, keeps its columns, keys and triggers. Throws
/// IoError, also when the schema is newer than this program.
MigrationReport migrate(PostgresConnection& connection);

}  // namespace signalbox
