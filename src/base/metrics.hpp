#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/latency.hpp"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace signalbox {

/// Label names and their values: {{"lane", "redis"}}. Few values each: every combination is a
/// time series for ever.
using MetricLabels = std::map<std::string, std::string>;

/// A number that only grows. A handle: copy it freely; it borrows from the MetricsRegistry, which
/// outlives it. A default-made one counts nothing, for code that runs without metrics. Any thread;
/// one atomic operation: add once a batch in hot loops.
class Counter {
 public:
  Counter() = default;

  void add(double amount = 1) const;
  double value() const;

 private:
  friend class MetricsRegistry;
  explicit Counter(prometheus::Counter& counter) : counter_{&counter} {}
  prometheus::Counter* counter_ = nullptr;
};

/// A number that goes up and down: bytes in hand, a state, a lag. A handle, like Counter.
class Gauge {
 public:
  Gauge() = default;

  void set(double value) const;
  void add(double amount) const;
  double value() const;

 private:
  friend class MetricsRegistry;
  explicit Gauge(prometheus::Gauge& gauge) : gauge_{&gauge} {}
  prometheus::Gauge* gauge_ = nullptr;
};

/// Counts values by size, with bounds of the caller's choice: rows a batch, bytes a request. A
/// handle, like Counter, but takes a mutex: once a batch. For durations there is `latency()`.
class Histogram {
 public:
  Histogram() = default;

  void observe(double value) const;

 private:
  friend class MetricsRegistry;
  explicit Histogram(prometheus::Histogram& histogram) : histogram_{&histogram} {}
  prometheus::Histogram* histogram_ = nullptr;
};

/// Every metric of a process, in Prometheus' terms. `app` owns one and hands out the handles; it is
/// no global. Any thread.
///
/// Asking again for the same name and labels gives the same metric; the same name as another kind
/// of metric, and a name or label that Prometheus does not allow, is a bug and aborts.
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  Counter counter(const std::string& name, const std::string& help,
                  const MetricLabels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});

  /// `bounds` grow; a value equal to a bound counts below it.
  Histogram histogram(const std::string& name, const std::string& help,
                      const std::vector<double>& bounds, const MetricLabels& labels = {});

  /// A summary of durations that shows itself as a Prometheus histogram in seconds, with powers of
  /// two of a microsecond from 128 µs to 67 s as bounds. Name it `…_seconds`.
  LatencySummary& latency(const std::string& name, const std::string& help,
                          const MetricLabels& labels = {});

  /// Everything in the Prometheus text format (text/plain; version=0.0.4).
  std::string text() const;

 private:
  struct Metrics;
  std::unique_ptr<Metrics> metrics_;
};

}  // namespace signalbox
