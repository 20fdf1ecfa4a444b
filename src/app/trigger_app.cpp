// `signalbox trigger`: which adapters its lane, its keeper and its sweep get. The path of a signal:
// services/delivery_lane.cpp step() → services/trigger_desk.cpp write().

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "adapters/kafka_dead_letters.hpp"
#include "adapters/kafka_source.hpp"
#include "adapters/postgres_pipelines.hpp"
#include "adapters/postgres_runs.hpp"
#include "adapters/redis_task_queue.hpp"
#include "adapters/system_clock.hpp"
#include "adapters/wire_signal.hpp"
#include "app/kafka_lane.hpp"
#include "app/lane_service.hpp"
#include "app/service_main.hpp"
#include "app/shutdown_signals.hpp"
#include "app/trigger_check.hpp"
#include "app/trigger_compare.hpp"
#include "app/trigger_explain.hpp"
#include "app/trigger_parts.hpp"
#include "app/trigger_report.hpp"
#include "base/log.hpp"
#include "domain/dead_letter.hpp"
#include "services/paced_source.hpp"
#include "services/pipeline_keeper.hpp"
#include "services/slot_keeper.hpp"
#include "services/trigger_desk.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kLane = "trigger";
constexpr std::size_t kBatchMax = 5'000;  ///< signals; 4 MB bound it before

/// The queries that the sweep may make beside the batches' within DB_QUERIES_PER_SECOND.
constexpr double kSweepQueriesPerSecond = 1.2;

QueryBudget::Limits budget_limits(const TriggerConfig& config) {
  QueryBudget::Limits limits{.batch_size = config.batch_size,
                             .batch_timeout = config.batch_timeout};
  if (config.db_queries_per_second == 0) {
    limits.queries_per_second = 0;
  } else {
    limits.queries_per_second = std::max(config.db_queries_per_second / 2,
                                         config.db_queries_per_second - kSweepQueriesPerSecond);
  }
  return limits;
}

/// Everything that the lane works with, in the order in which it must come and go.
class TriggerParts {
 public:
  TriggerParts(const TriggerConfig& config, MetricsRegistry& registry)
      : config_(config),
        rules_(config.rules()),
        metrics_(registry),
        budget_(budget_limits(config)),
        queue_(task_queue_options(config, "signalbox-trigger")),
        runs_(runs_options(config, "signalbox-trigger")),
        store_(postgres_options(config, "signalbox-pipelines")),
        keeper_({.store = store_, .current = pipelines_, .clock = clock_},
                {.refresh_every = config.cache_refresh_every}),
        sweep_queue_(task_queue_options(config, "signalbox-trigger-sweep")),
        sweep_runs_(runs_options(config, "signalbox-trigger-sweep")),
        sweep_({.queue = sweep_queue_,
                .ledger = sweep_runs_,
                .pipelines = pipelines_,
                .tally = tally_,
                .clock = clock_},
               rules_, {}) {}

  /// Pipelines first: the lane would only wait for them.
  void start() {
    keeper_thread_ = std::jthread{[this](std::stop_token stop) { keeper_.run(std::move(stop)); }};
    sweep_thread_ = std::jthread{[this](std::stop_token stop) { run_sweep(std::move(stop)); }};
  }

  void request_stop() {
    keeper_thread_.request_stop();
    sweep_thread_.request_stop();
  }

  LaneParts make_lane() {
    auto kafka = std::make_unique<KafkaSource>(
        KafkaSourceOptions{.connection = kafka_connection(config_, client_id(config_)),
                           .group_id = config_.group_id(),
                           .group_instance_id = config_.instance_id,
                           .topics = {exactly(config_.topic), exactly(replay_topic(lane_name()))}});
    LaneParts parts;
    parts.sink_name = "redis";
    parts.log_name = "kafka";
    parts.options = {.name = lane_name(),
                     .label = lane_name(),
                     .first_start = config_.auto_offset_reset,
                     .route_of = trigger_route,
                     .poll = {.messages = kBatchMax}};
    if (config_.on_amnesia == OnAmnesia::Rewind) {
      parts.options.rewind_when_forgotten = config_.signal_max_age;
    }
    parts.report_source = [&status_of = *kafka] { return report_of(status_of); };
    parts.source = std::make_unique<PacedSource>(std::move(kafka), budget_, clock_);
    parts.sink =
        std::make_unique<TriggerDesk>(TriggerDesk::Io{.queue = queue_,
                                                      .ledger = runs_,
                                                      .pipelines = pipelines_,
                                                      .budget = budget_,
                                                      .tally = tally_,
                                                      .clock = clock_,
                                                      .processing = metrics_.processing(),
                                                      .batch_sizes = metrics_.batch_sizes()},
                                      rules_);
    parts.dead_letters = std::make_unique<KafkaDeadLetters>(KafkaDeadLettersOptions{
        .connection = kafka_connection(config_, client_id(config_) + "-letters")});
    parts.reader = std::make_unique<SignalReader>();
    return parts;
  }

