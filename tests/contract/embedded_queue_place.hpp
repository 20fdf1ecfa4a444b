#pragma once

#include <utility>

#include "adapters/embedded_task_queue.hpp"
#include "adapters/system_clock.hpp"
#include "contract/task_queue_suite.hpp"

namespace signalbox {

class EmbeddedQueuePlace : public QueuePlace {
 public:
  explicit EmbeddedQueuePlace(const ClaimRules& rules) : tasks_(rules) {}
  EmbeddedQueuePlace(const ClaimRules& rules, SqliteOptions file)
      : tasks_(rules, std::move(file)) {}

  std::unique_ptr<TaskQueue> make_queue() override {
    return std::make_unique<EmbeddedTaskQueue>(tasks_, clock_);
  }
  std::optional<TakenTask> take() override {
    const auto now = std::chrono::floor<std::chrono::milliseconds>(clock_.now());
    const auto task = tasks_.take(now);
    if (!task) return std::nullopt;
    return TakenTask{task->task_id, task->pair, task->signal_key, task->is_backtest};
  }
  void finish(const TakenTask& task) override {
    tasks_.finish({.pair = task.pair,
                   .task_id = task.task_id,
                   .signal_key = {},
                   .content = {},
                   .is_backtest = false,
                   .enqueued_at = {},
                   .expires_at = {}});
  }
  std::vector<PairOutcome> outcomes() override { return tasks_.outcomes(); }

 private:
  SystemClock clock_;
  EmbeddedTasks tasks_;
};

}  // namespace signalbox
