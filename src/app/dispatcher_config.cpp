#include "app/dispatcher_config.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "domain/routing.hpp"

namespace signalbox {
namespace {

using std::chrono::days;

/// Trimmed, in lower case, each once; nothing when one of them cannot be a symbol.
std::optional<std::vector<std::string>> parse_symbols(std::string_view text) {
  std::vector<std::string> symbols;
  for (const std::string& part : split_list(text)) {
    std::string symbol = lower_case(part);
    if (!is_symbol(symbol)) return std::nullopt;
    if (std::find(symbols.begin(), symbols.end(), symbol) == symbols.end()) {
      symbols.push_back(std::move(symbol));
    }
  }
  return symbols;
}

void describe_input(DispatcherConfig& config, Settings& settings) {
  describe(config.kafka, settings);
  settings.choice<std::optional<StartAt>>(
      config.auto_offset_reset, {{"latest", StartAt::Latest}, {"earliest", StartAt::Earliest}},
      {{"KAFKA_AUTO_OFFSET_RESET"}, "kafka.auto_offset_reset"},
      "Where a group's very first start begins. Unset: latest for Redis, earliest for PostgreSQL. "
      "A "
      "partition that appears later is always read from its beginning.");
  Setting symbols;
  symbols.names = {{"SYMBOLS", "TRADING_SYMBOLS"}, "symbols", ""};
  symbols.kind = SettingKind::List;
  symbols.documentation = "Symbols whose market data is read, in any case; unset: all.";
  symbols.accepted = "a comma-separated list of symbols of letters and digits, 20 at most each";
  symbols.assign = [&config](std::string_view text) {
    auto parsed = parse_symbols(text);
    if (!parsed) return Assigned::No;
    config.symbols = std::move(*parsed);
    return Assigned::Yes;
  };
  settings.custom(std::move(symbols));
  describe_instance_id(config.instance_id, settings);
}

void describe_lanes(DispatcherConfig& config, Settings& settings) {
  settings.group("Lanes");
  settings.choices<LaneName>(config.lanes,
                             {{"redis", LaneName::Redis}, {"postgres", LaneName::Postgres}},
                             {{"LANES"}, "dispatcher.lanes"}, "The lanes that this process runs.");
  settings.integer<std::size_t>(config.batch_max, {.min = 1, .max = 10'000},
                                {{"BATCH_MAX"}, "dispatcher.batch_max"},
                                "Messages that one write carries at most.");
  settings.integer<std::size_t>(
      config.handover_max_bytes, {.min = 4'194'304, .max = 1'073'741'824},
      {{"HANDOVER_MAX_BYTES"}, "dispatcher.handover_max_bytes"},
      "Bytes that one consumer holds for a slow sink before it pauses its partitions.");
  Setting shadow;
  shadow.names = {{}, "dispatcher.shadow", "shadow"};
  shadow.kind = SettingKind::Switch;
  shadow.documentation =
      "Run beside the original, with groups, keys and tables of its own, and touch nothing that "
      "anybody else reads.";
  shadow.accepted = "true or false";
  shadow.default_text = "false";
  shadow.assign = [&config](std::string_view text) {
    const auto is_shadow = parse_boolean(text);
    if (!is_shadow) return Assigned::No;
    config.mode = *is_shadow ? RunMode::Shadow : RunMode::Live;
    return Assigned::Yes;
  };
  settings.custom(std::move(shadow));
}

void describe_redis(DispatcherConfig& config, Settings& settings) {
  describe(config.redis, settings);
  settings.boolean(config.redis_streams, {{"REDIS_STREAMS"}, "redis.streams"},
                   "Also append each message to a bounded stream per channel.");
  settings.integer<std::size_t>(config.redis_stream_maxlen, {.min = 1, .max = 10'000'000},
                                {{"REDIS_STREAM_MAXLEN"}, "redis.stream_maxlen"},
                                "Entries that a stream keeps, about.");
  settings.boolean(config.redis_last_values, {{"REDIS_LAST_VALUES"}, "redis.last_values"},
                   "Also keep the last message of each channel under a key.");
}

void describe_postgres(DispatcherConfig& config, Settings& settings) {
  describe(config.postgres, settings);
  settings.integer<unsigned>(config.postgres_loops, {.min = 1, .max = 8},
                             {{"POSTGRES_LOOPS"}, "postgres.loops"},
                             "Market-data loops of the PostgreSQL lane, each with a connection.");
  settings.days(config.retention, {.min = days{1}, .max = days{36'500}},
                {{"RETENTION_DAYS"}, "postgres.retention_days"},
                "Age at which `signalbox prune` removes rows of signals, orders and executions.");
  settings.days(config.dead_letter_retention, {.min = days{1}, .max = days{36'500}},
                {{"DEAD_LETTER_RETENTION_DAYS"}, "postgres.dead_letter_retention_days"},
                "Age at which `signalbox prune` removes dead letters.");
}

}  // namespace

bool DispatcherConfig::runs(LaneName lane) const {
  return std::find(lanes.begin(), lanes.end(), lane) != lanes.end();
}

StartAt DispatcherConfig::first_start(LaneName lane) const {
  return auto_offset_reset.value_or(lane == LaneName::Redis ? StartAt::Latest : StartAt::Earliest);
}

void describe(DispatcherConfig& config, Settings& settings) {
  describe(config.common, {.variable = "DISPATCHER_PORT", .table = "dispatcher"}, settings);
  describe_input(config, settings);
  describe_lanes(config, settings);
  describe_redis(config, settings);
  describe_postgres(config, settings);
}

Settings describe(DispatcherConfig& config) {
  Settings settings{"dispatcher",
                    "Brings every Kafka message to its Redis channel and its table, in order, none "
                    "lost."};
  describe(config, settings);
  return settings;
}

}  // namespace signalbox