  std::string lane_name() const {
    return config_.is_shadow ? "shadow-" + std::string(kLane) : std::string(kLane);
  }

  TriggerView view() const {
    TriggerView view = view_of(pipelines_.copy(), tally_.copy(), queue_report_.copy(),
                               rules_.cache_max_age, clock_.steady_now(), clock_.now());
    view.is_shadow = config_.is_shadow;
    return view;
  }

  void update_metrics() { metrics_.update(view()); }

 private:
  /// The sweep's connection also asks how long the queue is, once a round.
  void run_sweep(std::stop_token stop) {
    const SlotKeeper::Options options{};
    while (!stop.stop_requested()) {
      sweep_.step();
      try {
        queue_report_.set(sweep_queue_.report());
      } catch (const IoError& error) {
        queue_report_.set(std::nullopt);
        log_warn_limited("queue", "queue_not_seen", {{"error", error.what()}});
      }
      clock_.wait(options.sweep_every, stop);
    }
  }

  const TriggerConfig& config_;
  TriggerRules rules_;
  SystemClock clock_;
  TriggerMetrics metrics_;
  TriggerTally tally_;
  CurrentPipelines pipelines_;
  QueryBudget budget_;    // the lane's thread only
  RedisTaskQueue queue_;  // likewise
  PostgresRuns runs_;     // likewise
  PostgresPipelines store_;
  PipelineKeeper keeper_;
  RedisTaskQueue sweep_queue_;
  PostgresRuns sweep_runs_;
  SlotKeeper sweep_;
  Guarded<std::optional<QueueReport>> queue_report_;
  std::jthread keeper_thread_;  // last: end before what they use goes away
  std::jthread sweep_thread_;
};

int serve(const Loaded<TriggerConfig>& loaded) {
  const TriggerConfig& config = loaded.config;
  ShutdownSignals signals;  // before any thread
  const LogSetup log{{.service = "trigger",
                      .level = config.common.log_level,
                      .console = LogConsole::Stdout,
                      .directory = config.common.log_dir}};
  log_info("trigger_dispatcher_initialized",
           {{"version", SIGNALBOX_VERSION},
            {"batch_size", config.batch_size},
            {"batch_timeout", std::chrono::duration<double>(config.batch_timeout).count()},
            {"cache_refresh_interval",
             std::chrono::duration<double>(config.cache_refresh_every).count()},
            {"kafka", config.kafka_servers},
            {"topic", config.topic},
            {"group_id", config.group_id()},
            {"shadow", config.is_shadow}});
  for (const ConfigNote& note : loaded.notes) log_info(note.event, {{"detail", note.detail}});

  std::optional<TriggerParts> parts;  // outlives the service, whose lane works with it
  LaneService service{{.bind = config.common.bind,
                       .port = config.common.port,
                       .token = config.common.token.reveal()}};
  parts.emplace(config, service.metrics());
  parts->start();
  service.add_to_view([&parts](ServiceView& view) {
    const TriggerView trigger = parts->view();
    view.concerns = concerns_of(trigger);
    view.details_name = "trigger";
    view.details = details_of(trigger);
  });
  service.add_to_metrics([&parts] { parts->update_metrics(); });
  service.add_lane(parts->lane_name(), Urgency::Priority, [&parts] { return parts->make_lane(); });
  service.start_http();
  service.run(signals, {});
  log_info("trigger_dispatcher_shutting_down");
  parts->request_stop();
  return exit_status::kStopped;
}

int run(const Loaded<TriggerConfig>& loaded) {
  if (loaded.arguments.empty()) return serve(loaded);
  if (loaded.arguments.size() == 2 && loaded.arguments[0] == "explain") {
    return explain_signal(loaded.config, loaded.arguments[1]);
  }
  if (loaded.arguments.size() == 1 && loaded.arguments[0] == "check") {
    return check_trigger(loaded.config);
  }
  if (loaded.arguments.size() == 1 && loaded.arguments[0] == "compare") {
    return compare_with_original(loaded.config);
  }
  std::fprintf(
      stderr,
      "signalbox trigger: say `trigger`, `trigger check`, `trigger compare` or `trigger explain "
      "SIGNAL.json|ID`\n");
  return exit_status::kConfiguration;
}

}  // namespace

int run_trigger(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<TriggerConfig>(arguments, environment, run);
}

}  // namespace signalbox
