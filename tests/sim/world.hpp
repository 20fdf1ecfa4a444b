#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "sim/fault.hpp"
#include "sim/group.hpp"
#include "sim/log.hpp"
#include "sim/oracle.hpp"
#include "sim/process.hpp"
#include "sim/random.hpp"
#include "sim/scheduler.hpp"
#include "sim/store.hpp"

namespace signalbox::sim {

enum class Verbosity : std::uint8_t { Quiet, Verbose };

/// One seed: a log, a group of processes, a sink, and what goes wrong with them.
class World {
 public:
  struct Result {
    std::uint64_t seed = 0;
    std::uint64_t trace_hash = 0;
    std::string violation;  ///< empty: none
    std::size_t messages = 0;
    std::uint64_t events = 0;
    Micros lasted = 0;
    Coverage coverage;
    std::vector<std::string> last_events;  ///< of a seed that failed
  };

  World(std::uint64_t seed, Verbosity verbosity);
  ~World();

  Result run();

  Scheduler& scheduler() { return scheduler_; }
  Random& random() { return random_; }
  SimLog& log() { return log_; }
  Store& store() { return store_; }
  Oracle& oracle() { return oracle_; }
  Group& group() { return group_; }
  Micros now() const { return scheduler_.now(); }
  EventTime utc_now() const;

  Micros latency_max() const { return latency_max_; }
  StartAt first_start() const { return first_start_; }
  const PollLimits& poll_limits() const { return poll_limits_; }
  bool keeps_held_messages() const { return keeps_held_messages_; }
  bool coalesces() const { return coalesces_; }
  bool is_log_out() const { return log_out_until_ > now(); }
  Micros log_out_until() const { return log_out_until_; }
  bool is_over() const { return is_over_; }

  /// Called when a process reaches a step: fires the faults that wait for it.
  NetFault reach(Process& process, Step step);

  /// Somebody left or died: another life of the process follows.
  void start_again(Micros after);

  void fail(const std::string& violation);
  void trace(const char* what, int process = -1, int partition = -1, std::int64_t a = 0,
             std::int64_t b = 0);

  Process& process(int id) { return *processes_[static_cast<std::size_t>(id)]; }

 private:
  struct Line {
    Micros time;
    const char* what;
    int process;
    int partition;
    std::int64_t a;
    std::int64_t b;
  };

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
  void run_until(Micros deadline);
  bool run_to_the_end();
  void end_everybody();
  std::string describe(const Line& line) const;

  std::uint64_t seed_;
  Verbosity verbosity_;
  Scheduler scheduler_;
  Random random_;
  SimLog log_;
  Store store_{*this};
  Oracle oracle_{*this};
  Group group_{*this};
  std::vector<std::unique_ptr<Process>> processes_;

  Micros latency_max_;
  StartAt first_start_;
  PollLimits poll_limits_;
  bool keeps_held_messages_;
  bool coalesces_;
  bool has_new_topics_ = false;
  int storm_percent_ = 0;
  int poison_percent_;
  std::vector<Target> targets_;
  bool is_healed_ = false;
  bool is_ending_ = false;  ///< nobody starts any more
  bool is_over_ = false;
  Micros log_out_until_ = 0;

  Result result_;
  std::deque<Line> lines_;
};

}  // namespace signalbox::sim
