#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/common_config.hpp"
#include "app/config/settings.hpp"
#include "domain/fence.hpp"

namespace signalbox {

/// A sink's lane that this process may run.
enum class LaneName : std::uint8_t { Redis, Postgres };

/// Whether this process replaces the original or runs beside it and touches nothing of its.
enum class RunMode : std::uint8_t { Live, Shadow };

/// Everything the dispatcher can be told, with the values it ships with.
struct DispatcherConfig {
  CommonConfig common{.port = 5004};
  KafkaConfig kafka;
  /// Where a group's very first start begins; absent: latest for Redis, earliest for PostgreSQL.
  std::optional<StartAt> auto_offset_reset;
  /// Lower case; empty: every symbol.
  std::vector<std::string> symbols;
  /// Static membership; absent: dynamic.
  std::optional<std::string> instance_id;
  std::vector<LaneName> lanes{LaneName::Redis, LaneName::Postgres};
  std::size_t batch_max = 2'000;
  std::size_t handover_max_bytes = 33'554'432;

  RedisConfig redis;
  bool redis_streams = false;
  std::size_t redis_stream_maxlen = 10'000;
  bool redis_last_values = false;

  PostgresConfig postgres;
  unsigned postgres_loops = 2;

  std::chrono::days retention{730};
  std::chrono::days dead_letter_retention{90};

  RunMode mode = RunMode::Live;

  bool runs(LaneName lane) const;

  /// Where the lane's group starts when it has never started before.
  StartAt first_start(LaneName lane) const;
};

/// The description: names, types, defaults, checks, documentation. Bound to `config`.
Settings describe(DispatcherConfig& config);

/// The same settings for a command that works on a dispatcher's servers.
void describe(DispatcherConfig& config, Settings& settings);

}  // namespace signalbox
