#include "app/dispatcher_parts.hpp"

#include <unistd.h>

#include <memory>
#include <utility>

#include "adapters/kafka_dead_letters.hpp"
#include "adapters/kafka_source.hpp"
#include "adapters/postgres_sink.hpp"
#include "adapters/redis_sink.hpp"
#include "adapters/wire_json.hpp"
#include "app/kafka_lane.hpp"
#include "domain/dead_letter.hpp"
#include "domain/routing.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kDeadLetterTopic = "signalbox.dead-letters";

bool is_priority_lane(const LanePlace& place) { return place.urgency == Urgency::Priority; }

std::vector<std::string> patterns_of(const DispatcherConfig& config, const LanePlace& place) {
  std::vector<std::string> patterns =
      is_priority_lane(place) ? priority_patterns() : market_data_patterns(config.symbols);
  patterns.push_back(exactly(replay_topic(place.name)));
  // The table of dead letters is made from their topic, behind the candles: a flood of rejects
  // must not hold up a signal.
  if (place.sink == LaneName::Postgres && !is_priority_lane(place)) {
    patterns.push_back(exactly(kDeadLetterTopic));
  }
  return patterns;
}

/// Two members of a group with one client id confuse the assignor.
std::string client_id(const DispatcherConfig& config, const LanePlace& place) {
  const std::string instance =
      config.instance_id.value_or(std::to_string(static_cast<long>(getpid())));
  return group_prefix(config) + "-" + place.label + "-" + instance;
}

std::unique_ptr<Sink> make_sink(const DispatcherConfig& config, const LanePlace& place) {
  const bool shadow = config.mode == RunMode::Shadow;
  if (place.sink == LaneName::Redis) {
    RedisSinkOptions options{
        .redis = redis_options(config, "signalbox-" + place.label),
        .group = group_of(config, place),
        .last_values = config.redis_last_values ? LastValues::On : LastValues::Off,
        .mode = shadow ? RedisSinkMode::Shadow : RedisSinkMode::Live};
    if (config.redis_streams) options.stream_length_max = config.redis_stream_maxlen;
    options.shadow_stream_length_max = config.redis_stream_maxlen;
    return std::make_unique<RedisSink>(std::move(options));
  }
  return std::make_unique<PostgresSink>(
      PostgresSinkOptions{.postgres = postgres_options(config, "signalbox-" + place.label),
                          .group = group_of(config, place),
                          .candle_table = shadow ? CandleTable::Shadow : CandleTable::MarketData});
}

}  // namespace

std::vector<LanePlace> lane_places(const DispatcherConfig& config) {
  const std::string shadow = config.mode == RunMode::Shadow ? "shadow-" : "";
  std::vector<LanePlace> places;
  for (const LaneName sink : {LaneName::Redis, LaneName::Postgres}) {
    if (!config.runs(sink)) continue;
    const std::string name = shadow + (sink == LaneName::Redis ? "redis" : "postgres");
    const std::string priority = name + "-priority";
    places.push_back({sink, Urgency::Priority, priority, priority});
    const unsigned loops = sink == LaneName::Postgres ? config.postgres_loops : 1;
    for (unsigned loop = 1; loop <= loops; ++loop) {
      const std::string label = loop == 1 ? name : name + "-" + std::to_string(loop);
      places.push_back({sink, Urgency::Background, name, label});
    }
  }
  return places;
}

std::string group_prefix(const DispatcherConfig& config) { return config.kafka.group_id; }

std::string group_of(const DispatcherConfig& config, const LanePlace& place) {
  return group_prefix(config) + "-" + place.name;
}

LaneParts make_lane(const DispatcherConfig& config, const LanePlace& place) {
  auto source = std::make_unique<KafkaSource>(KafkaSourceOptions{
      .connection = kafka_connection(config, client_id(config, place)),
      .group_id = group_of(config, place),
      .group_instance_id = config.instance_id
                               ? std::optional{*config.instance_id + "-" + place.label}
                               : std::nullopt,
      .topics = patterns_of(config, place),
      .handover_max_bytes = config.handover_max_bytes});
  LaneParts parts;
  parts.sink_name = place.sink == LaneName::Redis ? "redis" : "postgres";
  parts.log_name = "kafka";
  parts.options = {.name = place.name,
                   .label = place.label,
                   .first_start = config.first_start(place.sink),
                   .poll = {.messages = config.batch_max},
                   .seed = static_cast<std::uint64_t>(getpid())};
  parts.report_source = [&status_of = *source] { return report_of(status_of); };
  parts.leave_log = [&leaving = *source] { leaving.leave(); };
  parts.source = std::move(source);
  parts.sink = make_sink(config, place);
  parts.dead_letters = std::make_unique<KafkaDeadLetters>(KafkaDeadLettersOptions{
      .connection = kafka_connection(config, client_id(config, place) + "-letters")});
  parts.reader = std::make_unique<JsonPayloadReader>();
  return parts;
}

KafkaConnection kafka_connection(const DispatcherConfig& config, const std::string& client_id) {
  KafkaConnection connection{.brokers = config.kafka.broker, .client_id = client_id};
  for (const auto& [name, value] : config.kafka.properties) {
    connection.properties.insert_or_assign(name, value);
  }
  return connection;
}

RedisOptions redis_options(const DispatcherConfig& config, const std::string& client_name) {
  return {.host = config.redis.host,
          .port = config.redis.port,
          .user = config.redis.username,
          .password = config.redis.password.reveal(),
          .database = config.redis.db,
          .client_name = client_name};
}

PostgresOptions postgres_options(const DispatcherConfig& config,
                                 const std::string& application_name) {
  return {.host = config.postgres.host,
          .port = config.postgres.port,
          .user = config.postgres.user,
          .password = config.postgres.password.reveal(),
          .database = config.postgres.database,
          .application_name = application_name};
}

}  // namespace signalbox
