#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/common_config.hpp"
#include "app/config/settings.hpp"
#include "domain/busy_rules.hpp"
#include "domain/fence.hpp"
#include "domain/run_status.hpp"
#include "services/trigger_desk.hpp"

namespace signalbox {

/// What a queue that lost everything costs: the signals of the last minutes again, or nothing.
enum class OnAmnesia : std::uint8_t { Rewind, Skip };

/// Everything the trigger can be told, with the values it ships with.
struct TriggerConfig {
  CommonConfig common{.port = 8001};

  std::string kafka_servers = "kafka:9092";
  std::string topic = "trading-signals";
  std::string group = "trigger-dispatcher";
  StartAt auto_offset_reset = StartAt::Latest;
  std::optional<std::string> instance_id;
  KafkaPassThrough kafka_properties;

  std::uint64_t batch_size = 20;
  std::chrono::milliseconds batch_timeout{500};
  double db_queries_per_second = 30;

  std::chrono::milliseconds cache_refresh_every{30'000};
  std::chrono::milliseconds cache_max_age{0};  ///< 0: ten refresh intervals

  bool allow_backtest_signals = false;
  MarketHoursBy market_hours = MarketHoursBy::Now;
  std::chrono::milliseconds signal_max_age{600'000};

  std::vector<std::string> blocking_statuses{kBlockingStatuses.begin(), kBlockingStatuses.end()};
  BusyRule when_busy{};
  std::vector<BusyOverride> busy_overrides;

  PostgresConfig postgres{.host = "postgres",
                          .port = 5432,
                          .user = "dev",
                          .password = Secret{"devpass"},
                          .database = "trading_platform"};

  Secret broker_url{"redis://redis:6379/0"};
  Secret result_url;  ///< empty: the broker's
  std::string task_name = "app.orchestration.tasks.execute_pipeline";
  std::string queue = "celery";
  std::string backtest_queue = "backtest_pipeline_execution";
  std::chrono::milliseconds task_expires{600'000};
  std::chrono::milliseconds task_hard_limit{600'000};
  OnAmnesia on_amnesia = OnAmnesia::Rewind;
  bool allow_eviction = false;

  bool is_shadow = false;
  std::chrono::milliseconds compare_interval{3'600'000};  ///< of `trigger compare`

  /// The group that this process joins: a shadow has its own.
  std::string group_id() const { return is_shadow ? group + "-shadow" : group; }

  TriggerRules rules() const;
};

Settings describe(TriggerConfig& config);

/// The same settings for a command that works on a trigger's servers.
void describe(TriggerConfig& config, Settings& settings);

}  // namespace signalbox
