#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/celery_message.hpp"
#include "base/guarded.hpp"
#include "domain/claim_book.hpp"
#include "ports/clock.hpp"
#include "ports/task_queue.hpp"

namespace signalbox {

/// The store of the embedded queue: what Redis is to the other one. Lives in memory, shared by the
/// queues and workers of one process; any thread.
class EmbeddedTasks {
 public:
  explicit EmbeddedTasks(const ClaimRules& rules) : book_(ClaimBook{rules}) {}

  /// The next task for a worker, which must finish() it; its content is the keyword arguments as
  /// JSON. Absent: nothing waits.
  std::optional<QueuedTask> take(EventTime now);

  /// The run has ended, however: its pair is free.
  void finish(const QueuedTask& task);

  std::vector<PairOutcome> outcomes() const;

  Guarded<ClaimBook>& book() { return book_; }

 private:
  Guarded<ClaimBook> book_;
};

/// The queue over a claim book, for `signalbox up` and for tests. Never fails but by a fence.
class EmbeddedTaskQueue final : public TaskQueue {
 public:
  /// Both must outlive the queue.
  EmbeddedTaskQueue(EmbeddedTasks& tasks, Clock& clock);

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  std::optional<Cut> read_cut(const TopicPartition& partition) override;
  ClaimOutcome claim(const ClaimBatch& batch) override;
  std::vector<HeldTask> held(std::size_t limit) override;
  Claimed settle_held(std::span<const HeldDecision> decisions, DatabaseTime database_now) override;
  std::vector<OpenClaim> open_claims(std::size_t limit,
                                     std::chrono::milliseconds older_than) override;
  void release(std::span<const OpenClaim> claims) override;
  QueueReport report() override;
  void ping() override {}
  std::vector<SinkWarning> inspect() override { return {}; }

 private:
  EventTime now() const;

  EmbeddedTasks& tasks_;
  Clock& clock_;
  CeleryMessages messages_;
};

}  // namespace signalbox
