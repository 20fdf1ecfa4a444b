#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/ground.hpp"
#include "sim/oracle.hpp"
#include "sim/process.hpp"
#include "sim/store.hpp"

namespace signalbox::sim {

/// One seed: a log, a group of processes, a sink, and what goes wrong with them.
class World final : public Ground {
 public:
  World(std::uint64_t seed, Verbosity verbosity);
  ~World();

  Result run();

  Store& store() { return store_; }
  Oracle& oracle() { return oracle_; }

  StartAt first_start() const { return first_start_; }
  const PollLimits& poll_limits() const { return poll_limits_; }
  bool coalesces() const { return coalesces_; }

  /// Called when a process reaches a step: fires the faults that wait for it.
  NetFault reach(Process& process, Step step);

  /// Somebody left or died: another life of the process follows.
  void start_again(Micros after);

  Process& process(int id) { return *processes_[static_cast<std::size_t>(id)]; }

 private:
  void make_topics();
  void plan_production();
  void produce_one(PartitionId partition);
  void plan_snapshots();
  void start_process();
  void life_of(Process& process);
  NetFault fire(Fault fault, Process& process, Step step);
  void break_log(Fault fault);
  void add_new_partition();
  void rebalance();
  void heal();
  bool run_to_the_end();
  void end_everybody();

  Store store_{*this};
  Oracle oracle_{*this};
  std::vector<std::unique_ptr<Process>> processes_;

  StartAt first_start_;
  PollLimits poll_limits_;
  bool coalesces_;
  bool has_new_topics_ = false;
  int storm_percent_ = 0;
  int poison_percent_;
  std::vector<Target> targets_;
  bool is_healed_ = false;
  bool is_ending_ = false;  ///< nobody starts any more
};

}  // namespace signalbox::sim
