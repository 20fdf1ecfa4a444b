#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/embedded_task_queue.hpp"
#include "adapters/sqlite_executions.hpp"
#include "base/guarded.hpp"
#include "ports/clock.hpp"

namespace signalbox {

/// What the workers of `signalbox up` have done, for who shows it.
struct WorkDone {
  std::uint64_t runs = 0;        ///< completed since the start
  std::uint64_t resumed = 0;     ///< of those, begun by a worker that was killed
  std::deque<std::string> news;  ///< a line a run, until somebody shows them; bounded
};

/// Stands where a Celery worker stands: takes a task, writes its run into the platform's table,
/// works for a moment of real time, and says what it did. The run has the task's id, and a task is
/// finished after its run: killed anywhere, it goes on with the same run. One thread a worker.
class UpWorker {
 public:
  struct Io {
    EmbeddedTasks& tasks;
    Guarded<WorkDone>& done;
    Clock& clock;
  };

  UpWorker(Io io, SqliteOptions platform, std::chrono::milliseconds run_time)
      : io_(io), executions_(std::move(platform)), run_time_(run_time) {}

  void run(std::stop_token stop);

 private:
  bool work_one();
  void tell(const QueuedTask& task, RunBegun begun);

  Io io_;
  SqliteExecutions executions_;
  std::chrono::milliseconds run_time_;
  std::optional<QueuedTask> in_hand_;  ///< kept while the files cannot be written
};

}  // namespace signalbox
