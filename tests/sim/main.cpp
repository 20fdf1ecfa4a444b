// The deterministic simulation of lane and fence.
//
//   sim --seeds N --start S [--threads T] [--summary] [--verbose]
//   sim-planted --plant NAME|all [--seeds N] [--start S] [--threads T]

#include <array>
#include <string_view>

#include "sim/runner.hpp"
#include "sim/world.hpp"

namespace signalbox::sim {
namespace {

constexpr std::array kBugs{
    NamedBug{"fence-not-compared", PlantedBug::FenceNotCompared},
    NamedBug{"victim-resigns", PlantedBug::VictimResigns},
    NamedBug{"unknown-resent", PlantedBug::UnknownResent},
    NamedBug{"unknown-dropped", PlantedBug::UnknownDropped},
    NamedBug{"commit-outranks-fence", PlantedBug::CommitOutranksFence},
    NamedBug{"letters-after-fence", PlantedBug::LettersAfterFence},
    NamedBug{"no-skip", PlantedBug::NoSkip},
    NamedBug{"forgets-to-recheck", PlantedBug::ForgetsToRecheck},
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
  const auto faults = names<Fault, kFaults>();
  const auto steps = names<Step, kSteps>();
  return run_simulation(
      count, arguments,
      {.run = [](std::uint64_t seed, Verbosity verbosity) { return World{seed, verbosity}.run(); },
       .faults = faults,
       .steps = steps,
       .impossible_because =
           [](std::size_t fault, std::size_t step) {
             return impossible_because(static_cast<Fault>(fault), static_cast<Step>(step));
           },
       .bugs = kBugs,
       .planted_program = "sim-planted"});
}
