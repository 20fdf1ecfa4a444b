#pragma once

#include <cstdint>

namespace signalbox {

/// Mistakes that the simulation must be able to find. The product is compiled without them: with
/// SIGNALBOX_PLANTED_BUGS undefined `planted()` is the constant false.
enum class PlantedBug : std::uint8_t {
  None,
  FenceNotCompared,     ///< the simulated sink writes without comparing the fence
  VictimResigns,        ///< a refused owner drops its partition although it is still its own
  UnknownResent,        ///< after a lost reply the batch is sent again without reading the fence
  UnknownDropped,       ///< after a lost reply the batch is taken for delivered
  CommitOutranksFence,  ///< resumes at Kafka's commit although the sink holds a fence
  LettersAfterFence,    ///< dead letters are put after the fence has passed them
  NoSkip,               ///< messages behind the fence are delivered again
  ForgetsToRecheck,     ///< after an outage the fences are not read again
  // The trigger's.
  ClaimCheckedFirst,     ///< who is idle is asked in one call, and believed in the next
  ClaimFenceIgnored,     ///< the simulated claim script does not compare the fence
  SignalsForgotten,      ///< a signal that comes again is not known
  ReleaseNotCompared,    ///< a claim is given back whoever's it is by now
  SlotDrainedBlindly,    ///< what waits is enqueued without a look at the claim
  LedgerFailureIsIdle,   ///< when the ledger does not answer, nobody is taken to run
  ClaimDoubtForgotten,   ///< a claim whose reply was lost is never counted
  SlotIgnoresPipelines,  ///< what waits is enqueued although its pipeline is off
};

#ifdef SIGNALBOX_PLANTED_BUGS
/// Set by the simulation before a run; one thread.
inline PlantedBug planted_bug = PlantedBug::None;
inline bool planted(PlantedBug bug) { return planted_bug == bug; }
#else
constexpr bool planted(PlantedBug) { return false; }
#endif

}  // namespace signalbox
