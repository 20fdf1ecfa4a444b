#include "app/trigger_parts.hpp"

#include <unistd.h>

#include <utility>

#include "app/config/redis_url.hpp"

namespace signalbox {
namespace {

/// The configuration's own check has parsed it before.
RedisOptions redis_options(const std::string& url, const std::string& client_name) {
  const auto parsed = parse_redis_url(url);
  return {.host = parsed->host,
          .port = parsed->port,
          .user = parsed->username,
          .password = parsed->password.value_or(""),
          .database = parsed->db.value_or(0),
          .client_name = client_name};
}

bool is_same_place(const RedisOptions& a, const RedisOptions& b) {
  return a.host == b.host && a.port == b.port && a.database == b.database;
}

}  // namespace

KafkaConnection kafka_connection(const TriggerConfig& config, const std::string& client_id) {
  KafkaConnection connection{.brokers = config.kafka_servers, .client_id = client_id};
  for (const auto& [name, value] : config.kafka_properties) {
    connection.properties.insert_or_assign(name, value);
  }
  return connection;
}

PostgresOptions postgres_options(const TriggerConfig& config, const std::string& application_name) {
  return {.host = config.postgres.host,
          .port = config.postgres.port,
          .user = config.postgres.user,
          .password = config.postgres.password.reveal(),
          .database = config.postgres.database,
          .application_name = application_name};
}

PostgresRunsOptions runs_options(const TriggerConfig& config, const std::string& application_name) {
  return {.postgres = postgres_options(config, application_name),
          .blocking = config.blocking_statuses};
}

RedisTaskQueueOptions task_queue_options(const TriggerConfig& config,
                                         const std::string& client_name) {
  RedisTaskQueueOptions options{.redis = redis_options(config.broker_url.reveal(), client_name),
                                .group = config.group_id()};
  if (!config.result_url.empty()) {
    RedisOptions results = redis_options(config.result_url.reveal(), client_name + "-results");
    if (!is_same_place(results, options.redis)) options.results = std::move(results);
  }
  options.celery = {.task_name = config.task_name,
                    .queue = config.queue,
                    .backtest_queue = config.backtest_queue};
  options.mode = config.is_shadow ? TaskQueueMode::Shadow : TaskQueueMode::Live;
  options.rules.task_expires = config.task_expires;
  options.rules.task_hard_limit = config.task_hard_limit;
  return options;
}

std::string client_id(const TriggerConfig& config) {
  const std::string instance =
      config.instance_id.value_or(std::to_string(static_cast<long>(getpid())));
  return config.group_id() + "-" + instance;
}

}  // namespace signalbox
