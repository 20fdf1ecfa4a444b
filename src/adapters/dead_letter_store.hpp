#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/postgres_connection.hpp"
#include "domain/message.hpp"

namespace signalbox {

/// Which message, refused by which lane.
struct DeadLetterPlace {
  std::string lane;
  TopicPartition source;
  Offset offset;

  bool operator==(const DeadLetterPlace&) const = default;
};

struct StoredLetter {
  DeadLetterPlace place;
  std::string reason;
  std::string detail;
  std::optional<std::string> message_time;  ///< RFC 3339, UTC
  std::string rejected_at;                  ///< RFC 3339, UTC
  std::optional<std::string> key;
  std::optional<std::string> payload;  ///< absent: a tombstone
  std::int64_t payload_size = 0;       ///< bytes of the whole payload, also where it is cut
  bool is_truncated = false;           ///< only the head was kept: it cannot be replayed
  std::optional<std::string> sha256;   ///< of the whole payload, where it is cut
  std::optional<std::string> replayed_at;
  std::int32_t replays = 0;
};

struct DeadLetterFilter {
  std::optional<std::string> lane{};
  std::optional<std::string> reason{};
  std::optional<std::string> topic{};
  std::int32_t limit = 100;
};

/// The table of dead letters, for operators. One thread; every call may throw IoError.
class DeadLetterStore {
 public:
  /// The connection must outlive the store.
  explicit DeadLetterStore(PostgresConnection& connection) : connection_(connection) {}

  /// Newest first; of each payload only the first 200 bytes.
  std::vector<StoredLetter> list(const DeadLetterFilter& filter);

  /// One letter with the payload that was kept.
  std::optional<StoredLetter> show(const DeadLetterPlace& place);

  /// After the letter was produced to its replay topic. False when it is not there.
  bool mark_replayed(const DeadLetterPlace& place);

 private:
  PostgresConnection& connection_;
};

/// How long rows of our own tables are kept.
struct Retention {
  std::chrono::days records{365};  ///< signals, orders, executions
  std::chrono::days dead_letters{90};
  std::chrono::days shadow_candles{14};
  std::chrono::days open_candles{30};
};

struct PruneLimits {
  std::int32_t rows_per_chunk = 5'000;  ///< one short transaction each
  std::int32_t chunks_max = 2'000;      ///< a table
};

struct Pruned {
  std::string table;
  std::uint64_t rows = 0;
  bool is_complete = true;  ///< false: the limit of chunks was reached, run it again

  bool operator==(const Pruned&) const = default;
};

/// Deletes what is older than the retention, from tables of schema signalbox only;
/// public.market_data and the fences are never touched. Throws IoError.
std::vector<Pruned> prune(PostgresConnection& connection, const Retention& retention,
                          const PruneLimits& limits = {});

}  // namespace signalbox
