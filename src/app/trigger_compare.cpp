#include "app/trigger_compare.hpp"

#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "adapters/postgres_run_list.hpp"
#include "adapters/redis_outcomes.hpp"
#include "adapters/system_clock.hpp"
#include "app/command.hpp"
#include "app/trigger_parts.hpp"
#include "domain/routing_note.hpp"
#include "domain/trigger_comparison.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kExamplesMax = 20;

std::vector<ShadowOutcome> shadow_outcomes(const TriggerConfig& config, EventTime since) {
  RedisOutcomes outcomes{task_queue_options(config, "signalbox-compare").redis,
                         TaskQueueMode::Shadow};
  std::vector<ShadowOutcome> found;
  outcomes.read([&](const RecordedOutcome& recorded) {
    if (recorded.recorded_at < since) return ReadOn::Stop;
    std::string pair{recorded.pipeline};
    pair.append("|").append(recorded.ticker);
    found.push_back({.at = recorded.recorded_at,
                     .signal_key = std::string(recorded.signal_key),
                     .pair = std::move(pair),
                     .outcome = recorded.outcome});
    return ReadOn::Yes;
  });
  return found;
}

void print_summary(const TriggerComparison& comparison, const char* interval) {
  std::map<std::string, std::size_t> causes;
  for (const OnlyOriginal& only : comparison.only_original) {
    std::string cause{name_of(only.why)};
    if (only.ours) cause.append(" (ours: ").append(name_of(*only.ours)).append(")");
    ++causes[cause];
  }
  std::printf("%s: %llu runs agree, %zu are the original's alone, %zu would be ours alone\n",
              interval, static_cast<unsigned long long>(comparison.agreed),
              comparison.only_original.size(), comparison.only_ours.size());
  for (const auto& [cause, count] : causes) {
    std::printf("  only the original: %6zu  %s\n", count, cause.c_str());
  }
}

void print_examples(const TriggerComparison& comparison) {
  for (std::size_t i = 0; i < comparison.only_original.size() && i < kExamplesMax; ++i) {
    const OnlyOriginal& only = comparison.only_original[i];
    std::printf("  run %s  %s  %s  %s%s%s\n", only.run.id.c_str(), iso_utc(only.run.at).c_str(),
                only.run.pair.c_str(), std::string(name_of(only.why)).c_str(),
                only.signal_key.empty() ? "" : "  signal ", only.signal_key.c_str());
  }
  for (std::size_t i = 0; i < comparison.only_ours.size() && i < kExamplesMax; ++i) {
    const ShadowOutcome& only = comparison.only_ours[i];
    std::printf("  ours %s  %s  signal %s  no_run\n", iso_utc(only.at).c_str(), only.pair.c_str(),
                only.signal_key.c_str());
  }
}

}  // namespace

int compare_with_original(const TriggerConfig& config) {
  const SystemClock clock;
  const auto now = std::chrono::floor<std::chrono::milliseconds>(clock.now());
  const EventTime since = now - config.compare_interval;
  const std::vector<ShadowOutcome> shadow = shadow_outcomes(config, since);
  const std::vector<OriginalRun> runs =
      runs_since(postgres_options(config, "signalbox-compare"), since);
  const TriggerComparison comparison = compare_trigger(shadow, runs, {});
  const std::string interval = "since " + iso_utc(since);
  print_summary(comparison, interval.c_str());
  print_examples(comparison);
  return comparison.only_ours.empty() ? exit_status::kStopped : exit_status::kFailed;
}

}  // namespace signalbox
