#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/guarded.hpp"
#include "domain/backoff.hpp"
#include "domain/pipeline_index.hpp"
#include "ports/clock.hpp"
#include "ports/pipeline_store.hpp"
#include "services/step.hpp"

namespace signalbox {

/// The pipelines as they were last loaded. A copy is cheap and stays as it is.
struct PipelineView {
  std::shared_ptr<const PipelineIndex> index;  ///< null: never loaded
  std::chrono::steady_clock::time_point loaded_at{};
  ReceivedAt loaded_at_utc{};
  std::uint64_t loads = 0;
  std::uint64_t failed_loads = 0;
  std::uint64_t malformed_rows = 0;  ///< in the last load
  std::string last_error;            ///< of the last load that failed; empty after a good one
};

/// Where the keeper puts the view and everybody else takes it from. Any thread.
using CurrentPipelines = Guarded<PipelineView>;

/// Keeps the index fresh: a whole reload every interval, and at once when the store tells of a
/// change. A load that fails leaves the last index in place, whose age then shows. One thread
/// calls step() or run().
class PipelineKeeper {
 public:
  struct Io {
    PipelineStore& store;
    CurrentPipelines& current;
    Clock& clock;
  };

  struct Options {
    std::chrono::milliseconds refresh_every{30'000};
    /// A burst of edits is one reload, or a few.
    std::chrono::milliseconds reload_apart{100};
    Backoff::Limits backoff{};
    std::uint64_t seed = 1;  ///< of the jitter of waits
  };

  PipelineKeeper(Io io, Options options);

  /// Loads once.
  Step step();

  /// Loads, and loads again, until a stop is requested.
  void run(std::stop_token stop);

 private:
  void wait_for_news(std::stop_token stop);

  Io io_;
  Options options_;
};

/// Whether the view is good to be matched against: loaded at least once, and not older than
/// `bound`. Otherwise says why not.
std::optional<std::string> why_unusable(const PipelineView& view,
                                        std::chrono::steady_clock::time_point now,
                                        std::chrono::milliseconds bound);

}  // namespace signalbox
