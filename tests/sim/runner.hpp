#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "services/planted_bugs.hpp"
#include "sim/ground.hpp"

namespace signalbox::sim {

struct NamedBug {
  const char* name;
  PlantedBug bug;
};

/// A simulation, as its runner sees it. Coverage counts by the places in `faults` and `steps`.
struct Subject {
  std::function<Result(std::uint64_t seed, Verbosity verbosity)> run;
  std::span<const std::string_view> faults;
  std::span<const std::string_view> steps;
  /// Why a fault cannot happen at a step; empty when it can.
  std::function<std::string_view(std::size_t fault, std::size_t step)> impossible_because;
  std::span<const NamedBug> bugs;
  const char* planted_program;
};

/// The program around a simulation: reads the arguments, runs the seeds, prints what they came to.
/// The exit status is 0 when nothing was violated.
int run_simulation(int count, char** arguments, const Subject& subject);

}  // namespace signalbox::sim
