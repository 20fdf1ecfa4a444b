#include "app/trigger_config.hpp"

#include <utility>

#include "app/config/redis_url.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;

void describe_input(TriggerConfig& config, Settings& settings) {
  settings.group("Kafka");
  describe_brokers(config.kafka_servers,
                   {{"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKER"}, "kafka.bootstrap_servers"},
                   settings);
  settings.kafka_name(config.topic, {{"KAFKA_SIGNAL_TOPIC"}, "trigger.topic"},
                      "The topic that signals come from.");
  settings.kafka_name(config.group, {{"KAFKA_CONSUMER_GROUP"}, "trigger.group"},
                      "Name of the consumer group. Replicas share it; it must not change between "
                      "starts.");
  settings.choice<StartAt>(config.auto_offset_reset,
                           {{"latest", StartAt::Latest}, {"earliest", StartAt::Earliest}},
                           {{"KAFKA_AUTO_OFFSET_RESET"}, "trigger.auto_offset_reset"},
                           "Where the group's very first start begins. A partition that appears "
                           "later is always read from its beginning.");
  describe_instance_id(config.instance_id, settings);
  settings.kafka_properties(config.kafka_properties);
}

void describe_batches(TriggerConfig& config, Settings& settings) {
  settings.group("Batches");
  settings.decimal(config.db_queries_per_second, {.min = 0, .max = 10'000},
                   {{"DB_QUERIES_PER_SECOND"}, "trigger.db_queries_per_second"},
                   "Questions to the database that batches may cost a second. Up to 100 signals a "
                   "second each is handled at once; beyond, batches grow instead. 0: batches are "
                   "due by the two settings below alone.");
  settings.integer<std::uint64_t>(config.batch_size, {.min = 1, .max = 10'000},
                                  {{"BATCH_SIZE"}, "trigger.batch_size"},
                                  "Signals from which on a batch is due.");
  settings.seconds(config.batch_timeout, {.min = milliseconds{1}, .max = milliseconds{60'000}},
                   {{"BATCH_TIMEOUT_SECONDS"}, "trigger.batch_timeout_seconds"},
                   "Time since the batch before from which on a batch is due.");
}

void describe_matching(TriggerConfig& config, Settings& settings) {
  settings.group("Pipelines and matching");
  settings.seconds(config.cache_refresh_every,
                   {.min = milliseconds{100}, .max = milliseconds{3'600'000}},
                   {{"CACHE_REFRESH_INTERVAL_SECONDS"}, "trigger.cache_refresh_interval_seconds"},
                   "How often the pipelines are loaded anew; `signalbox migrate --notify` lets "
                   "changes be seen at once.");
  settings.seconds(config.cache_max_age, {.min = milliseconds{0}, .max = milliseconds{86'400'000}},
                   {{"CACHE_MAX_AGE_SECONDS"}, "trigger.cache_max_age_seconds"},
                   "Age of the pipelines from which on nothing is matched until they are loaded "
                   "again; signals wait. 0: ten refresh intervals.");
  settings.boolean(config.allow_backtest_signals,
                   {{"ALLOW_BACKTEST_SIGNALS"}, "trigger.allow_backtest_signals"},
                   "Whether signals with marks of a backtest are run, on the backtest queue.");
  settings.choice<MarketHoursBy>(
      config.market_hours,
      {{"now", MarketHoursBy::Now}, {"signal", MarketHoursBy::Signal}, {"off", MarketHoursBy::Off}},
      {{"MARKET_HOURS"}, "trigger.market_hours"},
      "Whether a ticker's market must be open: now, at the signal's own "
      "time, or not at all.");
  settings.seconds(config.signal_max_age, {.min = milliseconds{0}, .max = milliseconds{86'400'000}},
                   {{"SIGNAL_MAX_AGE_SECONDS"}, "trigger.signal_max_age_seconds"},
                   "Signals older than this, by Kafka's timestamp, are recorded as expired. 0: no "
                   "limit.");
}

void describe_blocking(TriggerConfig& config, Settings& settings) {
  Setting blocking;
  blocking.names = {{"BLOCKING_STATUSES"}, "trigger.blocking_statuses", ""};
  blocking.kind = SettingKind::List;
  blocking.documentation =
      "Statuses of an execution that keep its pipeline busy on its ticker; PENDING and RUNNING "
      "only "
      "while younger than 12 minutes. AWAITING_APPROVAL and PAUSED may be added.";
  blocking.accepted = "a comma-separated list of statuses of executions, in upper case";
  for (const std::string& status : config.blocking_statuses) {
    blocking.default_text += (blocking.default_text.empty() ? "" : ",") + status;
  }
  blocking.assign = [&config](std::string_view text) {
    std::vector<std::string> statuses = split_list(text);
    if (statuses.empty()) return Assigned::No;
    for (const std::string& status : statuses) {
      if (!is_run_status(status)) return Assigned::No;
    }
    config.blocking_statuses = std::move(statuses);
    return Assigned::Yes;
  };
  settings.custom(std::move(blocking));
}

void describe_busy(TriggerConfig& config, Settings& settings) {
  settings.group("Busy pipelines");
  describe_blocking(config, settings);
  Setting policy;
  policy.names = {{"WHEN_BUSY"}, "trigger.when_busy", ""};
  policy.documentation =
      "What happens to a signal whose pipeline is at work on the ticker: it is skipped, the newest "
      "waits, or up to N wait in order.";
  policy.accepted = "skip, keep_latest, or queue:N with N from 1 to 100";
  policy.default_text = "skip";
  policy.assign = [&config](std::string_view text) {
    const auto rule = parse_busy_rule(trimmed(text));
    if (!rule) return Assigned::No;
    config.when_busy = *rule;
    return Assigned::Yes;
  };
  settings.custom(std::move(policy));
  Setting overrides;
  overrides.names = {{"WHEN_BUSY_BY_PIPELINE"}, "trigger.when_busy_by_pipeline", ""};
  overrides.kind = SettingKind::List;
  overrides.documentation =
      "The same for some pipelines, by id or by name with `*` and `?`; the first that fits counts.";
  overrides.accepted = "a comma-separated list of PIPELINE=POLICY: `momentum*=keep_latest`";
  overrides.assign = [&config](std::string_view text) {
    std::vector<BusyOverride> parsed;
    for (const std::string& part : split_list(text)) {
      const std::size_t equals = part.rfind('=');
      if (equals == std::string::npos) return Assigned::No;
      const auto rule = parse_busy_rule(trimmed(std::string_view{part}.substr(equals + 1)));
      const std::string_view pattern = trimmed(std::string_view{part}.substr(0, equals));
      if (!rule || pattern.empty()) return Assigned::No;
      parsed.push_back({std::string{pattern}, *rule});
    }
    config.busy_overrides = std::move(parsed);
    return Assigned::Yes;
  };
  settings.custom(std::move(overrides));
}

void describe_comparison(TriggerConfig& config, Settings& settings) {
  settings.group("Beside the original");
  settings.boolean(
      config.is_shadow, {{}, "trigger.shadow", "shadow"},
      "Run beside the original, with a group and keys of its own, enqueue nothing, and "
      "record what would have been.");
  settings.seconds(
      config.compare_interval, {.min = milliseconds{1'000}, .max = milliseconds{604'800'000}},
      {{}, "trigger.compare_seconds", "seconds"}, "How far `trigger compare` looks back.");
}

void check_urls(const TriggerConfig& config, ConfigCheck& check) {
  const auto broker = parse_redis_url(config.broker_url.reveal());
  if (!broker) check.problem("CELERY_BROKER_URL: " + broker.error());
  if (config.result_url.empty()) return;
  const auto result = parse_redis_url(config.result_url.reveal());
  if (!result) check.problem("CELERY_RESULT_BACKEND: " + result.error());
}

void describe_celery(TriggerConfig& config, Settings& settings) {
  settings.group("Celery");
  settings.secret(config.broker_url, {{"CELERY_BROKER_URL"}, "celery.broker_url"},
                  "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] of the queue; our claims are there, "
                  "too.",
                  config.broker_url.reveal());
  settings.secret(config.result_url, {{"CELERY_RESULT_BACKEND"}, "celery.result_backend"},
                  "Where workers leave results, by which claims end. Unset: the broker's.");
  settings.text(config.task_name, {{"CELERY_TASK_NAME"}, "celery.task_name"},
                "Name of the task, as the worker registered it.");
  settings.text(config.queue, {{"CELERY_QUEUE"}, "celery.queue"}, "Queue that tasks are put into.");
  settings.text(config.backtest_queue, {{"CELERY_BACKTEST_QUEUE"}, "celery.backtest_queue"},
                "Queue of the tasks of backtests.");
  settings.seconds(config.task_expires,
                   {.min = milliseconds{1'000}, .max = milliseconds{3'000'000}},
                   {{"TASK_EXPIRES_SECONDS"}, "celery.task_expires_seconds"},
                   "A task that no worker has taken by then is dropped. Must stay below the "
                   "broker's visibility time-out, an hour by Celery's default.");
  settings.seconds(config.task_hard_limit,
                   {.min = milliseconds{1'000}, .max = milliseconds{86'400'000}},
                   {{"TASK_HARD_LIMIT_SECONDS"}, "celery.task_hard_limit_seconds"},
                   "The worker's own hard time limit of a task: a claim outlives it.");
  settings.choice<OnAmnesia>(config.on_amnesia,
                             {{"rewind", OnAmnesia::Rewind}, {"skip", OnAmnesia::Skip}},
                             {{"ON_AMNESIA"}, "trigger.on_amnesia"},
                             "When Redis has forgotten everything: run the signals of the last "
                             "SIGNAL_MAX_AGE_SECONDS again, since the queue is gone as well, or go "
                             "on where the group was.");
  settings.boolean(
      config.allow_eviction, {{"ALLOW_EVICTION"}, "trigger.allow_eviction"},
      "Work with a Redis that may evict our claims (maxmemory with an allkeys policy). "
      "Otherwise such a Redis is no place to work with.");
  settings.check([&config](ConfigCheck& check) { check_urls(config, check); });
}

}  // namespace

TriggerRules TriggerConfig::rules() const {
  TriggerRules rules;
  rules.match.allow_backtest = allow_backtest_signals;
  rules.signal_max_age = std::chrono::duration_cast<std::chrono::seconds>(signal_max_age);
  rules.market_hours = market_hours;
  rules.busy_of = [overrides = busy_overrides,
                   otherwise = when_busy](const IndexedPipeline& pipeline) {
    return busy_rule_of(pipeline, overrides, otherwise);
  };
  rules.cache_max_age = cache_max_age.count() > 0 ? cache_max_age : 10 * cache_refresh_every;
  rules.eviction = allow_eviction ? Eviction::Allowed : Eviction::Refused;
  return rules;
}

void describe(TriggerConfig& config, Settings& settings) {
  describe(config.common, {.variable = "TRIGGER_PORT", .table = "trigger"}, settings);
  describe_input(config, settings);
  describe_batches(config, settings);
  describe_matching(config, settings);
  describe_busy(config, settings);
  describe_celery(config, settings);
  settings.group("PostgreSQL");
  describe_postgres_server(config.postgres,
                           {.host = {"POSTGRES_HOST", "PGHOST"},
                            .port = {"POSTGRES_PORT", "PGPORT"},
                            .user = {"POSTGRES_USER", "PGUSER"},
                            .password = {"POSTGRES_PASSWORD", "PGPASSWORD"},
                            .database = {"POSTGRES_DB", "PGDATABASE"}},
                           settings);
  describe_comparison(config, settings);
}

Settings describe(TriggerConfig& config) {
  Settings settings{
      "trigger", "Turns every signal that matches an idle pipeline into exactly one Celery task."};
  settings.arguments("[check | compare | explain SIGNAL.json|ID]", 2);
  describe(config, settings);
  return settings;
}

}  // namespace signalbox
