#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace signalbox {

/// What became of a trial write, which leaves nothing behind.
struct TrialOutcome {
  enum class Kind : std::uint8_t {
    Passed,
    RowFault,     ///< an error that a row's content can cause
    Unavailable,  ///< any other error: the trial says nothing about the rows
  };
  Kind kind = Kind::Passed;
  std::string why;
};

struct FaultyRow {
  std::size_t row;
  std::string why;

  bool operator==(const FaultyRow&) const = default;
};

struct FoundFaults {
  std::vector<FaultyRow> faults;
  bool others_pass = false;                ///< some row passed in the place of the faulty ones
  std::optional<std::string> unavailable;  ///< why the search ended early
};

struct FaultSearchLimits {
  std::size_t trials_max = 200;
  /// As long as no row has passed, that many faults are enough: perhaps no row can pass.
  std::size_t faults_max_without_pass = 8;
};

/// Which of `rows` a store refuses, by trial writes of rows before and after leaving some out.
///
/// A row is at fault when the rows before it (without earlier faulty ones) pass and, with it, they
/// do not: so two rows that only clash with each other cost the later one. Ends when what is left
/// passes as a whole, or at a limit; what was found until then is right all the same.
FoundFaults find_faults(std::span<const std::size_t> rows,
                        const std::function<TrialOutcome(std::span<const std::size_t>)>& trial,
                        const FaultSearchLimits& limits = {});

}  // namespace signalbox
