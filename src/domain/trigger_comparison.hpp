#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/message.hpp"
#include "domain/trigger_outcome.hpp"

namespace signalbox {

/// What a shadow recorded of one (signal, pipeline, ticker).
struct ShadowOutcome {
  EventTime at;
  std::string signal_key;
  std::string pair;  ///< `pipeline|ticker`
  TriggerOutcome outcome;
};

/// A run that the original's worker started.
struct OriginalRun {
  EventTime at;  ///< when its row was created
  std::string id;
  std::string pair;  ///< `pipeline|ticker`
};

/// Why one side has what the other has not. A closed list; the names are API.
enum class TriggerDifference : std::uint8_t {
  Repeat,        ///< a further run of a pair whose task ours would still hold
  OtherOutcome,  ///< ours recorded why the pair does not run
  NotWatched,    ///< ours has nothing of the pair: its pipeline does not watch the ticker
  NoRun,         ///< ours would have enqueued; no run was seen in the time allowed
};

std::string_view name_of(TriggerDifference difference);

struct OnlyOriginal {
  OriginalRun run;
  TriggerDifference why;
  std::optional<TriggerOutcome> ours{};  ///< of OtherOutcome: the nearest in time
  std::string signal_key{};              ///< of that outcome
};

struct TriggerComparison {
  std::uint64_t agreed = 0;
  std::vector<OnlyOriginal> only_original;
  std::vector<ShadowOutcome> only_ours;  ///< all NoRun
};

struct ComparisonTimes {
  /// How long after the shadow's word a run may begin: the task waits in the queue meanwhile.
  std::chrono::milliseconds run_within{900'000};
  /// How much later than the run the shadow may be, or its clock.
  std::chrono::milliseconds shadow_behind{30'000};
};

/// Pairs each run with the earliest enqueued outcome of its pair that fits in time and that no run
/// before it took; says of all others why.
TriggerComparison compare_trigger(std::span<const ShadowOutcome> shadow,
                                  std::span<const OriginalRun> runs, const ComparisonTimes& times);

}  // namespace signalbox
