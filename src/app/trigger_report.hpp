#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/lane_metrics.hpp"
#include "app/lane_report.hpp"
#include "base/metrics.hpp"
#include "ports/task_queue.hpp"
#include "services/pipeline_keeper.hpp"
#include "services/trigger_tally.hpp"

namespace signalbox {

/// What the trigger tells beside its lane. A value.
struct TriggerView {
  TriggerCounters counters;
  std::size_t pipelines = 0;
  std::size_t tickers = 0;
  std::size_t index_bytes = 0;
  std::optional<std::chrono::milliseconds> cache_age{};  ///< absent: never loaded
  std::optional<std::string> unusable{};                 ///< why nothing is matched
  std::uint64_t malformed_pipelines = 0;
  std::uint64_t failed_loads = 0;
  std::optional<QueueReport> queue{};  ///< absent: Redis has not told yet
  std::optional<std::chrono::milliseconds> oldest_task_age{};
  bool is_shadow = false;
};

TriggerView view_of(const PipelineView& pipelines, const TriggerCounters& counters,
                    const std::optional<QueueReport>& queue, std::chrono::milliseconds cache_bound,
                    std::chrono::steady_clock::time_point now, ReceivedAt now_utc);

/// Pipelines that cannot be matched against block the service.
std::vector<ServiceConcern> concerns_of(const TriggerView& view);

/// A JSON object for /health and /diagnostic.
std::string details_of(const TriggerView& view);

std::span<const MetricDescription> trigger_metric_descriptions();

/// The original's metrics and ours. One thread at a time.
class TriggerMetrics {
 public:
  explicit TriggerMetrics(MetricsRegistry& registry);

  LatencySummary& processing() { return processing_; }
  Histogram batch_sizes() const { return batch_sizes_; }

  void update(const TriggerView& view);

 private:
  void count(std::string_view name, const MetricLabels& labels, std::uint64_t total);
  void set(std::string_view name, const MetricLabels& labels, double value);
  void update_process();

  MetricsRegistry& registry_;
  LatencySummary& processing_;
  Histogram batch_sizes_;
  std::chrono::steady_clock::time_point last_process_update_{};
  double last_cpu_seconds_ = 0;
};

}  // namespace signalbox
