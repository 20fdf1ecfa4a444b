#include "app/trigger_report.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "app/process_facts.hpp"
#include "domain/routing_note.hpp"

namespace signalbox {
namespace {

using nlohmann::json;

constexpr std::string_view kConsumed = "signals_consumed_total";
constexpr std::string_view kMatched = "pipelines_matched_total";
constexpr std::string_view kEnqueued = "pipelines_enqueued_total";
constexpr std::string_view kSkipped = "pipelines_skipped_running_total";
constexpr std::string_view kBatchSize = "batch_size";
constexpr std::string_view kDuration = "batch_processing_duration_seconds";
constexpr std::string_view kCacheSize = "pipeline_cache_size";
constexpr std::string_view kCpuPercent = "process_cpu_percent";
constexpr std::string_view kMemory = "process_memory_bytes";
constexpr std::string_view kThreads = "process_threads";
constexpr std::string_view kOpenFiles = "process_open_files";
constexpr std::string_view kCpuSeconds = "process_cpu_seconds_total";
constexpr std::string_view kResident = "process_resident_memory_bytes";
constexpr std::string_view kVirtual = "process_virtual_memory_bytes";
constexpr std::string_view kStartTime = "process_start_time_seconds";
constexpr std::string_view kOpenFds = "process_open_fds";
constexpr std::string_view kMaxFds = "process_max_fds";
constexpr std::string_view kOutcomes = "signalbox_trigger_outcomes_total";
constexpr std::string_view kAfterHeld = "signalbox_trigger_held_outcomes_total";
constexpr std::string_view kPairs = "signalbox_trigger_pairs_total";
constexpr std::string_view kUnread = "signalbox_trigger_unread_outcomes_total";
constexpr std::string_view kUnwatched = "signalbox_trigger_unwatched_signals_total";
constexpr std::string_view kReduced = "signalbox_trigger_reduced_metadata_total";
constexpr std::string_view kReleased = "signalbox_trigger_released_claims_total";
constexpr std::string_view kQueries = "signalbox_trigger_queries_total";
constexpr std::string_view kCacheAge = "signalbox_pipeline_cache_age_seconds";
constexpr std::string_view kMalformed = "signalbox_pipeline_malformed_rows";
constexpr std::string_view kFailedLoads = "signalbox_pipeline_failed_loads_total";
constexpr std::string_view kQueueLength = "signalbox_queue_tasks";
constexpr std::string_view kQueueAge = "signalbox_queue_oldest_task_seconds";
constexpr std::string_view kClaims = "signalbox_open_claims";
constexpr std::string_view kHeld = "signalbox_held_signals";

constexpr std::array kDescriptions{
    MetricDescription{kConsumed, "counter", "", "Signals that were handled."},
    MetricDescription{kMatched, "counter", "", "Pipelines that matched, once a batch."},
    MetricDescription{kEnqueued, "counter", "", "Tasks put on the queue."},
    MetricDescription{kSkipped, "counter", "",
                      "Pairs skipped because they run or their market is closed, as the original "
                      "counted them."},
    MetricDescription{kBatchSize, "histogram", "", "Signals a batch."},
    MetricDescription{kDuration, "histogram", "", "From a batch's matching to its last claim."},
    MetricDescription{kCacheSize, "gauge", "", "Pipelines in memory."},
    MetricDescription{kCpuPercent, "gauge", "service", "Processor time since the last look."},
    MetricDescription{kMemory, "gauge", "service, type", "Memory: rss and vms."},
    MetricDescription{kThreads, "gauge", "service", "Threads of the process."},
    MetricDescription{kOpenFiles, "gauge", "service", "Open files of the process."},
    MetricDescription{kCpuSeconds, "counter", "", "Processor time of the process."},
    MetricDescription{kResident, "gauge", "", "Resident memory."},
    MetricDescription{kVirtual, "gauge", "", "Virtual memory."},
    MetricDescription{kStartTime, "gauge", "", "Start of the process, Unix time."},
    MetricDescription{kOpenFds, "gauge", "", "Open file descriptors."},
    MetricDescription{kMaxFds, "gauge", "", "Open file descriptors allowed."},
    MetricDescription{kPairs, "counter", "",
                      "(signal, pipeline, ticker) whose pipeline watches the ticker: the sum of "
                      "the outcomes and the unread ones."},
    MetricDescription{kOutcomes, "counter", "outcome", "First outcomes of pairs."},
    MetricDescription{kAfterHeld, "counter", "outcome",
                      "What became of pairs whose first outcome was `held`."},
    MetricDescription{kUnread, "counter", "",
                      "Pairs whose outcome only the outcome stream tells: a reply was lost."},
    MetricDescription{kUnwatched, "counter", "", "Signals none of whose tickers is watched."},
    MetricDescription{kReduced, "counter", "",
                      "Signals whose metadata was over 64 kB and was reduced."},
    MetricDescription{kReleased, "counter", "",
                      "Claims given back because the ledger shows that their run ended."},
    MetricDescription{kQueries, "counter", "",
                      "Questions to the database about running pipelines."},
    MetricDescription{kCacheAge, "gauge", "", "Age of the pipelines in memory."},
    MetricDescription{kMalformed, "gauge", "", "Rows of the last load that are no pipeline."},
    MetricDescription{kFailedLoads, "counter", "", "Loads of the pipelines that failed."},
    MetricDescription{kQueueLength, "gauge", "", "Tasks that no worker has taken yet."},
    MetricDescription{kQueueAge, "gauge", "", "Age of the oldest of them."},
    MetricDescription{kClaims, "gauge", "", "Pairs that are claimed."},
    MetricDescription{kHeld, "gauge", "", "Signals that wait in slots."},
};

constexpr std::string_view kServiceLabel = "trigger-dispatcher";

std::string help_of(std::string_view name) {
  return std::string(std::ranges::find(kDescriptions, name, &MetricDescription::name)->help);
}

double seconds_of(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

json outcomes_json(const std::array<std::uint64_t, kTriggerOutcomeCount>& counts) {
  json outcomes = json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) outcomes[name_of(static_cast<TriggerOutcome>(i))] = counts[i];
  }
  return outcomes;
}

}  // namespace

