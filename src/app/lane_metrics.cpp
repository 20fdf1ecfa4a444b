#include "app/lane_metrics.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "app/trigger_report.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kMessages = "signalbox_lane_messages_total";
constexpr std::string_view kInFlight = "signalbox_lane_in_flight_messages";
constexpr std::string_view kRejects = "signalbox_lane_rejects_total";
constexpr std::string_view kPublishes = "signalbox_publishes_total";
constexpr std::string_view kReceivers = "signalbox_publish_receivers_total";
constexpr std::string_view kSinkUp = "signalbox_sink_up";
constexpr std::string_view kLogUp = "signalbox_log_up";
constexpr std::string_view kLag = "signalbox_lag_messages";
constexpr std::string_view kPartitions = "signalbox_lane_partitions";
constexpr std::string_view kHandover = "signalbox_handover_bytes";
constexpr std::string_view kGap = "signalbox_lost_to_retention_messages";
constexpr std::string_view kAlarms = "signalbox_fence_alarms_total";
constexpr std::string_view kRebalances = "signalbox_rebalances_total";
constexpr std::string_view kHealthy = "signalbox_ready";
constexpr std::string_view kUptime = "signalbox_uptime_seconds";
constexpr std::string_view kMemory = "signalbox_resident_memory_bytes";
constexpr std::string_view kDelay = "signalbox_delay_seconds";

constexpr std::array kDescriptions{
    MetricDescription{kMessages, "counter", "lane, outcome",
                      "Messages by what became of them. received = delivered + superseded + "
                      "rejected + skipped + in flight."},
    MetricDescription{kInFlight, "gauge", "lane", "Messages taken in hand and not settled yet."},
    MetricDescription{kRejects, "counter", "lane, reason",
                      "Messages that became dead letters, by reason."},
    MetricDescription{kPublishes, "counter", "lane", "PUBLISH commands carried out."},
    MetricDescription{kReceivers, "counter", "lane",
                      "Copies that subscribers got, summed over the publishes."},
    MetricDescription{kSinkUp, "gauge", "lane, sink", "1 while the sink answers."},
    MetricDescription{kLogUp, "gauge", "lane", "1 while the log (Kafka) answers."},
    MetricDescription{kLag, "gauge", "lane",
                      "Messages between the lane's place and the log's end."},
    MetricDescription{kPartitions, "gauge", "lane", "Partitions that this process reads."},
    MetricDescription{kHandover, "gauge", "lane",
                      "Bytes fetched and not taken by the lane yet; bounded."},
    MetricDescription{kGap, "gauge", "lane",
                      "Messages known lost or repeated, until acknowledged."},
    MetricDescription{kAlarms, "counter", "lane",
                      "Times a fence did not fit the log or was forgotten."},
    MetricDescription{kRebalances, "counter", "lane", "Changes of the group's assignment."},
    MetricDescription{kHealthy, "gauge", "", "1 while /health answers 200."},
    MetricDescription{kUptime, "gauge", "", "Seconds since the service started."},
    MetricDescription{kMemory, "gauge", "", "Resident memory of the process."},
    MetricDescription{kDelay, "histogram", "lane",
                      "From a message's log timestamp to the sink's word that it has it."},
};

std::string help_of(std::string_view name) {
  const auto* found = std::ranges::find(kDescriptions, name, &MetricDescription::name);
  return std::string(found->help);
}

/// From /proc/self/statm, in pages; 0 where there is none.
double resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void append_rows(std::string& text, std::span<const MetricDescription> metrics) {
  for (const MetricDescription& metric : metrics) {
    text.append("| `").append(metric.name).append("` | ").append(metric.type).append(" | ");
    text.append(metric.labels).append(" | ").append(metric.help).append(" |\n");
  }
}

}  // namespace

std::span<const MetricDescription> lane_metric_descriptions() { return kDescriptions; }

std::string metrics_markdown() {
  std::string text =
      "# Metrics\n\n"
      "Generated from the code (`signalbox docs metrics`); a test fails when it is stale.\n"
      "`GET /metrics` of every service answers in the Prometheus text format.\n\n"
      "| name | type | labels | meaning |\n|---|---|---|---|\n";
  append_rows(text, kDescriptions);
  text +=
      "\n## signalbox trigger\n\nThe original's names first.\n\n"
      "| name | type | labels | meaning |\n|---|---|---|---|\n";
  append_rows(text, trigger_metric_descriptions());
  return text;
}

LatencySummary& lane_delays(MetricsRegistry& registry, const std::string& lane) {
  return registry.latency(std::string(kDelay), help_of(kDelay), {{"lane", lane}});
}

LaneMetrics::LaneMetrics(MetricsRegistry& registry) : registry_(registry) {}

void LaneMetrics::update(const ServiceView& view) {
  for (const LaneView& lane : view.lanes) update_lane(lane);
  set(kHealthy, {}, http_status_of(health_of(view)) == 200 ? 1 : 0);
  set(kUptime, {}, std::chrono::duration<double>(view.now - view.started).count());
  set(kMemory, {}, resident_bytes());
}

void LaneMetrics::update_lane(const LaneView& lane) {
  const std::string& name = lane.status.name;
  const MetricLabels labels{{"lane", name}};
  const LaneCounters& counters = lane.status.counters;
  count(kMessages, {{"lane", name}, {"outcome", "received"}}, counters.received);
  count(kMessages, {{"lane", name}, {"outcome", "delivered"}}, counters.delivered);
  count(kMessages, {{"lane", name}, {"outcome", "superseded"}}, counters.superseded);
  count(kMessages, {{"lane", name}, {"outcome", "rejected"}}, counters.rejected);
  count(kMessages, {{"lane", name}, {"outcome", "skipped"}}, counters.skipped);
  for (std::size_t i = 0; i < kRejectReasonCount; ++i) {
    if (counters.rejected_by_reason[i] == 0) continue;
    const auto reason = static_cast<RejectReason>(i);
    count(kRejects, {{"lane", name}, {"reason", std::string(name_of(reason))}},
          counters.rejected_by_reason[i]);
  }
  count(kPublishes, labels, counters.publishes);
  count(kReceivers, labels, counters.receivers);
  count(kAlarms, labels, lane.status.alarms);
  count(kRebalances, labels, lane.source.rebalances);
  set(kInFlight, labels, static_cast<double>(counters.in_flight));
  set(kSinkUp, {{"lane", name}, {"sink", lane.sink_name}}, lane.status.sink.is_up ? 1 : 0);
  set(kLogUp, labels, lane.status.log.is_up && lane.source.is_connected ? 1 : 0);
  set(kLag, labels, static_cast<double>(lane.source.lag));
  set(kPartitions, labels, static_cast<double>(lane.status.partitions));
  set(kHandover, labels, static_cast<double>(lane.source.handover_bytes));
  set(kGap, labels, static_cast<double>(lane.status.lost_to_retention));
}

void LaneMetrics::count(std::string_view name, const MetricLabels& labels, std::uint64_t total) {
  const Counter counter = registry_.counter(std::string(name), help_of(name), labels);
  const double missing = static_cast<double>(total) - counter.value();
  if (missing > 0) counter.add(missing);
}

void LaneMetrics::set(std::string_view name, const MetricLabels& labels, double value) {
  registry_.gauge(std::string(name), help_of(name), labels).set(value);
}

}  // namespace signalbox
