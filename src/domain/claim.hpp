#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/fence.hpp"
#include "domain/pipeline.hpp"
#include "domain/trading_signal.hpp"
#include "domain/trigger_outcome.hpp"

/// The words of the claim: what the trigger asks of a task queue, and what it hears.
namespace signalbox {

/// A (pipeline, ticker) that a signal should run. Borrows for the length of the call.
struct TaskRequest {
  Uuid pipeline;
  Uuid user;
  std::string_view pipeline_name;
  const TradingSignal* signal;
  std::uint32_t ticker = 0;     ///< index into signal->tickers
  std::string_view signal_key;  ///< names the signal: its id, or topic/partition/offset
  EventTime signal_logged_at;   ///< log timestamp: its age
  BusyRule busy;
  bool is_running = false;  ///< the ledger holds an active run of the pair
  bool is_backtest = false;
  bool is_repeat_checked = true;  ///< false for the later parts of a signal that was cut
};

/// A pair whose outcome was settled before the call, to be recorded with it.
struct SettledPair {
  Uuid pipeline;
  std::string_view ticker;
  std::string_view signal_key;
  TriggerOutcome outcome;
};

/// How far a signal with too many tasks for one call has come.
struct Cut {
  TopicPartition partition;
  std::uint64_t pairs_done = 0;  ///< in order of pipeline id, then ticker; see last_pair
  std::string last_pair;         ///< `pipeline|ticker` of the last one done
};

struct ClaimBatch {
  std::span<const TaskRequest> requests;  ///< at most kMaxTasksPerCall
  std::span<const SettledPair> settled;
  std::span<const FenceMove> moves;
  /// The signal that is cut here; a move to the next message forgets it.
  std::optional<Cut> cut{};
  DatabaseTime database_now{};  ///< the database's clock now, by the ledger's last answer
};

struct EnqueuedTask {
  std::size_t request;  ///< index into ClaimBatch::requests, or of the decision
  std::string task_id;
};

/// A signal that waited in a slot, and no longer does.
struct EndedWait {
  Uuid pipeline;
  std::string ticker;
  std::string signal_key;

  bool operator==(const EndedWait&) const = default;
};

/// All of it is there: claims, tasks, slots, outcomes, fences.
struct Claimed {
  /// Of each request or decision, in order. Of a decision, Held says that it was left as it was:
  /// the pair is busy again, or somebody else has settled it.
  std::vector<TriggerOutcome> outcomes;
  std::vector<EnqueuedTask> enqueued;
  /// Earlier signals whose waiting ended by this call: all of them superseded.
  std::vector<EndedWait> ended{};
};

/// A signal that waits in a slot.
struct HeldTask {
  Uuid pipeline;
  std::string ticker;
  std::string signal_key;
  std::string slot;  ///< opaque name of the slot's content: compared before anything is done
  EventTime signal_logged_at;
};

/// What became of a held task after the world was looked at again.
struct HeldDecision {
  const HeldTask* held;
  /// absent: enqueue it if the pair is free by the queue's own account; else it ends like this.
  std::optional<TriggerOutcome> ends_as;
};

/// A claim whose task has left no result yet.
struct OpenClaim {
  Uuid pipeline;
  std::string ticker;
  std::string task_id;
  DatabaseTime database_now;  ///< when it was made
};

/// How long claims hold and how much is kept. Every bound of the claim is here.
struct ClaimRules {
  std::chrono::milliseconds task_expires{600'000};     ///< a worker discards a task after that
  std::chrono::milliseconds task_hard_limit{600'000};  ///< a worker ends a run after that
  std::chrono::milliseconds margin{60'000};

  /// Signals seen are kept in four generations, each at most this old and this large; so a signal
  /// is known again for 15 to 20 minutes, and about 80 bytes each make at most 32 MB.
  std::chrono::milliseconds generation_length{300'000};
  std::uint64_t generation_max = 98'000;

  std::uint64_t held_max = 10'000;  ///< signals that wait in slots, of all pairs
  std::uint64_t held_bytes_max = 64'000'000;

  /// The stream of outcomes is cut by whole segments, oldest first.
  std::uint64_t outcome_bytes_max = 45'000'000;
  std::uint64_t segment_bytes = 1'000'000;
  std::uint64_t segment_entries = 2'000;
  std::uint64_t segments_max = 50;

  /// From enqueue to deadline.
  std::chrono::milliseconds claim_length() const { return task_expires + task_hard_limit + margin; }
};

inline constexpr std::size_t kMaxTasksPerCall = 2'000;
inline constexpr std::size_t kMaxBytesPerCall = 8'000'000;

/// At most this many bytes of a call are spent on one task of this signal, whatever its ticker.
std::size_t claim_bytes_max(const TradingSignal& signal);

}  // namespace signalbox