TriggerView view_of(const PipelineView& pipelines, const TriggerCounters& counters,
                    const std::optional<QueueReport>& queue, std::chrono::milliseconds cache_bound,
                    std::chrono::steady_clock::time_point now, ReceivedAt now_utc) {
  TriggerView view{.counters = counters,
                   .unusable = why_unusable(pipelines, now, cache_bound),
                   .malformed_pipelines = pipelines.malformed_rows,
                   .failed_loads = pipelines.failed_loads,
                   .queue = queue};
  if (pipelines.index) {
    view.pipelines = pipelines.index->size();
    view.tickers = pipelines.index->ticker_count();
    view.index_bytes = pipelines.index->memory_bytes();
    view.cache_age =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - pipelines.loaded_at);
  }
  if (queue && queue->oldest_enqueued_at) {
    view.oldest_task_age =
        std::chrono::duration_cast<std::chrono::milliseconds>(now_utc - *queue->oldest_enqueued_at);
  }
  return view;
}

std::vector<ServiceConcern> concerns_of(const TriggerView& view) {
  std::vector<ServiceConcern> concerns;
  if (view.unusable) {
    concerns.push_back({"PIPELINES_UNKNOWN", *view.unusable, ServiceConcern::Weight::Blocks});
  }
  if (view.malformed_pipelines > 0) {
    concerns.push_back({"PIPELINES_MALFORMED",
                        std::to_string(view.malformed_pipelines) +
                            " rows are no pipeline and are left out; the log names them",
                        ServiceConcern::Weight::Tells});
  }
  return concerns;
}

std::string details_of(const TriggerView& view) {
  const TriggerCounters& counters = view.counters;
  json cache{{"pipelines", view.pipelines},
             {"tickers", view.tickers},
             {"bytes", view.index_bytes},
             {"malformed_rows", view.malformed_pipelines},
             {"failed_loads", view.failed_loads}};
  cache["age_seconds"] = view.cache_age ? json(seconds_of(*view.cache_age)) : json(nullptr);
  json queue(nullptr);
  if (view.queue) {
    queue = {{"waiting_tasks", view.queue->waiting_tasks},
             {"open_claims", view.queue->open_claims},
             {"held_signals", view.queue->held}};
    queue["oldest_task_seconds"] =
        view.oldest_task_age ? json(seconds_of(*view.oldest_task_age)) : json(nullptr);
  }
  const json body{{"shadow", view.is_shadow},
                  {"signals", counters.signals},
                  {"batches", counters.batches},
                  {"queries", counters.queries},
                  {"pairs", counters.pairs},
                  {"outcomes", outcomes_json(counters.outcomes)},
                  {"outcomes_after_held", outcomes_json(counters.after_held)},
                  {"unread_outcomes", counters.unread},
                  {"unwatched_signals", counters.unwatched_signals},
                  {"balanced", counters.balanced()},
                  {"pipeline_cache", cache},
                  {"queue", queue}};
  return body.dump(2, ' ', false, json::error_handler_t::replace);
}

