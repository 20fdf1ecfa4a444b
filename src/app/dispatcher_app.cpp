// `signalbox dispatcher`: which adapters each lane gets. The loop is services/delivery_lane.cpp.

#include <chrono>
#include <utility>

#include "adapters/postgres_schema.hpp"
#include "app/dispatcher_parts.hpp"
#include "app/lane_service.hpp"
#include "app/service_main.hpp"
#include "app/shutdown_signals.hpp"
#include "base/log.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::milliseconds kSchemaPatience{2'000};

/// A database that is away or still empty is waited for by its lane; one with another version of
/// our schema is no place to write to.
bool schema_fits(const DispatcherConfig& config) {
  if (!config.runs(LaneName::Postgres)) return true;
  PostgresOptions options = postgres_options(config, "signalbox-start");
  options.connect_timeout = kSchemaPatience;
  PostgresConnection connection{std::move(options)};
  try {
    const SchemaState state = check_schema(connection);
    if (state != SchemaState::Older && state != SchemaState::Newer) return true;
    log_critical("schema_does_not_fit", {{"advice", advice_for(state)}});
    return false;
  } catch (const IoError&) {
    return true;
  }
}

int serve(const Loaded<DispatcherConfig>& loaded) {
  const DispatcherConfig& config = loaded.config;
  ShutdownSignals signals;  // before any thread
  const LogSetup log{{.service = "dispatcher",
                      .level = config.common.log_level,
                      .console = LogConsole::Stdout,
                      .directory = config.common.log_dir}};
  log_info("starting", {{"version", SIGNALBOX_VERSION},
                        {"kafka", config.kafka.broker},
                        {"group", group_prefix(config)},
                        {"shadow", config.mode == RunMode::Shadow}});
  for (const ConfigNote& note : loaded.notes) log_info(note.event, {{"detail", note.detail}});
  if (!schema_fits(config)) return exit_status::kFailed;

  LaneService service{{.bind = config.common.bind,
                       .port = config.common.port,
                       .token = config.common.token.reveal()}};
  for (const LanePlace& place : lane_places(config)) {
    service.add_lane(place.label, place.urgency,
                     [&config, place] { return make_lane(config, place); });
  }
  service.start_http();
  service.run(signals, {});
  return exit_status::kStopped;
}

}  // namespace

int run_dispatcher(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<DispatcherConfig>(arguments, environment, serve);
}

}  // namespace signalbox
