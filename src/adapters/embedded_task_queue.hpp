#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/celery_message.hpp"
#include "adapters/claim_book_file.hpp"
#include "domain/claim_book.hpp"
#include "ports/clock.hpp"
#include "ports/task_queue.hpp"

namespace signalbox {

/// The store of the embedded queue: what Redis is to the other one. Shared by the queues and
/// workers of one process; any thread. With a file every change is on disk before it is told, and
/// whoever opens the file next goes on from there; without one it ends with the process.
class EmbeddedTasks {
 public:
  explicit EmbeddedTasks(const ClaimRules& rules);
  /// Nothing is opened before the first call; from then on the file is this process's alone.
  EmbeddedTasks(const ClaimRules& rules, SqliteOptions file);

  /// The next task for a worker, which must finish() it; its content is the keyword arguments as
  /// JSON. A task that a worker of an earlier process took and did not finish comes again, first.
  /// Absent: nothing waits. Throws IoError: then nobody has it.
  std::optional<QueuedTask> take(EventTime now);

  /// The run has ended, however: its pair is free. Throws IoError; then call it again.
  void finish(const QueuedTask& task);

  std::vector<PairOutcome> outcomes();

 private:
  friend class EmbeddedTaskQueue;

  template <typename Look>
  auto look(Look&& look);
  template <typename Change>
  auto change(Change&& change);
  void load();
  void save();

  const ClaimRules rules_;
  std::mutex mutex_;  ///< held while the file is written: what is told is on disk
  std::optional<ClaimBookFile> file_;
  std::optional<ClaimBook> book_;  ///< absent: to be read from the file
  std::vector<QueuedTask> taken_;
  std::deque<QueuedTask> interrupted_;  ///< of taken_: nobody works on them
  bool is_saved_ = true;  ///< false after a write that failed: the next call repeats it
  std::vector<std::string> unsaved_names_;  ///< of signals
};

/// The queue over a claim book, for `signalbox up` and for tests.
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
  void ping() override;
  std::vector<SinkWarning> inspect() override { return {}; }

 private:
  EventTime now() const;

  EmbeddedTasks& tasks_;
  Clock& clock_;
  CeleryMessages messages_;
};

}  // namespace signalbox
