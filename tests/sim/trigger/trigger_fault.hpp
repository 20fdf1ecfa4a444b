#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/random.hpp"

namespace signalbox::sim {

/// What a replica of the trigger is doing when something happens to it or around it.
enum class TriggerStep : std::uint8_t {
  ReadFences,
  PlaceFences,
  Begin,
  Poll,
  AskLedger,    ///< who runs, for a batch
  ClaimBefore,  ///< the call has not reached the queue
  ClaimAfter,   ///< the queue has it, the lane does not know
  Settle,       ///< reads the fences after a reply was lost
  Commit,
  ReadHeld,
  AskForHeld,    ///< who runs, for those that wait
  SettleBefore,  ///< of held signals: not at the queue yet
  SettleAfter,
  OpenClaims,
  AskFinished,  ///< which runs have ended
  Release,
};
inline constexpr std::size_t kTriggerSteps = 16;
std::string_view name_of(TriggerStep step);

enum class TriggerFault : std::uint8_t {
  Crash,
  Zombie,     ///< stopped, for longer than the session or not, then continued
  LostReply,  ///< the request or its reply is lost; the effect may be there or not
  Duplicate,  ///< the request is executed twice
  Late,       ///< the request is executed when nobody waits for it any more
  StalledQueue,
  UnavailableQueue,
  RestartedQueue,  ///< every connection is cut, nothing is lost
  EmptiedQueue,
  QueueClockJump,  ///< either way, by the scaled equal of minutes
  LedgerDown,
  LogOutage,
  Rebalance,
  HostClockJump,   ///< within the skew that hosts may have
  WorkerDies,      ///< with a task taken and not begun
  WorkerKilled,    ///< in the middle of a run, its row and STARTED left behind
  LateResult,      ///< the run has ended, its result comes much later
  Deactivation,    ///< a pipeline is switched off, and on again later
  RepeatedSignal,  ///< the producer sends a signal again
};
inline constexpr std::size_t kTriggerFaults = 19;
std::string_view name_of(TriggerFault fault);

/// Why a fault cannot happen at a step; empty when it can.
std::string_view impossible_because(TriggerFault fault, TriggerStep step);

/// A fault that waits for the n-th time that any replica reaches a step.
struct TriggerTarget {
  TriggerFault fault;
  TriggerStep step;
  int countdown;
};

std::vector<TriggerTarget> draw_trigger_targets(Random& random);

}  // namespace signalbox::sim
