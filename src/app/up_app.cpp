// `signalbox up`: the same lanes and the same service on embedded parts, fed with a recording.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "adapters/embedded_bus.hpp"
#include "adapters/embedded_bus_sink.hpp"
#include "adapters/embedded_log.hpp"
#include "adapters/embedded_producer.hpp"
#include "adapters/embedded_source.hpp"
#include "adapters/recorded_candles.hpp"
#include "adapters/sqlite_sink.hpp"
#include "adapters/system_clock.hpp"
#include "adapters/wire_json.hpp"
#include "app/lane_service.hpp"
#include "app/service_main.hpp"
#include "app/shutdown_signals.hpp"
#include "base/log.hpp"
#include "domain/routing_note.hpp"
#include "services/market_player.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::milliseconds kRecordedPeriod = std::chrono::minutes{5};

/// The embedded parts in one directory.
struct EmbeddedParts {
  explicit EmbeddedParts(const UpConfig& config)
      : directory(config.data), log({.file = config.data / "log.db"}) {}

  std::filesystem::path directory;
  SystemClock clock;
  EmbeddedLog log;
  EmbeddedBus bus;
};

enum class EmbeddedSinkKind : std::uint8_t { Bus, Sqlite };

struct EmbeddedLane {
  EmbeddedSinkKind sink;
  Urgency urgency;
  std::string name;
};

std::vector<EmbeddedLane> embedded_lanes() {
  return {{EmbeddedSinkKind::Bus, Urgency::Priority, "bus-priority"},
          {EmbeddedSinkKind::Bus, Urgency::Background, "bus"},
          {EmbeddedSinkKind::Sqlite, Urgency::Priority, "sqlite-priority"},
          {EmbeddedSinkKind::Sqlite, Urgency::Background, "sqlite"}};
}

std::vector<std::string> topics_of(const EmbeddedLane& lane) {
  std::vector<std::string> topics =
      lane.urgency == Urgency::Priority ? priority_patterns() : market_data_patterns({});
  if (lane.name == "sqlite") topics.emplace_back("signalbox.dead-letters");
  return topics;
}

/// Tells how far a group is behind. It reads through a source of its own that never polls, and so
/// never joins the group: the lane's source belongs to the lane's thread.
class GroupReporter {
 public:
  GroupReporter(EmbeddedParts& parts, const EmbeddedSourceOptions& options)
      : source_(parts.log, parts.clock, options) {}

  SourceReport report() {
    const std::lock_guard lock{mutex_};
    SourceReport report;
    std::set<std::string> topics;
    try {
      for (const auto& [partition, range] : source_.ranges(source_.all_partitions())) {
        report.lag += range.end.value - range.committed.value_or(range.begin).value;
        ++report.assigned_partitions;
        topics.insert(partition.topic);
      }
      report.is_connected = true;
    } catch (const IoError& error) {
      report.last_error = error.what();
    }
    report.topics.assign(topics.begin(), topics.end());
    return report;
  }

 private:
  std::mutex mutex_;
  EmbeddedSource source_;
};

LaneParts make_embedded_lane(EmbeddedParts& parts, const EmbeddedLane& lane) {
  const std::string group = "up-" + lane.name;
  const EmbeddedSourceOptions options{.group = group, .topics = topics_of(lane)};
  LaneParts made;
  made.sink_name = lane.sink == EmbeddedSinkKind::Bus ? "bus" : "sqlite";
  made.log_name = "log";
  made.options = {.name = lane.name, .label = lane.name, .first_start = StartAt::Earliest};
  // Shared because a std::function must be copyable; the lane unit holds the only copy.
  const auto reporter = std::make_shared<GroupReporter>(parts, options);
  made.report_source = [reporter] { return reporter->report(); };
  made.source = std::make_unique<EmbeddedSource>(parts.log, parts.clock, options);
  if (lane.sink == EmbeddedSinkKind::Bus) {
    made.sink = std::make_unique<EmbeddedBusSink>(
        parts.bus, EmbeddedBusSinkOptions{.file = parts.directory / "channels.db", .group = group});
  } else {
    made.sink = std::make_unique<SqliteSink>(
        SqliteSinkOptions{.file = parts.directory / "tables.db", .group = group});
  }
  made.dead_letters = std::make_unique<EmbeddedDeadLetters>(parts.log);
  made.reader = std::make_unique<JsonPayloadReader>();
  return made;
}

