// `signalbox check`: for each dependency what is wrong and what to do, before anything is started.

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "adapters/kafka_probe.hpp"
#include "adapters/postgres_schema.hpp"
#include "adapters/postgres_sink.hpp"
#include "adapters/redis_sink.hpp"
#include "app/command.hpp"
#include "app/dispatcher_parts.hpp"
#include "app/findings.hpp"
#include "app/operator_config.hpp"
#include "app/service_main.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::milliseconds kPatience{5'000};

void check_kafka_broker(const DispatcherConfig& config, Findings& findings) {
  const auto found = check_kafka(kafka_connection(config, "signalbox-check"), kPatience);
  if (!found) {
    findings.add(Verdict::Bad, "kafka",
                 config.kafka.broker + ": " + found.error() + " (KAFKA_BROKER says where it is)");
    return;
  }
  findings.add(Verdict::Good, "kafka",
               config.kafka.broker + ": " + std::to_string(found->brokers.size()) +
                   " broker(s), cluster " + found->cluster_id);
}

void check_warnings(Sink& sink, const char* subject, Findings& findings) {
  for (const SinkWarning& warning : sink.inspect()) {
    findings.add(Verdict::Warning, subject, warning.code + ": " + warning.text);
  }
}

void check_redis(const DispatcherConfig& config, Findings& findings) {
  const std::string place = config.redis.host + ":" + std::to_string(config.redis.port);
  try {
    RedisSink sink{{.redis = redis_options(config, "signalbox-check"), .group = "check"}};
    sink.ping();
    findings.add(Verdict::Good, "redis", place + " answers");
    check_warnings(sink, "redis", findings);
  } catch (const IoError& error) {
    findings.add(Verdict::Bad, "redis",
                 place + ": " + error.what() + " (REDIS_HOST, REDIS_PORT or REDIS_URL)");
  }
}

void check_postgres(const DispatcherConfig& config, Findings& findings) {
  const std::string place = config.postgres.host + ":" + std::to_string(config.postgres.port) +
                            "/" + config.postgres.database;
  try {
    PostgresConnection connection{postgres_options(config, "signalbox-check")};
    const SchemaState schema = check_schema(connection);
    findings.add(Verdict::Good, "postgres", place + " answers");
    if (schema != SchemaState::Ok) {
      findings.add(Verdict::Bad, "postgres", std::string(advice_for(schema)));
      return;
    }
    PostgresSink sink{{.postgres = postgres_options(config, "signalbox-check"), .group = "check"}};
    check_warnings(sink, "postgres", findings);
  } catch (const IoError& error) {
    findings.add(Verdict::Bad, "postgres",
                 place + ": " + error.what() + " (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE)");
  }
}

int check(const Loaded<OperatorConfigOf<kCheckCommand>>& loaded) {
  const DispatcherConfig& config = loaded.config.dispatcher;
  Findings findings;
  for (const ConfigNote& note : loaded.notes) {
    findings.add(Verdict::Warning, "config", note.event + ": " + note.detail);
  }
  findings.add(Verdict::Good, "config", "group " + group_prefix(config) + ", lanes:");
  for (const LanePlace& place : lane_places(config)) {
    std::printf("           %s\n", place.label.c_str());
  }
  check_kafka_broker(config, findings);
  if (config.runs(LaneName::Redis)) check_redis(config, findings);
  if (config.runs(LaneName::Postgres)) check_postgres(config, findings);
  return findings.status();
}

}  // namespace

int run_check(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<OperatorConfigOf<kCheckCommand>>(arguments, environment, check);
}

}  // namespace signalbox