std::span<const MetricDescription> trigger_metric_descriptions() { return kDescriptions; }

TriggerMetrics::TriggerMetrics(MetricsRegistry& registry)
    : registry_(registry),
      processing_(registry.latency(std::string(kDuration), help_of(kDuration))),
      batch_sizes_(registry.histogram(std::string(kBatchSize), help_of(kBatchSize),
                                      {1, 2, 5, 10, 20, 50, 100, 200, 500, 1'000, 2'000, 5'000})) {}

void TriggerMetrics::update(const TriggerView& view) {
  const TriggerCounters& counters = view.counters;
  count(kConsumed, {}, counters.signals);
  count(kMatched, {}, counters.pipelines_matched);
  count(kEnqueued, {},
        counters.of(TriggerOutcome::Enqueued) + counters.after_held_of(TriggerOutcome::Enqueued));
  count(kSkipped, {},
        counters.of(TriggerOutcome::Busy) + counters.of(TriggerOutcome::MarketClosed));
  set(kCacheSize, {}, static_cast<double>(view.pipelines));
  count(kPairs, {}, counters.pairs);
  for (std::size_t i = 0; i < kTriggerOutcomeCount; ++i) {
    const MetricLabels labels{{"outcome", std::string(name_of(static_cast<TriggerOutcome>(i)))}};
    count(kOutcomes, labels, counters.outcomes[i]);
    if (counters.after_held[i] > 0) count(kAfterHeld, labels, counters.after_held[i]);
  }
  count(kUnread, {}, counters.unread);
  count(kUnwatched, {}, counters.unwatched_signals);
  count(kReduced, {}, counters.reduced_metadata);
  count(kReleased, {}, counters.released_claims);
  count(kQueries, {}, counters.queries);
  count(kFailedLoads, {}, view.failed_loads);
  set(kMalformed, {}, static_cast<double>(view.malformed_pipelines));
  if (view.cache_age) set(kCacheAge, {}, seconds_of(*view.cache_age));
  if (view.queue) {
    set(kQueueLength, {}, static_cast<double>(view.queue->waiting_tasks));
    set(kQueueAge, {}, view.oldest_task_age ? seconds_of(*view.oldest_task_age) : 0.0);
    set(kClaims, {}, static_cast<double>(view.queue->open_claims));
    set(kHeld, {}, static_cast<double>(view.queue->held));
  }
  update_process();
}

/// The metrics of the original's own thread, and those of Prometheus's standard collector, by which
/// its dashboards and alerts go.
void TriggerMetrics::update_process() {
  const ProcessFacts facts = process_facts();
  const MetricLabels service{{"service", std::string(kServiceLabel)}};
  const auto now = std::chrono::steady_clock::now();
  const double elapsed = std::chrono::duration<double>(now - last_process_update_).count();
  if (last_process_update_ != std::chrono::steady_clock::time_point{} && elapsed > 0) {
    set(kCpuPercent, service, 100.0 * (facts.cpu_seconds - last_cpu_seconds_) / elapsed);
  }
  const Counter cpu = registry_.counter(std::string(kCpuSeconds), help_of(kCpuSeconds));
  if (facts.cpu_seconds > cpu.value()) cpu.add(facts.cpu_seconds - cpu.value());
  last_process_update_ = now;
  last_cpu_seconds_ = facts.cpu_seconds;
  const auto resident = static_cast<double>(facts.resident_bytes);
  const auto virtual_bytes = static_cast<double>(facts.virtual_bytes);
  set(kMemory, {{"service", std::string(kServiceLabel)}, {"type", "rss"}}, resident);
  set(kMemory, {{"service", std::string(kServiceLabel)}, {"type", "vms"}}, virtual_bytes);
  set(kThreads, service, static_cast<double>(facts.threads));
  set(kOpenFiles, service, static_cast<double>(facts.open_files));
  set(kResident, {}, resident);
  set(kVirtual, {}, virtual_bytes);
  set(kStartTime, {}, facts.start_time_seconds);
  set(kOpenFds, {}, static_cast<double>(facts.open_files));
  set(kMaxFds, {}, static_cast<double>(facts.open_files_max));
}

void TriggerMetrics::count(std::string_view name, const MetricLabels& labels, std::uint64_t total) {
  const Counter counter = registry_.counter(std::string(name), help_of(name), labels);
  const double missing = static_cast<double>(total) - counter.value();
  if (missing > 0) counter.add(missing);
}

void TriggerMetrics::set(std::string_view name, const MetricLabels& labels, double value) {
  registry_.gauge(std::string(name), help_of(name), labels).set(value);
}

}  // namespace signalbox
