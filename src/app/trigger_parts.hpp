#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "adapters/kafka_client.hpp"
#include "adapters/postgres_connection.hpp"
#include "adapters/postgres_runs.hpp"
#include "adapters/redis_task_queue.hpp"
#include "app/trigger_config.hpp"

namespace signalbox {

/// The trigger's servers, as its adapters want them described.
KafkaConnection kafka_connection(const TriggerConfig& config, const std::string& client_id);
PostgresOptions postgres_options(const TriggerConfig& config, const std::string& application_name);
PostgresRunsOptions runs_options(const TriggerConfig& config, const std::string& application_name);
RedisTaskQueueOptions task_queue_options(const TriggerConfig& config,
                                         const std::string& client_name);

/// The name that this process has in its group.
std::string client_id(const TriggerConfig& config);

}  // namespace signalbox
