#pragma once

#include <span>
#include <string>

#include "adapters/sqlite_database.hpp"
#include "domain/fence.hpp"
#include "ports/sink.hpp"

namespace signalbox {

/// The fences of one consumer group, in the file of the data that they guard.
class SqliteFences {
 public:
  /// Makes the table if it is missing; `database` must outlive the fences.
  SqliteFences(SqliteDatabase& database, std::string group);

  /// Throws IoError, also when a fence cannot be read as one.
  FenceMap read(std::span<const TopicPartition> partitions);

  enum class Moved : std::uint8_t { All, Refused };

  /// Moves each fence that is the expected one; the first that is not refuses the rest. For inside
  /// a transaction, which the caller rolls back after a refusal.
  Moved move(std::span<const FenceMove> moves);

 private:
  SqliteDatabase& database_;
  const std::string group_;
  SqliteStatement select_;
  SqliteStatement insert_;
  SqliteStatement update_;
};

/// Whether the fences are those that a write of `moves` leaves.
bool fences_are_moved(const FenceMap& fences, std::span<const FenceMove> moves);

}  // namespace signalbox
