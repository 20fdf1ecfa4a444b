#pragma once

// The contract suite of the port TaskQueue, run against every adapter. To run it against another
// one, derive a QueuePlace and instantiate TaskQueueContract as the files beside this one do.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/claim_book.hpp"
#include "ports/task_queue.hpp"
#include "support/claim_batch.hpp"

namespace signalbox {

/// A task as a worker sees it.
struct TakenTask {
  std::string task_id;
  PairKey pair;
  std::string signal_key;
  bool is_backtest = false;

  bool operator==(const TakenTask&) const = default;
};

/// One store of one test, empty when made.
class QueuePlace {
 public:
  virtual ~QueuePlace() = default;

  /// Each call makes an independent queue on the same store, as another replica would.
  virtual std::unique_ptr<TaskQueue> make_queue() = 0;

  /// The oldest task, taken as a worker does; backtests after the others.
  virtual std::optional<TakenTask> take() = 0;

  /// The worker leaves its result.
  virtual void finish(const TakenTask& task) = 0;

  /// All outcomes in the store's record, oldest first.
  virtual std::vector<PairOutcome> outcomes() = 0;
};

struct TaskQueueAdapter {
  std::string name;
  std::function<std::unique_ptr<QueuePlace>(const ClaimRules& rules)> make_place;
};

class TaskQueueContract : public testing::TestWithParam<TaskQueueAdapter> {
 protected:
  TaskQueueContract() { use({}); }

  /// Begins again in an empty store with these rules.
  void use(const ClaimRules& rules) {
    queue_.reset();
    place_.reset();
    place_ = GetParam().make_place(rules);
    queue_ = place_->make_queue();
  }

  Claimed claim(const ClaimBatchBuilder& builder);
  std::vector<TriggerOutcome> outcomes_of(const ClaimBatchBuilder& builder) {
    return claim(builder).outcomes;
  }
  std::vector<TakenTask> take_all();
  /// Enqueues everything that held() offers.
  Claimed drain();

  std::unique_ptr<QueuePlace> place_;
  std::unique_ptr<TaskQueue> queue_;
};

}  // namespace signalbox
