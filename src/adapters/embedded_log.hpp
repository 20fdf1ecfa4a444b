#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/sqlite_database.hpp"
#include "domain/message.hpp"

namespace signalbox {

struct EmbeddedLogOptions {
  std::filesystem::path file;
  std::int32_t partitions_per_topic = 1;  ///< of topics that are made from now on
  /// What a partition keeps; the oldest messages go first, `prune_chunk` at a time, so that up to
  /// one chunk more is there between two prunings.
  std::int64_t messages_per_partition_max = 100'000;
  std::int64_t prune_chunk = 1'000;
  std::chrono::milliseconds busy_timeout{2'000};
};

/// A log of topics and partitions in one SQLite file, as this process sees it: where the file is,
/// what it keeps, and a bell that wakes sources of this process when something was appended.
/// Producers and sources have connections of their own. Thread-safe.
class EmbeddedLog {
 public:
  explicit EmbeddedLog(EmbeddedLogOptions options);

  const EmbeddedLogOptions& options() const { return options_; }

  /// A connection, with the tables made if they are missing. Throws SqliteError.
  SqliteDatabase open(SqliteSync sync) const;

  /// How often the bell was rung.
  std::uint64_t rings() const;
  void ring();

  /// Returns when the bell was rung more than `heard` times, or after `most`.
  void wait_for_ring(std::uint64_t heard, std::chrono::milliseconds most) const;

 private:
  const EmbeddedLogOptions options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable rung_;
  std::uint64_t rings_ = 0;
};

/// Where a message lies in the table: offsets of one partition are neighbours in the file.
std::int64_t log_position(std::int64_t partition_id, std::int64_t offset);

/// Sixteen random bytes as hexadecimal digits.
std::string random_id();

/// Counts a change of topics or members, so that every source of every process looks again.
void touch_topology(SqliteDatabase& database);

/// Headers as one blob, and back.
std::string pack_headers(const std::vector<Header>& headers);
std::vector<Header> unpack_headers(std::string_view packed);

}  // namespace signalbox
