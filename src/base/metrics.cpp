#include "base/metrics.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <mutex>
#include <utility>

#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "base/check.hpp"

namespace signalbox {
namespace {

constexpr unsigned kFirstBoundExponent = 7;  // 128 µs
constexpr unsigned kLastBoundExponent = 26;  // 67 s

/// The durations of one name, one summary for each set of labels.
struct LatencyFamily {
  std::string help;
  std::map<MetricLabels, std::unique_ptr<LatencySummary>> by_labels;
};

double seconds(std::chrono::microseconds duration) {
  return std::chrono::duration<double>{duration}.count();
}

prometheus::ClientMetric to_histogram(const MetricLabels& labels, const LatencySnapshot& snapshot) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  metric.histogram.sample_count = snapshot.count();
  metric.histogram.sample_sum = seconds(snapshot.sum());
  for (unsigned exponent = kFirstBoundExponent; exponent <= kLastBoundExponent; ++exponent) {
    const std::chrono::microseconds bound{std::int64_t{1} << exponent};
    metric.histogram.bucket.push_back({snapshot.count_below_power_us(exponent), seconds(bound)});
  }
  metric.histogram.bucket.push_back({snapshot.count(), std::numeric_limits<double>::infinity()});
  return metric;
}

}  // namespace

void Counter::add(double amount) const {
  if (counter_ != nullptr) counter_->Increment(amount);
}

double Counter::value() const { return counter_ == nullptr ? 0 : counter_->Value(); }

void Gauge::set(double value) const {
  if (gauge_ != nullptr) gauge_->Set(value);
}

void Gauge::add(double amount) const {
  if (gauge_ != nullptr) gauge_->Increment(amount);
}

double Gauge::value() const { return gauge_ == nullptr ? 0 : gauge_->Value(); }

void Histogram::observe(double value) const {
  if (histogram_ != nullptr) histogram_->Observe(value);
}

/// prometheus::Registry finds a family by name in a list; the maps here answer "the same again".
struct MetricsRegistry::Metrics {
  enum class Kind { Counter, Gauge, Histogram, Latency };

  /// Aborts on a name that is not allowed or that another kind of metric has.
  void claim(const std::string& name, Kind kind, const MetricLabels& labels) {
    SB_CHECK(prometheus::CheckMetricName(name));
    for (const auto& [label, value] : labels) SB_CHECK(prometheus::CheckLabelName(label));
    SB_CHECK(kinds.emplace(name, kind).first->second == kind);
  }

  std::mutex mutex;
  prometheus::Registry registry;
  std::map<std::string, Kind> kinds;
  std::map<std::string, prometheus::Family<prometheus::Counter>*> counters;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> gauges;
  std::map<std::string, prometheus::Family<prometheus::Histogram>*> histograms;
  std::map<std::string, LatencyFamily> latencies;
};

MetricsRegistry::MetricsRegistry() : metrics_{std::make_unique<Metrics>()} {}

MetricsRegistry::~MetricsRegistry() = default;

Counter MetricsRegistry::counter(const std::string& name, const std::string& help,
                                 const MetricLabels& labels) {
  const std::lock_guard lock{metrics_->mutex};
  metrics_->claim(name, Metrics::Kind::Counter, labels);
  auto& family = metrics_->counters[name];
  if (family == nullptr) {
    family = &prometheus::BuildCounter().Name(name).Help(help).Register(metrics_->registry);
  }
  return Counter{family->Add(labels)};
}

Gauge MetricsRegistry::gauge(const std::string& name, const std::string& help,
                             const MetricLabels& labels) {
  const std::lock_guard lock{metrics_->mutex};
  metrics_->claim(name, Metrics::Kind::Gauge, labels);
  auto& family = metrics_->gauges[name];
  if (family == nullptr) {
    family = &prometheus::BuildGauge().Name(name).Help(help).Register(metrics_->registry);
  }
  return Gauge{family->Add(labels)};
}

Histogram MetricsRegistry::histogram(const std::string& name, const std::string& help,
                                     const std::vector<double>& bounds,
                                     const MetricLabels& labels) {
  SB_CHECK(std::is_sorted(bounds.begin(), bounds.end()));
  const std::lock_guard lock{metrics_->mutex};
  metrics_->claim(name, Metrics::Kind::Histogram, labels);
  auto& family = metrics_->histograms[name];
  if (family == nullptr) {
    family = &prometheus::BuildHistogram().Name(name).Help(help).Register(metrics_->registry);
  }
  return Histogram{family->Add(labels, bounds)};
}

LatencySummary& MetricsRegistry::latency(const std::string& name, const std::string& help,
                                         const MetricLabels& labels) {
  const std::lock_guard lock{metrics_->mutex};
  metrics_->claim(name, Metrics::Kind::Latency, labels);
  LatencyFamily& family = metrics_->latencies[name];
  family.help = help;
  auto& summary = family.by_labels[labels];
  if (!summary) summary = std::make_unique<LatencySummary>();
  return *summary;
}

std::string MetricsRegistry::text() const {
  const std::lock_guard lock{metrics_->mutex};
  std::vector<prometheus::MetricFamily> families = metrics_->registry.Collect();
  for (const auto& [name, latency] : metrics_->latencies) {
    prometheus::MetricFamily family{name, latency.help, prometheus::MetricType::Histogram, {}};
    for (const auto& [labels, summary] : latency.by_labels) {
      family.metric.push_back(to_histogram(labels, summary->snapshot()));
    }
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace signalbox
