// `signalbox up`: the same lanes and the same services on embedded parts, fed with a recording.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

#include "app/lane_service.hpp"
#include "app/service_main.hpp"
#include "app/shutdown_signals.hpp"
#include "app/up_config.hpp"
#include "app/up_parts.hpp"
#include "app/up_trigger.hpp"
#include "base/log.hpp"
#include "domain/routing_note.hpp"

namespace signalbox {
namespace {

/// One line that lives on a terminal below what the workers have done, or a line every five seconds
/// where there is none.
class LiveLine {
 public:
  void show(const ServiceView& view, const MarketPlayerStatus& market, UpTrigger& trigger) {
    const bool is_terminal = isatty(STDOUT_FILENO) == 1;
    const WorkDone work = trigger.done().with([](WorkDone& done) {
      WorkDone now = done;
      done.news.clear();
      return now;
    });
    for (const std::string& line : work.news) {
      std::printf("%s%s\n", is_terminal ? "\r\033[K" : "", line.c_str());
    }
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
    const TriggerCounters counters = trigger.counters();
    const std::uint64_t tasks =
        counters.of(TriggerOutcome::Enqueued) + counters.after_held_of(TriggerOutcome::Enqueued);
    std::printf(
        "%srecorded %s  %4.0f msg/s  delivered %llu  rejected %llu  lag %lld  signals %llu"
        "  tasks %llu  runs %llu  %s%s",
        is_terminal ? "\r\033[K" : "", played_at.c_str(), rate,
        static_cast<unsigned long long>(delivered), static_cast<unsigned long long>(rejected),
        static_cast<long long>(behind), static_cast<unsigned long long>(counters.signals),
        static_cast<unsigned long long>(tasks), static_cast<unsigned long long>(work.runs),
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
  EmbeddedParts parts{config.data};
  std::optional<UpTrigger> trigger;  // outlives the service, whose lane works with it
  LaneService service{{.bind = config.common.bind,
                       .port = config.common.port,
                       .token = config.common.token.reveal()}};
  for (const EmbeddedLane& lane : embedded_lanes()) {
    service.add_lane(lane.name, lane.urgency,
                     [&parts, lane] { return make_embedded_lane(parts, lane); });
  }
  trigger.emplace(parts, service.metrics());
  trigger->add_to(service);
  service.start_http();
  trigger->start();
  const Market market{parts, config.speed};
  std::printf(
      "signalbox %s: recorded candles (January 2018) at %g times their speed\n"
      "  http://%s:%u/health  /diagnostic  /metrics  /runs      log: %s/up.log\n"
      "  data: %s      Ctrl-C stops\n",
      SIGNALBOX_VERSION, config.speed, config.common.bind.c_str(),
      static_cast<unsigned>(service.http().port()), config.common.log_dir.c_str(),
      config.data.c_str());
  LiveLine line;
  service.run(signals,
              [&](const ServiceView& view) { line.show(view, market.status(), *trigger); });
  trigger->request_stop();
  std::printf("\nstopped\n");
  return exit_status::kStopped;
}

}  // namespace

int run_up(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<UpConfig>(arguments, environment, serve);
}

}  // namespace signalbox
