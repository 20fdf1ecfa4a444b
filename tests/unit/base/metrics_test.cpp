#include "base/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using testing::HasSubstr;

TEST(MetricsRegistry, ShowsCountersAndGaugesWithTheirLabels) {
  MetricsRegistry registry;
  registry.counter("signalbox_messages_total", "Messages by outcome.", {{"outcome", "delivered"}})
      .add(500);
  registry.gauge("signalbox_lag_messages", "Messages behind.").set(12);
  EXPECT_THAT(registry.text(), HasSubstr("# HELP signalbox_messages_total Messages by outcome.\n"
                                         "# TYPE signalbox_messages_total counter\n"
                                         "signalbox_messages_total{outcome=\"delivered\"} 500\n"));
  EXPECT_THAT(registry.text(), HasSubstr("\nsignalbox_lag_messages 12\n"));
}

TEST(MetricsRegistry, GivesTheSameMetricForTheSameNameAndLabels) {
  MetricsRegistry registry;
  const Counter first = registry.counter("a_total", "A.", {{"lane", "redis"}});
  const Counter again = registry.counter("a_total", "A.", {{"lane", "redis"}});
  const Counter other = registry.counter("a_total", "A.", {{"lane", "postgres"}});
  first.add(2);
  again.add(3);
  other.add();
  EXPECT_EQ(first.value(), 5);
  EXPECT_EQ(other.value(), 1);
}

TEST(MetricsRegistry, CountsExactlyAcrossThreads) {
  MetricsRegistry registry;
  const Counter counter = registry.counter("a_total", "A.");
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([counter] {
        for (int i = 0; i < 10'000; ++i) counter.add();
      });
    }
  }
  EXPECT_EQ(counter.value(), 40'000);
}

TEST(MetricsRegistry, ShowsDurationsAsAHistogramInSeconds) {
  MetricsRegistry registry;
  LatencySummary& summary =
      registry.latency("signalbox_delivery_seconds", "Kafka to sink.", {{"lane", "redis"}});
  summary.record(microseconds{100});
  summary.record(milliseconds{2}, 3);
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("# TYPE signalbox_delivery_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("signalbox_delivery_seconds_count{lane=\"redis\"} 4\n"));
  EXPECT_THAT(text,
              HasSubstr("signalbox_delivery_seconds_bucket{lane=\"redis\",le=\"0.000128\"} 1"));
  EXPECT_THAT(text,
              HasSubstr("signalbox_delivery_seconds_bucket{lane=\"redis\",le=\"0.001024\"} 1"));
  EXPECT_THAT(text,
              HasSubstr("signalbox_delivery_seconds_bucket{lane=\"redis\",le=\"0.002048\"} 4"));
  EXPECT_THAT(text, HasSubstr("signalbox_delivery_seconds_bucket{lane=\"redis\",le=\"+Inf\"} 4"));
}

TEST(MetricsRegistry, ShowsHistogramsOfAnyUnit) {
  MetricsRegistry registry;
  registry.histogram("batch_rows", "Rows a batch.", {1, 10, 100}).observe(7);
  EXPECT_THAT(registry.text(), HasSubstr("batch_rows_bucket{le=\"1\"} 0\n"));
  EXPECT_THAT(registry.text(), HasSubstr("batch_rows_bucket{le=\"10\"} 1\n"));
}

TEST(Counter, CountsNothingWithoutARegistry) {
  const Counter counter;
  counter.add();
  EXPECT_EQ(counter.value(), 0);
}

TEST(MetricsRegistryDeathTest, RefusesANameThatIsNone) {
  MetricsRegistry registry;
  EXPECT_DEATH(registry.counter("not a name", "A."), "check failed");
}

TEST(MetricsRegistryDeathTest, RefusesOneNameForTwoKinds) {
  MetricsRegistry registry;
  registry.counter("a", "A.");
  EXPECT_DEATH(registry.gauge("a", "A."), "check failed");
}

TEST(LatencyBuckets, FollowOneAnotherWithoutGapOrOverlap) {
  for (std::size_t i = 0; i < LatencyBuckets::kCount; ++i) {
    const microseconds lower{LatencyBuckets::lower_us(i)};
    const microseconds end{LatencyBuckets::lower_us(i + 1)};
    ASSERT_LT(lower, end);
    ASSERT_EQ(LatencyBuckets::index_of(lower), i);
    ASSERT_EQ(LatencyBuckets::index_of(end - nanoseconds{1}), i);
  }
}

TEST(LatencySummary, TellsQuantilesWithinFivePercent) {
  LatencySummary summary;
  std::vector<double> exact;
  // 10 µs to 100 s, evenly spread in the logarithm.
  for (int i = 0; i < 20'000; ++i) {
    const double micros = 10.0 * std::pow(10.0, 7.0 * i / 20'000);
    exact.push_back(micros);
    summary.record(nanoseconds{static_cast<std::int64_t>(micros * 1000)});
  }
  const LatencySnapshot snapshot = summary.snapshot();
  for (const double fraction : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(fraction * 20'000)) - 1;
    const auto told = static_cast<double>(snapshot.quantile(fraction).count());
    // A value is kept in whole microseconds: near 10 µs that is part of the error.
    EXPECT_NEAR(told, exact[rank], 0.05 * exact[rank] + 1) << fraction;
  }
}

TEST(LatencySummary, TellsZeroWhenNothingWasMeasured) {
  const LatencySnapshot empty = LatencySummary{}.snapshot();
  EXPECT_EQ(empty.quantile(0.99), microseconds{0});
  EXPECT_EQ(empty.mean(), microseconds{0});
}

TEST(LatencySummary, TellsWhatCameSinceAnEarlierSnapshot) {
  LatencySummary summary;
  summary.record(milliseconds{1}, 1000);
  const LatencySnapshot before = summary.snapshot();
  summary.record(milliseconds{64}, 10);
  const LatencySnapshot interval = summary.snapshot().since(before);
  EXPECT_EQ(interval.count(), 10U);
  EXPECT_EQ(interval.mean(), milliseconds{64});
  EXPECT_NEAR(static_cast<double>(interval.quantile(0.5).count()), 64'000, 0.05 * 64'000);
}

TEST(LatencySummary, TellsNothingSinceALaterSnapshot) {
  LatencySummary summary;
  const LatencySnapshot before = summary.snapshot();
  summary.record(milliseconds{1});
  EXPECT_EQ(before.since(summary.snapshot()), LatencySnapshot{});
}

TEST(LatencySummary, KeepsDurationsOutsideItsRangeAtItsEnds) {
  LatencySummary summary;
  summary.record(nanoseconds{-5});
  summary.record(std::chrono::hours{1000});
  EXPECT_EQ(summary.snapshot().quantile(0.5), microseconds{0});
  EXPECT_GT(summary.snapshot().quantile(1), std::chrono::hours{18});
}

TEST(LatencySummary, CountsEveryMeasurementOfManyThreads) {
  LatencySummary summary;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&summary] {
        for (int i = 0; i < 10'000; ++i) summary.record(microseconds{i});
      });
    }
  }
  EXPECT_EQ(summary.snapshot().count(), 40'000U);
}

}  // namespace
}  // namespace signalbox
