#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "domain/fence.hpp"
#include "domain/pipeline.hpp"
#include "domain/trading_signal.hpp"
#include "domain/trigger_outcome.hpp"
#include "ports/run_ledger.hpp"
#include "ports/sink.hpp"

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
  DatabaseTime database_now{};  ///< of the ledger's answer that the requests rest on
};

struct EnqueuedTask {
  std::size_t request;  ///< index into ClaimBatch::requests
  std::string task_id;
};

/// All of it is there: claims, tasks, slots, outcomes, fences.
struct Claimed {
  std::vector<TriggerOutcome> outcomes;  ///< of each request
  std::vector<EnqueuedTask> enqueued;
  /// Earlier signals whose waiting ended by this call (superseded), by name.
  std::vector<SettledPair> ended{};
  std::vector<std::string> ended_keys{};  ///< owns the names in `ended`
};

using ClaimOutcome = std::variant<Claimed, Refused, Unknown, Unavailable>;

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

struct QueueReport {
  std::uint64_t waiting_tasks = 0;                 ///< in the queue, taken by no worker yet
  std::optional<ReceivedAt> oldest_enqueued_at{};  ///< of those
  std::uint64_t open_claims = 0;
  std::uint64_t held = 0;
};

/// Celery's queue and our claims on it, in one store: Redis, or the embedded one.
///
/// A claim holds its (pipeline, ticker) from the enqueue until its task has a result, the ledger
/// shows a run of it that ended, or its deadline has passed; the deadline is fixed when the claim
/// is made and longer than any of its tasks can live. One thread owns a queue; several replicas
/// may share the store.
class TaskQueue {
 public:
  virtual ~TaskQueue() = default;

  virtual FenceMap read_fences(std::span<const TopicPartition> partitions) = 0;

  /// The cut of the message that the partition's fence points at; throws IoError.
  virtual std::optional<Cut> read_cut(const TopicPartition& partition) = 0;

  /// Claims, enqueues, fills slots, records the outcomes and moves the fences: all, or nothing.
  /// A fence that is not the expected one refuses the whole call. Never throws for the outside.
  virtual ClaimOutcome claim(const ClaimBatch& batch) = 0;

  /// At most `limit` held tasks whose pair is free by the queue's account, in the order in which
  /// their pairs would be served. Throws IoError.
  virtual std::vector<HeldTask> held(std::size_t limit) = 0;

  /// Enqueues or ends what held() gave, each only if it still is as it was, all in one call.
  /// Throws IoError: then it may have happened; ask held() again.
  virtual Claimed settle_held(std::span<const HeldDecision> decisions,
                              DatabaseTime database_now) = 0;

  /// At most `limit` claims past their first `older_than` whose task has no result. Throws IoError.
  virtual std::vector<OpenClaim> open_claims(std::size_t limit,
                                             std::chrono::milliseconds older_than) = 0;

  /// Gives claims back whose runs have ended, each only while it is still that task's. Throws.
  virtual void release(std::span<const OpenClaim> claims) = 0;

  virtual QueueReport report() = 0;                ///< throws IoError
  virtual void ping() = 0;                         ///< throws IoError
  virtual std::vector<SinkWarning> inspect() = 0;  ///< throws IoError
};

inline constexpr std::size_t kMaxTasksPerCall = 2'000;
inline constexpr std::size_t kMaxBytesPerCall = 8'000'000;

}  // namespace signalbox
