#include "services/pipeline_keeper.hpp"

#include <utility>

#include "base/log.hpp"
#include "ports/io_error.hpp"

namespace signalbox {

PipelineKeeper::PipelineKeeper(Io io, Options options) : io_(io), options_(options) {}

Step PipelineKeeper::step() {
  // What the store says is at least as old as the question: a slow answer is not a fresh one.
  const auto asked_at = io_.clock.steady_now();
  const ReceivedAt asked_at_utc = io_.clock.now();
  try {
    const LoadedPipelines loaded = io_.store.load();
    auto index = std::make_shared<const PipelineIndex>(loaded.pipelines);
    for (const MalformedPipeline& row : loaded.malformed) {
      log_warn_limited(row.id, "pipeline_malformed",
                       {{"pipeline_id", row.id}, {"error", row.detail}});
    }
    log_info("pipeline_cache_refreshed",
             {{"pipelines_count", index->size()}, {"total_tickers", index->ticker_count()}});
    io_.current.with([&](PipelineView& view) {
      view.index = std::move(index);
      view.loaded_at = asked_at;
      view.loaded_at_utc = asked_at_utc;
      ++view.loads;
      view.malformed_rows = loaded.malformed.size();
      view.last_error.clear();
    });
    return Step::Done;
  } catch (const IoError& error) {
    log_error_limited("pipelines", "pipeline_cache_refresh_failed", {{"error", error.what()}});
    io_.current.with([&](PipelineView& view) {
      ++view.failed_loads;
      view.last_error = error.what();
    });
    return Step::Failed;
  }
}

void PipelineKeeper::run(std::stop_token stop) {
  Backoff backoff{options_.backoff, options_.seed};
  while (!stop.stop_requested()) {
    if (step() == Step::Failed) {
      io_.clock.wait(backoff.next(), stop);
      continue;
    }
    backoff.reset();
    wait_for_news(stop);
  }
}

/// A store whose notifications fail is reloaded by the interval all the same.
void PipelineKeeper::wait_for_news(std::stop_token stop) {
  try {
    const auto began = io_.clock.steady_now();
    if (!io_.store.wait_for_change(options_.refresh_every, stop)) return;
    const auto since =
        std::chrono::duration_cast<std::chrono::milliseconds>(io_.clock.steady_now() - began);
    if (since < options_.reload_apart) io_.clock.wait(options_.reload_apart - since, stop);
  } catch (const IoError& error) {
    log_warn_limited("pipelines", "pipeline_changes_not_heard", {{"error", error.what()}});
    io_.clock.wait(std::chrono::milliseconds{1'000}, stop);
  }
}

std::optional<std::string> why_unusable(const PipelineView& view,
                                        std::chrono::steady_clock::time_point now,
                                        std::chrono::milliseconds bound) {
  if (!view.index) {
    return view.last_error.empty() ? "the pipelines are not loaded yet"
                                   : "the pipelines could never be loaded: " + view.last_error;
  }
  const auto age = now - view.loaded_at;
  if (age <= bound) return std::nullopt;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  return "the pipelines are " + std::to_string(seconds) + " s old: " + view.last_error;
}

}  // namespace signalbox
