#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "base/guarded.hpp"
#include "domain/message.hpp"
#include "domain/trigger_outcome.hpp"

namespace signalbox {

/// What the trigger has counted since it started. The outcomes add up: see balanced().
struct TriggerCounters {
  std::uint64_t signals = 0;
  std::uint64_t batches = 0;
  std::uint64_t queries = 0;  ///< of executions, by batches and by the slots' sweep
  std::uint64_t pairs = 0;    ///< (signal, pipeline, ticker) whose pipeline watches the ticker
  std::uint64_t pipelines_matched = 0;  ///< (batch, pipeline), as the original counted them
  std::array<std::uint64_t, kTriggerOutcomeCount> outcomes{};  ///< of pairs, as first settled
  /// What became of those whose first outcome was Held.
  std::array<std::uint64_t, kTriggerOutcomeCount> after_held{};
  /// Pairs whose outcome is in the stream only: the reply that named it was lost.
  std::uint64_t unread = 0;
  std::uint64_t unwatched_signals = 0;  ///< nobody watches any of their tickers
  std::uint64_t reduced_metadata = 0;
  std::uint64_t released_claims = 0;  ///< by the ledger's word: their tasks left no result

  std::uint64_t of(TriggerOutcome outcome) const {
    return outcomes[static_cast<std::size_t>(outcome)];
  }
  std::uint64_t after_held_of(TriggerOutcome outcome) const {
    return after_held[static_cast<std::size_t>(outcome)];
  }

  TriggerCounters& operator+=(const TriggerCounters& other) {
    signals += other.signals;
    batches += other.batches;
    queries += other.queries;
    pairs += other.pairs;
    pipelines_matched += other.pipelines_matched;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      outcomes[i] += other.outcomes[i];
      after_held[i] += other.after_held[i];
    }
    unread += other.unread;
    unwatched_signals += other.unwatched_signals;
    reduced_metadata += other.reduced_metadata;
    released_claims += other.released_claims;
    return *this;
  }

  /// Whether each pair is in exactly one place.
  bool balanced() const {
    std::uint64_t sum = unread;
    for (const std::uint64_t count : outcomes) sum += count;
    return pairs == sum;
  }
};

/// Counted by the desk and the sweep, read by everybody.
using TriggerTally = Guarded<TriggerCounters>;

}  // namespace signalbox
