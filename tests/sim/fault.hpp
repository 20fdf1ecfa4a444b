#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/random.hpp"

namespace signalbox::sim {

/// What a lane is doing when something happens to it or around it.
enum class Step : std::uint8_t {
  ReadFences,   ///< of partitions that are to be placed
  PlaceFences,  ///< a write of fences without data
  Begin,
  Poll,
  PutLetters,
  WriteBefore,  ///< the write has not reached the sink
  WriteAfter,   ///< the sink has it, the lane does not know
  Settle,       ///< reads the fences after Refused or Unknown
  Recheck,      ///< reads the fences after an outage
  Commit,
};
inline constexpr std::size_t kSteps = 10;
std::string_view name_of(Step step);

enum class Fault : std::uint8_t {
  Crash,
  Zombie,     ///< stopped for longer than the session, then continued
  LostReply,  ///< the request or its reply is lost; the effect may be there or not
  Duplicate,  ///< the request is executed twice
  Reorder,    ///< the request is held back until others have overtaken it
  StalledSink,
  UnavailableSink,  ///< answers that it cannot
  RestartedSink,    ///< every connection is cut, nothing is lost
  EmptiedSink,
  RestoredSink,  ///< comes back with an older copy of itself
  LogOutage,
  Retention,    ///< the log forgets its oldest messages
  Truncation,   ///< the log forgets its newest messages
  LogReplaced,  ///< the topic is made anew
  Compaction,
  ClockJump,
  NewPartition,
  Rebalance,
};
inline constexpr std::size_t kFaults = 18;
std::string_view name_of(Fault fault);

/// Why a fault cannot happen at a step; empty when it can.
std::string_view impossible_because(Fault fault, Step step);

/// How often each fault hit each step. Values add up over seeds and threads.
struct Coverage {
  static constexpr std::size_t kMax = 24;
  std::array<std::array<std::uint64_t, kMax>, kMax> hits{};

  void add(const Coverage& other);

  /// Whatever enumerations a world calls its faults and steps by.
  template <typename FaultKind, typename StepKind>
  std::uint64_t& at(FaultKind fault, StepKind step) {
    return hits[static_cast<std::size_t>(fault)][static_cast<std::size_t>(step)];
  }
};

/// What is wrong with one request on its way.
struct NetFault {
  bool is_lost_before = false;  ///< the request never arrives
  bool is_lost_after = false;   ///< its reply never arrives
  bool is_doubled = false;
  bool is_late = false;  ///< arrives after the client has given up
};

/// A fault that waits for the n-th time that any lane reaches a step.
struct Target {
  Fault fault;
  Step step;
  int countdown;
};

/// The faults of one seed: a few pairs of fault and step, drawn evenly from all that make sense,
/// and what it takes to get a lane to that step at all.
std::vector<Target> draw_targets(Random& random);

}  // namespace signalbox::sim
