#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/ground.hpp"
#include "sim/trigger/platform.hpp"
#include "sim/trigger/replica.hpp"
#include "sim/trigger/task_store.hpp"
#include "sim/trigger/trigger_fault.hpp"
#include "sim/trigger/trigger_oracle.hpp"

namespace signalbox::sim {

/// One seed of the trigger: a log of signals, replicas, a queue, the platform with its pipelines,
/// executions and workers, and what goes wrong with them.
class TriggerWorld final : public Ground {
 public:
  TriggerWorld(std::uint64_t seed, Verbosity verbosity);
  ~TriggerWorld();

  Result run();

  TaskStore& tasks() { return tasks_; }
  SimExecutions& executions() { return executions_; }
  Workers& workers() { return workers_; }
  TriggerOracle& oracle() { return oracle_; }
  std::deque<SimPipeline>& pipelines() { return pipelines_; }
  const std::shared_ptr<const PipelineIndex>& pipeline_index() const { return index_; }
  SimSignal& signal_of(std::string_view payload);
  SimSignal& signal_of(MessageId message) { return signals_[message]; }
  const CallLimits& call_limits() const { return call_limits_; }
  void count(std::string_view what) { ++result_.counts[what]; }

  /// Called when a replica reaches a step: fires the faults that wait for it.
  NetFault reach(Replica& replica, TriggerStep step);

 private:
  void make_pipelines();
  void rebuild_index();
  void plan_production();
  void produce_one();
  void produce(PartitionId partition, const SimSignal& like);
  void switch_off_and_on();
  void start_replica();
  void life_of_lane(Replica& replica);
  void life_of_keeper(Replica& replica);
  void keep_view_fresh(Replica& replica);
  void keep_house();
  NetFault fire(TriggerFault fault, Replica& replica, TriggerStep step);
  void stop_for_a_while(Replica& replica);
  void rebalance();
  void heal();
  bool run_to_the_end();
  void end_everybody();

  TaskStore tasks_{*this};
  SimExecutions executions_{*this};
  Workers workers_{*this};
  TriggerOracle oracle_{*this};
  std::deque<SimPipeline> pipelines_;
  std::shared_ptr<const PipelineIndex> index_;
  std::deque<SimSignal> signals_;  ///< by message
  std::vector<std::unique_ptr<Replica>> replicas_;
  PollLimits poll_limits_;
  CallLimits call_limits_;
  std::vector<TriggerTarget> targets_;
  bool leaves_results_ = true;
  int storm_percent_ = 0;
  bool is_healed_ = false;
  bool is_ending_ = false;
};

}  // namespace signalbox::sim
