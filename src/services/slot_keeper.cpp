#include "services/slot_keeper.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "ports/io_error.hpp"
#include "services/planted_bugs.hpp"
#include "services/trigger_events.hpp"

namespace signalbox {

SlotKeeper::SlotKeeper(Io io, const TriggerRules& rules, Options options)
    : io_(io), rules_(rules), options_(options) {}

void SlotKeeper::run(std::stop_token stop) {
  Backoff backoff{options_.backoff, options_.seed};
  while (!stop.stop_requested()) {
    const bool failed = step() == Step::Failed;
    if (!failed) backoff.reset();
    io_.clock.wait(failed ? backoff.next() : options_.sweep_every, stop);
  }
}

Step SlotKeeper::step() {
  try {
    bool did = drain();
    if (io_.clock.steady_now() - last_release_ >= options_.release_every) {
      did = release_finished() || did;
      last_release_ = io_.clock.steady_now();
    }
    return did ? Step::Done : Step::Idle;
  } catch (const IoError& error) {
    log_warn_limited("slots", "slot_sweep_failed", {{"error", error.what()}});
    return Step::Failed;
  }
}

/// Looks at the world again for every signal whose pair has become free.
bool SlotKeeper::drain() {
  const PipelineView view = io_.pipelines.copy();
  if (why_unusable(view, io_.clock.steady_now(), rules_.cache_max_age)) return false;
  const std::vector<HeldTask> held = io_.queue.held(options_.held_at_once);
  if (held.empty()) return false;
  std::vector<Uuid> pipelines;
  for (const HeldTask& task : held) pipelines.push_back(task.pipeline);
  std::ranges::sort(pipelines);
  const auto repeats = std::ranges::unique(pipelines);
  pipelines.erase(repeats.begin(), repeats.end());
  io_.tally.with([](TriggerCounters& counters) { ++counters.queries; });
  const ActiveRuns active = io_.ledger.active(pipelines);
  const auto answered_at = io_.clock.steady_now();
  std::vector<HeldDecision> decisions;
  for (const HeldTask& task : held) {
    if (auto decision = decide(task, *view.index, active)) decisions.push_back(*decision);
  }
  if (decisions.empty()) return false;
  const DatabaseTime now = later(active.now, io_.clock.steady_now() - answered_at);
  tell(io_.queue.settle_held(decisions, now), decisions);
  return true;
}

std::optional<HeldDecision> SlotKeeper::decide(const HeldTask& held, const PipelineIndex& index,
                                               const ActiveRuns& active) const {
  const auto ends = [&](TriggerOutcome outcome) {
    return HeldDecision{.held = &held, .ends_as = outcome};
  };
  const std::optional<PipelineNumber> pipeline = index.find(held.pipeline);
  const bool is_watched = pipeline && index.watches(*pipeline, held.ticker);
  if (!is_watched && !planted(PlantedBug::SlotIgnoresPipelines)) {
    return ends(TriggerOutcome::Deactivated);
  }
  const ReceivedAt now = io_.clock.now();
  if (rules_.is_expired(held.signal_logged_at, now)) return ends(TriggerOutcome::Expired);
  const bool is_running = std::ranges::any_of(active.runs, [&](const ActiveRun& run) {
    return run.pipeline == held.pipeline && (run.ticker.empty() || run.ticker == held.ticker);
  });
  if (is_running) return std::nullopt;
  if (!rules_.is_market_open(held.ticker, held.signal_logged_at, now)) {
    return ends(TriggerOutcome::MarketClosed);
  }
  return HeldDecision{.held = &held, .ends_as = std::nullopt};
}

void SlotKeeper::tell(const Claimed& claimed, std::span<const HeldDecision> decisions) {
  io_.tally.with([&](TriggerCounters& counters) {
    for (const TriggerOutcome outcome : claimed.outcomes) {
      if (outcome == TriggerOutcome::Held) continue;  // not as it was any more: still waits
      ++counters.after_held[static_cast<std::size_t>(outcome)];
    }
  });
  for (const EnqueuedTask& task : claimed.enqueued) {
    log_enqueued_after_waiting(*decisions[task.request].held, task.task_id);
  }
}

/// Workers whose results are kept nowhere end their claims by the run that the ledger shows.
bool SlotKeeper::release_finished() {
  const std::vector<OpenClaim> claims =
      io_.queue.open_claims(options_.claims_at_once, options_.claims_older_than);
  if (claims.empty()) return false;
  std::vector<PairSince> pairs;
  pairs.reserve(claims.size());
  for (const OpenClaim& claim : claims) {
    pairs.push_back({claim.pipeline, claim.ticker, claim.database_now});
  }
  std::vector<OpenClaim> finished;
  for (const std::size_t at : io_.ledger.finished(pairs)) finished.push_back(claims[at]);
  io_.tally.with([&](TriggerCounters& counters) {
    ++counters.queries;
    counters.released_claims += finished.size();
  });
  if (finished.empty()) return false;
  io_.queue.release(finished);
  return true;
}

}  // namespace signalbox
