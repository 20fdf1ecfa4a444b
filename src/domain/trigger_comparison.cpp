#include "domain/trigger_comparison.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace signalbox {
namespace {

/// One pair's outcomes, in order of time; those that a run took are marked.
struct PairHistory {
  std::vector<const ShadowOutcome*> outcomes;
  std::vector<bool> is_taken;
};

bool fits(const ShadowOutcome& outcome, const OriginalRun& run, const ComparisonTimes& times) {
  return run.at >= outcome.at - times.shadow_behind && run.at <= outcome.at + times.run_within;
}

OnlyOriginal explain(const OriginalRun& run, const PairHistory& history,
                     const ComparisonTimes& times) {
  const ShadowOutcome* nearest = nullptr;
  for (const ShadowOutcome* outcome : history.outcomes) {
    if (!fits(*outcome, run, times)) continue;
    const auto distance = [&](const ShadowOutcome& from) {
      return from.at > run.at ? from.at - run.at : run.at - from.at;
    };
    if (nearest == nullptr || distance(*outcome) < distance(*nearest)) nearest = outcome;
  }
  if (nearest == nullptr) return {.run = run, .why = TriggerDifference::NotWatched};
  const bool is_repeat = nearest->outcome == TriggerOutcome::Enqueued ||
                         nearest->outcome == TriggerOutcome::Busy ||
                         nearest->outcome == TriggerOutcome::Duplicate;
  return {.run = run,
          .why = is_repeat ? TriggerDifference::Repeat : TriggerDifference::OtherOutcome,
          .ours = nearest->outcome,
          .signal_key = nearest->signal_key};
}

}  // namespace

std::string_view name_of(TriggerDifference difference) {
  constexpr std::array<std::string_view, 4> names{"repeat", "other_outcome", "not_watched",
                                                  "no_run"};
  return names[static_cast<std::size_t>(difference)];
}

TriggerComparison compare_trigger(std::span<const ShadowOutcome> shadow,
                                  std::span<const OriginalRun> runs, const ComparisonTimes& times) {
  std::map<std::string_view, PairHistory> histories;
  for (const ShadowOutcome& outcome : shadow) histories[outcome.pair].outcomes.push_back(&outcome);
  for (auto& [pair, history] : histories) {
    std::ranges::stable_sort(history.outcomes, {}, &ShadowOutcome::at);
    history.is_taken.resize(history.outcomes.size());
  }
  std::vector<const OriginalRun*> in_order;
  for (const OriginalRun& run : runs) in_order.push_back(&run);
  std::ranges::stable_sort(in_order, {}, &OriginalRun::at);

  TriggerComparison comparison;
  for (const OriginalRun* run : in_order) {
    PairHistory& history = histories[run->pair];
    const auto free = [&] {
      for (std::size_t i = 0; i < history.outcomes.size(); ++i) {
        const ShadowOutcome& outcome = *history.outcomes[i];
        if (outcome.outcome != TriggerOutcome::Enqueued || history.is_taken[i]) continue;
        if (fits(outcome, *run, times)) return i;
      }
      return history.outcomes.size();
    }();
    if (free < history.outcomes.size()) {
      history.is_taken[free] = true;
      ++comparison.agreed;
    } else {
      comparison.only_original.push_back(explain(*run, history, times));
    }
  }
  for (const auto& [pair, history] : histories) {
    for (std::size_t i = 0; i < history.outcomes.size(); ++i) {
      if (history.outcomes[i]->outcome != TriggerOutcome::Enqueued || history.is_taken[i]) continue;
      comparison.only_ours.push_back(*history.outcomes[i]);
    }
  }
  return comparison;
}

}  // namespace signalbox
