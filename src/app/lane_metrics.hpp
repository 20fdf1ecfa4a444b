#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "app/lane_report.hpp"
#include "base/metrics.hpp"

namespace signalbox {

/// One line of docs/METRICS.md and of /metrics' HELP.
struct MetricDescription {
  std::string_view name;
  std::string_view type;    ///< counter, gauge, histogram
  std::string_view labels;  ///< comma list
  std::string_view help;
};

std::span<const MetricDescription> lane_metric_descriptions();

/// docs/METRICS.md, whole.
std::string metrics_markdown();

/// Puts a view into a registry's metrics. One thread at a time.
class LaneMetrics {
 public:
  explicit LaneMetrics(MetricsRegistry& registry);

  void update(const ServiceView& view);

 private:
  void count(std::string_view name, const MetricLabels& labels, std::uint64_t total);
  void set(std::string_view name, const MetricLabels& labels, double value);
  void update_lane(const LaneView& lane);

  MetricsRegistry& registry_;
};

/// The histogram that a lane records its delays in.
LatencySummary& lane_delays(MetricsRegistry& registry, const std::string& lane);

}  // namespace signalbox
