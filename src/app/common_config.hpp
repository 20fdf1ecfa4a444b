#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/config/settings.hpp"
#include "base/log.hpp"

namespace signalbox {

/// What every service can be told.
struct CommonConfig {
  LogLevel log_level = LogLevel::Info;
  std::filesystem::path log_dir = "./logs";
  std::string bind = "0.0.0.0";
  std::uint16_t port = 0;  // every service sets its own
  /// Anything that changes state needs it; empty: such requests are answered to loopback only.
  Secret token{};
};

struct KafkaConfig {
  std::string broker = "kafka:9092";
  /// The groups are `<group_id>-redis` and so on.
  std::string group_id = "roottrading";
  KafkaPassThrough properties;
};

/// One Redis, by REDIS_URL or by its parts: after reading, the parts hold what the URL says.
struct RedisConfig {
  std::string host = "redis";
  std::uint16_t port = 6379;
  std::string username;  // from the URL only; empty: the default user
  Secret password;
  int db = 0;
  Secret url;  // may hold the password; empty when it was not given
};

struct PostgresConfig {
  std::string host = "db";
  std::uint16_t port = 5432;
  std::string user = "postgres";
  Secret password{"postgres"};
  std::string database = "trading";
};

/// Where one service has its common settings.
struct ServicePort {
  std::string variable;  // "DISPATCHER_PORT"; may be empty
  std::string table;     // "dispatcher": the keys are dispatcher.port and dispatcher.bind
};

/// Each adds its settings, bound to `config`, which must outlive `settings`.
void describe(CommonConfig& config, const ServicePort& where, Settings& settings);
void describe(KafkaConfig& config, Settings& settings);
void describe(RedisConfig& config, Settings& settings);
void describe(PostgresConfig& config, Settings& settings);

/// Names of the variables of one PostgreSQL; of each list the first that is set counts.
struct PostgresVariables {
  std::vector<std::string> host, port, user, password, database;
};
void describe_postgres_server(PostgresConfig& config, PostgresVariables names, Settings& settings);

/// Comma-separated HOST:PORT, checked.
void describe_brokers(std::string& brokers, SettingNames names, Settings& settings);

/// INSTANCE_ID: static membership; absent: dynamic.
void describe_instance_id(std::optional<std::string>& instance_id, Settings& settings);

}  // namespace signalbox
