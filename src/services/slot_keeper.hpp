#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

#include "domain/backoff.hpp"
#include "ports/clock.hpp"
#include "ports/run_ledger.hpp"
#include "ports/task_queue.hpp"
#include "services/pipeline_keeper.hpp"
#include "services/step.hpp"
#include "services/trigger_desk.hpp"
#include "services/trigger_tally.hpp"

namespace signalbox {

/// Drains the slots of signals that wait for a run to end, and gives claims back whose runs ended
/// without leaving a result. Every replica runs one; any of them may serve any slot, since the
/// queue compares before it acts. One thread calls step() or run().
class SlotKeeper {
 public:
  struct Io {
    TaskQueue& queue;
    RunLedger& ledger;
    CurrentPipelines& pipelines;
    TriggerTally& tally;
    Clock& clock;
  };

  struct Options {
    std::chrono::milliseconds sweep_every{1'000};
    std::chrono::milliseconds release_every{5'000};
    std::chrono::milliseconds claims_older_than{30'000};  ///< younger ones have no run to look for
    std::size_t held_at_once = 500;
    std::size_t claims_at_once = 500;
    Backoff::Limits backoff{};
    std::uint64_t seed = 1;
  };

  SlotKeeper(Io io, const TriggerRules& rules, Options options);

  /// One sweep.
  Step step();

  void run(std::stop_token stop);

 private:
  bool drain();
  bool release_finished();
  /// Absent: the pair is still running, so the signal waits on.
  std::optional<HeldDecision> decide(const HeldTask& held, const PipelineIndex& index,
                                     const ActiveRuns& active) const;
  void tell(const Claimed& claimed, std::span<const HeldDecision> decisions);

  Io io_;
  TriggerRules rules_;
  Options options_;
  std::chrono::steady_clock::time_point last_release_{};
};

}  // namespace signalbox
