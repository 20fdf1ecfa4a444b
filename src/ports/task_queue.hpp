#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "domain/claim.hpp"
#include "ports/run_ledger.hpp"
#include "ports/sink.hpp"

namespace signalbox {

using ClaimOutcome = std::variant<Claimed, Refused, Unknown, Unavailable>;

struct QueueReport {
  std::uint64_t waiting_tasks = 0;                 ///< in the queue, taken by no worker yet
  std::optional<ReceivedAt> oldest_enqueued_at{};  ///< of those
  std::uint64_t open_claims = 0;
  std::uint64_t held = 0;
  std::uint64_t signals_forgotten = 0;  ///< by want of room, before their 15 minutes were over
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

  /// At most `limit` held tasks whose pair is free by the queue's account, the first in line of
  /// each pair, the longest waiting first. Throws IoError.
  virtual std::vector<HeldTask> held(std::size_t limit) = 0;

  /// Enqueues or ends what held() gave, each only if it still is as it was, all in one call.
  /// Throws IoError: then it may have happened; ask held() again.
  virtual Claimed settle_held(std::span<const HeldDecision> decisions,
                              DatabaseTime database_now) = 0;

  /// At most `limit` claims past their first `older_than` whose task has no result. Call after call
  /// goes round all of them, and drops those that hold nothing any more. Throws IoError.
  virtual std::vector<OpenClaim> open_claims(std::size_t limit,
                                             std::chrono::milliseconds older_than) = 0;

  /// Gives claims back whose runs have ended, each only while it is still that task's. Throws.
  virtual void release(std::span<const OpenClaim> claims) = 0;

  virtual QueueReport report() = 0;                ///< throws IoError
  virtual void ping() = 0;                         ///< throws IoError
  virtual std::vector<SinkWarning> inspect() = 0;  ///< throws IoError
};

}  // namespace signalbox
