#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "domain/facts.hpp"
#include "domain/fence.hpp"

namespace signalbox {

/// What one write carries: all of it, or nothing, becomes visible together with all fence moves.
/// Messages are grouped by partition and in offset order; there may be moves without messages.
struct WriteBatch {
  std::span<const Routed> messages;
  std::span<const FenceMove> moves;
  ReceivedAt received_at;
  /// Work of the caller's own. A sink that has sent everything and waits for its store may call it,
  /// once and on the caller's thread; it calls no sink.
  std::function<void()> meanwhile{};
};

/// Data and fences are in the sink.
struct Committed {
  std::uint64_t superseded = 0;  ///< candles coalesced away by a later one of the same key
  std::uint64_t receivers = 0;   ///< subscribers that got a copy, summed over the publishes
  std::uint64_t publishes = 0;
};

/// A fence was not the expected one: nothing was written. Read them again.
struct Refused {};

/// The reply was lost: it may be written or not, or be written yet. Only the fences tell.
struct Unknown {
  std::string why;
  Committed if_landed{};  ///< what is known of the result, should the fences say that it landed
};

/// Nothing was written, through no fault of a message: wait and repeat.
struct Unavailable {
  std::string why;
};

struct RejectedRow {
  std::size_t index;  ///< into WriteBatch::messages
  Reject reject;
};

/// Nothing was written; these messages can never be (their neighbours pass without them).
struct RowsRejected {
  std::vector<RejectedRow> rows;
};

using WriteOutcome = std::variant<Committed, Refused, Unknown, Unavailable, RowsRejected>;

/// Something about the sink's set-up that puts the promise at risk ("keys may be evicted").
struct SinkWarning {
  std::string code;  ///< SNAKE_CASE, for /health and check
  std::string text;  ///< what is wrong and what to do

  bool operator==(const SinkWarning&) const = default;
};

/// A place where messages end and where the fences of one consumer group live, in one store.
///
/// One thread owns a sink. Connections are made when needed and made anew after a failure; no
/// call blocks for longer than the adapter's configured time-out.
class Sink {
 public:
  virtual ~Sink() = default;

  /// The fences as the sink holds them now; absent ones are missing from the answer.
  /// Throws IoError when the sink does not answer.
  virtual FenceMap read_fences(std::span<const TopicPartition> partitions) = 0;

  /// Writes a batch as WriteBatch says. Never throws for the outside: the outcome says it.
  virtual WriteOutcome write(const WriteBatch& batch) = 0;

  /// Asks the sink whether it answers; throws IoError when it does not.
  virtual void ping() = 0;

  /// What `check` and /health should say about this sink. Throws IoError.
  virtual std::vector<SinkWarning> inspect() = 0;
};

}  // namespace signalbox
