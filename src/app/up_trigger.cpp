#include "app/up_trigger.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapters/sqlite_platform.hpp"
#include "adapters/wire_signal.hpp"
#include "base/log.hpp"
#include "domain/busy_rules.hpp"
#include "domain/routing_note.hpp"
#include "domain/text.hpp"
#include "services/paced_source.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kLane = "trigger";
constexpr int kWorkers = 2;
constexpr std::chrono::milliseconds kRunTime{1'000};
constexpr std::size_t kRunsShown = 20;
constexpr std::size_t kRunsShownMax = 500;

/// The recording's coins are written like stocks (`ETHBTC`), and it is played at all hours.
TriggerRules rules_of_up() {
  TriggerRules rules;
  rules.market_hours = MarketHoursBy::Off;
  rules.busy_of = [](const IndexedPipeline& pipeline) { return busy_rule_of(pipeline, {}, {}); };
  return rules;
}

SqliteOptions with_seed(SqliteOptions platform) {
  SqliteDatabase database{platform};
  make_platform(database);
  if (seed_pipelines(database)) log_info("pipelines_seeded");
  return platform;
}

nlohmann::json time_json(const std::optional<ReceivedAt>& time) {
  if (!time) return nullptr;
  return iso_utc(std::chrono::floor<std::chrono::milliseconds>(*time));
}

}  // namespace

UpTrigger::UpTrigger(EmbeddedParts& parts, MetricsRegistry& registry)
    : parts_(parts),
      platform_(with_seed({.file = parts.directory / "platform.db", .sync = SqliteSync::Normal})),
      rules_(rules_of_up()),
      metrics_(registry),
      budget_({}),
      tasks_(ClaimRules{}, {.file = parts.directory / "tasks.db", .sync = SqliteSync::Normal}),
      queue_(tasks_, parts.clock),
      runs_({.sqlite = platform_}),
      store_(platform_),
      keeper_({.store = store_, .current = pipelines_, .clock = parts.clock}, {}),
      sweep_queue_(tasks_, parts.clock),
      sweep_runs_({.sqlite = platform_}),
      sweep_({.queue = sweep_queue_,
              .ledger = sweep_runs_,
              .pipelines = pipelines_,
              .tally = tally_,
              .clock = parts.clock},
             rules_, {}),
      executions_(platform_) {
  queue_.ping();  // says at once that another process has the queue
  for (int i = 0; i < kWorkers; ++i) {
    workers_.emplace_back(UpWorker::Io{.tasks = tasks_, .done = done_, .clock = parts.clock},
                          platform_, kRunTime);
  }
}

void UpTrigger::add_to(LaneService& service) {
  service.add_to_view([this](ServiceView& view) {
    const TriggerView trigger = this->view();
    view.concerns = concerns_of(trigger);
    view.details_name = "trigger";
    view.details = details_of(trigger);
  });
  service.add_to_metrics([this] { metrics_.update(view()); });
  service.http().get("/runs", [this](const HttpRequest& request) { return runs_answer(request); });
  service.add_lane(std::string(kLane), Urgency::Priority, [this] { return make_lane(); });
}

void UpTrigger::start() {
  threads_.emplace_back([this](std::stop_token stop) { keeper_.run(std::move(stop)); });
  threads_.emplace_back([this](std::stop_token stop) { run_sweep(std::move(stop)); });
  for (UpWorker& worker : workers_) {
    threads_.emplace_back([&worker](std::stop_token stop) { worker.run(std::move(stop)); });
  }
}

void UpTrigger::request_stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

LaneParts UpTrigger::make_lane() {
  LaneParts made = embedded_source_parts(
      parts_, std::string(kLane), {.group = "up-trigger", .topics = {std::string(kSignalTopic)}});
  made.sink_name = "tasks";
  made.options.route_of = trigger_route;
  made.source = std::make_unique<PacedSource>(std::move(made.source), budget_, parts_.clock);
  made.sink = std::make_unique<TriggerDesk>(TriggerDesk::Io{.queue = queue_,
                                                            .ledger = runs_,
                                                            .pipelines = pipelines_,
                                                            .budget = budget_,
                                                            .tally = tally_,
                                                            .clock = parts_.clock,
                                                            .processing = metrics_.processing(),
                                                            .batch_sizes = metrics_.batch_sizes()},
                                            rules_);
  made.reader = std::make_unique<SignalReader>();
  return made;
}

TriggerView UpTrigger::view() const {
  return view_of(pipelines_.copy(), tally_.copy(), queue_report_.copy(), rules_.cache_max_age,
                 parts_.clock.steady_now(), parts_.clock.now());
}

void UpTrigger::run_sweep(std::stop_token stop) {
  const SlotKeeper::Options options{};
  while (!stop.stop_requested()) {
    sweep_.step();
    try {
      queue_report_.set(sweep_queue_.report());
    } catch (const IoError& error) {
      queue_report_.set(std::nullopt);
      log_warn_limited("queue", "queue_not_seen", {{"error", error.what()}});
    }
    parts_.clock.wait(options.sweep_every, stop);
  }
}

/// `GET /runs?limit=N`: the last runs, the newest first.
HttpResponse UpTrigger::runs_answer(const HttpRequest& request) {
  std::size_t limit = kRunsShown;
  if (const auto asked = request.query.find("limit"); asked != request.query.end()) {
    const auto number = integer_from<std::size_t>(asked->second);
    if (!number || *number == 0 || *number > kRunsShownMax) {
      return http_error(400, "BAD_LIMIT", "limit is a number from 1 to 500");
    }
    limit = *number;
  }
  std::vector<RunRow> rows;
  {
    const std::lock_guard lock{executions_mutex_};
    rows = executions_.last(limit);
  }
  nlohmann::json runs = nlohmann::json::array();
  for (const RunRow& row : rows) {
    runs.push_back({{"task_id", row.task_id},
                    {"signal_id", row.signal_id},
                    {"pipeline_id", row.pipeline_id},
                    {"pipeline", row.pipeline},
                    {"ticker", row.ticker},
                    {"outcome", row.status},
                    {"starts", row.starts},
                    {"started_at", time_json(row.started_at)},
                    {"completed_at", time_json(row.completed_at)}});
  }
  return {.status = 200, .body = nlohmann::json{{"runs", std::move(runs)}}.dump(2)};
}

}  // namespace signalbox
