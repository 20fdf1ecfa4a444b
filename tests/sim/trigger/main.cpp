// The deterministic simulation of the trigger.
//
//   sim-trigger --seeds N --start S [--threads T] [--summary] [--verbose]
//   sim-trigger-planted --plant NAME|all [--seeds N] [--start S] [--threads T]

#include <array>
#include <string_view>

#include "sim/runner.hpp"
#include "sim/trigger/trigger_world.hpp"

namespace signalbox::sim {
namespace {

constexpr std::array kBugs{
    NamedBug{"claim-checked-first", PlantedBug::ClaimCheckedFirst},
    NamedBug{"claim-fence-ignored", PlantedBug::ClaimFenceIgnored},
    NamedBug{"signals-forgotten", PlantedBug::SignalsForgotten},
    NamedBug{"release-not-compared", PlantedBug::ReleaseNotCompared},
    NamedBug{"slot-drained-blindly", PlantedBug::SlotDrainedBlindly},
    NamedBug{"ledger-failure-is-idle", PlantedBug::LedgerFailureIsIdle},
    NamedBug{"claim-doubt-forgotten", PlantedBug::ClaimDoubtForgotten},
    NamedBug{"slot-ignores-pipelines", PlantedBug::SlotIgnoresPipelines},
};

template <typename Kind, std::size_t kCount>
std::array<std::string_view, kCount> names() {
  std::array<std::string_view, kCount> all;
  for (std::size_t i = 0; i < kCount; ++i) all[i] = name_of(static_cast<Kind>(i));
  return all;
}

}  // namespace
}  // namespace signalbox::sim

int main(int count, char** arguments) {
  using namespace signalbox::sim;
  const auto faults = names<TriggerFault, kTriggerFaults>();
  const auto steps = names<TriggerStep, kTriggerSteps>();
  return run_simulation(
      count, arguments,
      {.run = [](std::uint64_t seed,
                 Verbosity verbosity) { return TriggerWorld{seed, verbosity}.run(); },
       .faults = faults,
       .steps = steps,
       .impossible_because =
           [](std::size_t fault, std::size_t step) {
             return impossible_because(static_cast<TriggerFault>(fault),
                                       static_cast<TriggerStep>(step));
           },
       .bugs = kBugs,
       .planted_program = "sim-trigger-planted"});
}
