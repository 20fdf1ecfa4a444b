#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "domain/claim.hpp"

namespace signalbox {

/// What a request becomes if it is enqueued: made by the adapter, which knows the worker's
/// language.
struct TaskDraft {
  std::string task_id;
  std::string content;
};

struct PairKey {
  Uuid pipeline;
  std::string ticker;

  auto operator<=>(const PairKey&) const = default;
};

/// A task in the queue.
struct QueuedTask {
  PairKey pair;
  std::string task_id;
  std::string signal_key;
  std::string content;
  bool is_backtest = false;
  EventTime enqueued_at;
  EventTime expires_at;  ///< a worker discards it after that

  bool operator==(const QueuedTask&) const = default;
};

struct PairOutcome {
  std::string signal_key;
  PairKey pair;
  TriggerOutcome outcome;

  bool operator==(const PairOutcome&) const = default;
};

/// The claim as a state machine of values: the specification of TaskQueue, and the core of the
/// embedded and of the simulated queue. The scripts of the Redis adapter follow it step by step,
/// and a contract test compares the two on random batches.
///
/// `now` is the clock of the store; it may jump. Nothing here fails: a call is done whole, or
/// refused by a stale fence before anything changed.
class ClaimBook {
 public:
  struct Claim {
    std::string task_id;
    EventTime deadline;
    DatabaseTime database_now;
    EventTime enqueued_at;
    bool has_ended = false;

    bool operator==(const Claim&) const = default;
  };
  struct Waiting {
    std::uint64_t number;
    TaskDraft draft;
    std::string signal_key;
    EventTime logged_at;
    bool is_backtest;
    std::uint64_t bytes;
  };
  struct CutAt {
    Fence fence;
    Cut cut;
  };
  using Line = std::deque<Waiting>;

  /// What must outlive a book for the next one to go on as if it were the same. What was recorded
  /// of outcomes is not in it.
  struct Memory {
    std::map<PairKey, Claim> claims;
    std::map<PairKey, Line> lines;
    std::uint64_t number = 0;  ///< of who waited last: the order of arrival
    std::array<std::unordered_set<std::string>, 4> seen;  ///< generation g is at g % 4
    std::uint64_t generation = 0;
    EventTime since{};
    std::uint64_t forgotten = 0;
    FenceMap fences;
    std::map<TopicPartition, CutAt> cuts;
    std::deque<QueuedTask> queue;
  };

  explicit ClaimBook(const ClaimRules& rules);
  ClaimBook(const ClaimRules& rules, Memory memory);

  const Memory& memory() const { return memory_; }

  /// `drafts` has one for each request. The error names the partition whose fence is another.
  std::expected<Claimed, TopicPartition> claim(const ClaimBatch& batch,
                                               std::span<const TaskDraft> drafts, EventTime now);

  std::vector<HeldTask> held(std::size_t limit, EventTime now) const;
  Claimed settle_held(std::span<const HeldDecision> decisions, DatabaseTime database_now,
                      EventTime now);
  std::vector<OpenClaim> open_claims(std::size_t limit, std::chrono::milliseconds older_than,
                                     EventTime now);
  void release(std::span<const OpenClaim> claims);

  FenceMap fences(std::span<const TopicPartition> partitions) const;
  std::optional<Cut> cut(const TopicPartition& partition) const;

  /// The next task for a worker. Those that expired while they waited end here, unrun.
  std::optional<QueuedTask> take(EventTime now);

  /// A worker left a result that is final: the claim of that task holds no longer.
  void finish(const PairKey& pair, std::string_view task_id);

  const std::deque<QueuedTask>& queue() const { return memory_.queue; }
  std::uint64_t claim_count() const { return memory_.claims.size(); }
  std::uint64_t held_count() const { return held_count_; }
  std::uint64_t signals_forgotten() const { return memory_.forgotten; }

  /// What became of whom, oldest first; bounded, the oldest calls go first.
  std::vector<PairOutcome> outcomes() const;

 private:
  struct Recorded {
    std::vector<PairOutcome> outcomes;
    std::uint64_t bytes;
  };

  bool is_open(const PairKey& pair, EventTime now) const;
  void turn_generations(EventTime now);
  std::vector<bool> find_repeats(std::span<const TaskRequest> requests, EventTime now);
  TriggerOutcome decide(const TaskRequest& request, const TaskDraft& draft, const ClaimBatch& batch,
                        EventTime now, Claimed& claimed);
  TriggerOutcome wait(const TaskRequest& request, const TaskDraft& draft, const PairKey& pair,
                      Claimed& claimed);
  void supersede(const PairKey& pair, Claimed& claimed);
  void enqueue(const PairKey& pair, const TaskDraft& draft, std::string_view signal_key,
               bool is_backtest, DatabaseTime database_now, EventTime now);
  void forget(Waiting& waiting);
  void move_fences(const ClaimBatch& batch);
  void record(std::vector<PairOutcome> outcomes);
  void record_claim(const ClaimBatch& batch, const Claimed& claimed);

  ClaimRules rules_;
  Memory memory_;
  std::uint64_t held_count_ = 0;
  std::uint64_t held_bytes_ = 0;
  std::deque<Recorded> recorded_;
  std::uint64_t recorded_bytes_ = 0;
  std::optional<PairKey> swept_to_;
};

}  // namespace signalbox