/// The recording, its player and the thread that plays.
class Market {
 public:
  Market(EmbeddedParts& parts, double speed)
      : recording_(RecordedCandles::built_in()),
        producer_(parts.log),
        places_(parts.log, parts.clock,
                {.group = "up-player", .topics = {std::string(kPlayerTopic)}}),
        player_({.producer = producer_, .places = places_, .clock = parts.clock},
                recording_.candles(), {.pace = pace_of(speed)}),
        thread_([this](std::stop_token stop) { player_.run(stop); }) {}

  MarketPlayerStatus status() const { return player_.status(); }

 private:
  static std::chrono::milliseconds pace_of(double speed) {
    const double pace = static_cast<double>(kRecordedPeriod.count()) / speed;
    return std::chrono::milliseconds{std::max<std::int64_t>(1, static_cast<std::int64_t>(pace))};
  }

  RecordedCandles recording_;
  EmbeddedProducer producer_;
  EmbeddedSource places_;
  MarketPlayer player_;
  std::jthread thread_;
};

/// One line that lives on a terminal, or a line every five seconds where there is none.
class LiveLine {
 public:
  void show(const ServiceView& view, const MarketPlayerStatus& market) {
    const bool is_terminal = isatty(STDOUT_FILENO) == 1;
    if (!is_terminal && ++seconds_ % 5 != 1) return;
    std::uint64_t delivered = 0;
    std::uint64_t rejected = 0;
    std::int64_t behind = 0;
    double rate = 0;
    for (const LaneView& lane : view.lanes) {
      const LaneCounters& counters = lane.status.counters;
      rejected += counters.rejected;
      if (lane.sink_name != "bus") continue;
      delivered += counters.delivered;
      rate += lane.received_per_second;
      behind += lane.source.lag;
    }
    const std::string played_at = iso_utc(market.open_time).substr(0, 16);
    std::printf("%srecorded %s  %6.0f msg/s  delivered %llu  rejected %llu  lag %lld  %s%s",
                is_terminal ? "\r\033[K" : "", played_at.c_str(), rate,
                static_cast<unsigned long long>(delivered),
                static_cast<unsigned long long>(rejected), static_cast<long long>(behind),
                std::string(name_of(health_of(view))).c_str(), is_terminal ? "" : "\n");
    std::fflush(stdout);
  }

 private:
  int seconds_ = 0;
};

int serve(const Loaded<UpConfig>& loaded) {
  const UpConfig& config = loaded.config;
  ShutdownSignals signals;  // before any thread
  const LogSetup log{{.service = "up",
                      .level = config.common.log_level,
                      .console = LogConsole::None,
                      .directory = config.common.log_dir}};
  std::filesystem::create_directories(config.data);
  EmbeddedParts parts{config};
  LaneService service{{.bind = config.common.bind,
                       .port = config.common.port,
                       .token = config.common.token.reveal()}};
  for (const EmbeddedLane& lane : embedded_lanes()) {
    service.add_lane(lane.name, lane.urgency,
                     [&parts, lane] { return make_embedded_lane(parts, lane); });
  }
  service.start_http();
  const Market market{parts, config.speed};
  std::printf(
      "signalbox %s: recorded candles (January 2018) at %g times their speed\n"
      "  http://%s:%u/health  /diagnostic  /metrics      log: %s/up.log\n"
      "  data: %s      Ctrl-C stops\n",
      SIGNALBOX_VERSION, config.speed, config.common.bind.c_str(),
      static_cast<unsigned>(service.http().port()), config.common.log_dir.c_str(),
      config.data.c_str());
  LiveLine line;
  service.run(signals, [&](const ServiceView& view) { line.show(view, market.status()); });
  std::printf("\nstopped\n");
  return exit_status::kStopped;
}

}  // namespace

int run_up(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<UpConfig>(arguments, environment, serve);
}

}  // namespace signalbox
