#pragma once

#include <string>
#include <vector>

#include "adapters/kafka_client.hpp"
#include "adapters/postgres_connection.hpp"
#include "adapters/redis_connection.hpp"
#include "app/dispatcher_config.hpp"
#include "app/lane_unit.hpp"

namespace signalbox {

/// One lane of the dispatcher: its name is the promise's, its label tells loops of one name apart.
struct LanePlace {
  LaneName sink;
  Urgency urgency;
  std::string name;   ///< redis, redis-priority, postgres, postgres-priority
  std::string label;  ///< the name, or `postgres-2` for the second loop of it
};

/// Every lane that this process runs.
std::vector<LanePlace> lane_places(const DispatcherConfig& config);

/// KAFKA_GROUP_ID. A shadow differs in the lane's name: `<KAFKA_GROUP_ID>-shadow-redis`.
std::string group_prefix(const DispatcherConfig& config);

/// `<prefix>-<name>`: the consumer group, which names the fences too.
std::string group_of(const DispatcherConfig& config, const LanePlace& place);

/// The adapters of one lane. Needs no server to be there. Throws std::invalid_argument.
LaneParts make_lane(const DispatcherConfig& config, const LanePlace& place);

KafkaConnection kafka_connection(const DispatcherConfig& config, const std::string& client_id);
RedisOptions redis_options(const DispatcherConfig& config, const std::string& client_name);
PostgresOptions postgres_options(const DispatcherConfig& config,
                                 const std::string& application_name);

}  // namespace signalbox
