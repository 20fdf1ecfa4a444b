#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/fault.hpp"
#include "sim/group.hpp"
#include "sim/log.hpp"
#include "sim/random.hpp"
#include "sim/scheduler.hpp"

namespace signalbox::sim {

enum class Verbosity : std::uint8_t { Quiet, Verbose };

/// What one seed came to.
struct Result {
  std::uint64_t seed = 0;
  std::uint64_t trace_hash = 0;
  std::string violation;  ///< empty: none
  std::size_t messages = 0;
  std::uint64_t events = 0;
  Micros lasted = 0;
  Coverage coverage;
  std::map<std::string_view, std::uint64_t> counts;  ///< what else is worth adding up
  std::vector<std::string> last_events;              ///< of a seed that failed
};

/// What every simulated world stands on: time, chance, a log with its group, and the trace.
class Ground {
 public:
  Ground(std::uint64_t seed, Verbosity verbosity);
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  Scheduler& scheduler() { return scheduler_; }
  Random& random() { return random_; }
  SimLog& log() { return log_; }
  Group& group() { return group_; }
  Micros now() const { return scheduler_.now(); }
  EventTime utc_now() const;

  Micros latency_max() const { return latency_max_; }
  bool keeps_held_messages() const { return keeps_held_messages_; }
  bool is_log_out() const { return log_out_until_ > now(); }
  bool is_over() const { return is_over_; }

  void fail(const std::string& violation);
  void trace(const char* what, int process = -1, int partition = -1, std::int64_t a = 0,
             std::int64_t b = 0);

 protected:
  ~Ground() = default;

  /// The coordinator lives until the seed ends.
  void start_coordinator();

  /// Until `deadline`, or until something is violated.
  void run_until(Micros deadline);

  Verbosity verbosity_;
  Scheduler scheduler_;
  Random random_;
  SimLog log_;
  Group group_{*this};
  Micros latency_max_ = 3 * kMillisecond;
  bool keeps_held_messages_ = false;
  Micros log_out_until_ = 0;
  bool is_over_ = false;
  Result result_;

 private:
  struct Line {
    Micros time;
    const char* what;
    int process;
    int partition;
    std::int64_t a;
    std::int64_t b;
  };

  std::string describe(const Line& line) const;

  std::deque<Line> lines_;
};

}  // namespace signalbox::sim
