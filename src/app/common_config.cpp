#include "app/common_config.hpp"

#include <fmt/format.h>

#include "app/config/redis_url.hpp"

namespace signalbox {
namespace {

bool is_broker_list(std::string_view text) {
  const auto brokers = split_list(text);
  for (const std::string& broker : brokers) {
    const std::size_t colon = broker.rfind(':');
    const auto host = std::string_view{broker}.substr(0, colon);
    if (!is_host(host)) return false;
    // `[::1]` and `kafka` have no port; librdkafka then takes 9092.
    if (colon == std::string::npos || broker.ends_with(']')) continue;
    const auto port = parse_integer(std::string_view{broker}.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return false;
  }
  return !brokers.empty();
}

/// REDIS_URL wins over the parts it holds; what it leaves out stays as REDIS_PASSWORD and REDIS_DB
/// say.
void apply_redis_url(RedisConfig& config, ConfigCheck& check) {
  if (config.url.empty()) return;
  const auto url = parse_redis_url(config.url.reveal());
  if (!url) {
    check.problem("REDIS_URL: " + url.error());
    return;
  }
  config.host = url->host;
  config.port = url->port;
  config.username = url->username;
  std::string overruled;
  const auto overrule = [&](std::string_view name) {
    if (check.is_given(name)) overruled += fmt::format("{}{}", overruled.empty() ? "" : " ", name);
  };
  overrule("REDIS_HOST");
  overrule("REDIS_PORT");
  if (url->password) {
    config.password = Secret{*url->password};
    overrule("REDIS_PASSWORD");
  }
  if (url->db) {
    config.db = *url->db;
    overrule("REDIS_DB");
  }
  check.note("redis_url_used",
             fmt::format("REDIS_URL names {}:{}, database {}{}", config.host, config.port,
                         config.db, overruled.empty() ? "" : "; it wins over " + overruled));
}

}  // namespace

void describe(CommonConfig& config, const ServicePort& where, Settings& settings) {
  settings.group("Every service");
  settings.choice<LogLevel>(config.log_level,
                            {{"DEBUG", LogLevel::Debug},
                             {"INFO", LogLevel::Info},
                             {"WARNING", LogLevel::Warning},
                             {"WARN", LogLevel::Warning},
                             {"ERROR", LogLevel::Error},
                             {"CRITICAL", LogLevel::Critical},
                             {"FATAL", LogLevel::Critical}},
                            {{"LOG_LEVEL"}, "log.level", "log-level"},
                            "Lines below this level are not written.");
  settings.directory(config.log_dir, {{"LOG_DIR"}, "log.directory"},
                     "Holds the rotating log file, 10 MB and five older ones; every line goes to "
                     "stdout as well. A directory that cannot be written costs one warning.");
  settings.secret(config.token, {{"SIGNALBOX_TOKEN"}, "token"},
                  "Requests that change state must carry it. Without one they are answered to "
                  "loopback peers only.");
  settings.group("HTTP");
  SettingNames port_names{{}, where.table + ".port", "port"};
  if (!where.variable.empty()) port_names.env = {where.variable};
  settings.port(config.port, port_names, "Port of /health, /live, /metrics and the rest.");
  settings.address(config.bind, {{}, where.table + ".bind", "bind"},
                   "Address to listen on; 0.0.0.0 is all of them.");
}

void describe(KafkaConfig& config, Settings& settings) {
  settings.group("Kafka");
  describe_brokers(config.broker, {{"KAFKA_BROKER"}, "kafka.broker"}, settings);
  settings.kafka_name(config.group_id, {{"KAFKA_GROUP_ID"}, "kafka.group_id"},
                      "First part of the names of the consumer groups. Replicas share it; it must "
                      "not change between starts.");
  settings.kafka_properties(config.properties);
}

void describe(RedisConfig& config, Settings& settings) {
  settings.group("Redis");
  settings.secret(config.url, {{"REDIS_URL"}, "redis.url"},
                  "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]; wins over the settings below, and "
                  "says so in the log.");
  settings.host(config.host, {{"REDIS_HOST"}, "redis.host"}, "Host of Redis.");
  settings.port(config.port, {{"REDIS_PORT"}, "redis.port"}, "Port of Redis.");
  settings.secret(config.password, {{"REDIS_PASSWORD"}, "redis.password"}, "Password of Redis.");
  settings.integer<int>(config.db, {.min = 0, .max = 16383}, {{"REDIS_DB"}, "redis.db"},
                        "Number of the database in Redis.");
  settings.check([&config](ConfigCheck& check) { apply_redis_url(config, check); });
}

void describe(PostgresConfig& config, Settings& settings) {
  settings.group("PostgreSQL");
  describe_postgres_server(config,
                           {.host = {"PGHOST"},
                            .port = {"PGPORT"},
                            .user = {"PGUSER"},
                            .password = {"PGPASSWORD"},
                            .database = {"PGDATABASE"}},
                           settings);
}

void describe_postgres_server(PostgresConfig& config, PostgresVariables names, Settings& settings) {
  Setting host;
  host.names = {std::move(names.host), "postgres.host", ""};
  host.documentation = "Host of PostgreSQL, or the directory of its socket.";
  host.accepted = "a host name, an address, or a directory that begins with /";
  host.default_text = config.host;
  host.assign = [&config](std::string_view text) {
    if (!is_host(trimmed(text)) && !trimmed(text).starts_with('/')) return Assigned::No;
    config.host = trimmed(text);
    return Assigned::Yes;
  };
  settings.custom(std::move(host));
  settings.port(config.port, {std::move(names.port), "postgres.port"}, "Port of PostgreSQL.");
  settings.text(config.user, {std::move(names.user), "postgres.user"}, "Role to connect as.");
  settings.secret(config.password, {std::move(names.password), "postgres.password"},
                  "Password of the role.", config.password.reveal());
  settings.text(config.database, {std::move(names.database), "postgres.database"},
                "Name of the database.");
}

void describe_brokers(std::string& brokers, SettingNames names, Settings& settings) {
  Setting setting;
  setting.names = std::move(names);
  setting.documentation = "The Kafka brokers to ask first.";
  setting.accepted = "a comma-separated list of HOST:PORT";
  setting.default_text = brokers;
  setting.assign = [&brokers](std::string_view text) {
    if (!is_broker_list(text)) return Assigned::No;
    brokers = fmt::format("{}", fmt::join(split_list(text), ","));
    return Assigned::Yes;
  };
  settings.custom(std::move(setting));
}

void describe_instance_id(std::optional<std::string>& instance_id, Settings& settings) {
  Setting instance;
  instance.names = {{"INSTANCE_ID"}, "kafka.instance_id", ""};
  instance.documentation =
      "Makes this replica a static member of its groups: a quick restart moves no partition. Must "
      "differ between replicas.";
  instance.accepted = "letters, digits, `.`, `_`, `-`, at most 249";
  instance.assign = [&instance_id](std::string_view text) {
    if (!is_kafka_name(trimmed(text))) return Assigned::No;
    instance_id = std::string{trimmed(text)};
    return Assigned::Yes;
  };
  settings.custom(std::move(instance));
}

}  // namespace signalbox
