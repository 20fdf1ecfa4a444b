#pragma once

#include "adapters/redis_task_queue.hpp"
#include "contract/redis_place.hpp"
#include "contract/task_queue_suite.hpp"

namespace signalbox {

/// The tests of the queue empty this database: the queue's keys have fixed names.
inline constexpr int kQueueDatabase = 9;
inline constexpr int kResultsDatabase = 10;

/// A Celery element as a worker reads it.
TakenTask read_element(const std::string& element);

class RedisQueuePlace final : public QueuePlace {
 public:
  explicit RedisQueuePlace(const ClaimRules& rules);

  std::unique_ptr<TaskQueue> make_queue() override;
  std::optional<TakenTask> take() override;
  void finish(const TakenTask& task) override;
  std::vector<PairOutcome> outcomes() override;

  RedisTaskQueueOptions options() const;
  RedisControl& control() { return control_; }

 private:
  ClaimRules rules_;
  RedisControl control_;
};

}  // namespace signalbox
