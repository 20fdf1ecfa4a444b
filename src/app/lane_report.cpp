#include "app/lane_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "domain/routing_note.hpp"

namespace signalbox {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kStartPatience{30};

double seconds_of(ReceivedAt time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

double milliseconds_of(std::chrono::microseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

json time_or_null(ReceivedAt time) {
  return time == ReceivedAt{} ? json(nullptr) : json(iso_utc(time));
}

bool is_priority_lane(const LaneView& lane) { return lane.status.name.ends_with("-priority"); }

bool works(const LaneView& lane) {
  return lane.status.sink.is_up && lane.status.log.is_up && lane.source.is_connected;
}

bool has_concern(const LaneView& lane) {
  return !lane.status.warnings.empty() || lane.status.lost_to_retention != 0;
}

json state_json(bool is_up, ReceivedAt since, const std::string& last_error) {
  json state{{"state", is_up ? "up" : "down"}, {"since", time_or_null(since)}};
  state["last_error"] = last_error.empty() ? json(nullptr) : json(last_error);
  return state;
}

json counters_json(const LaneCounters& counters) {
  json reasons = json::object();
  for (std::size_t i = 0; i < kRejectReasonCount; ++i) {
    if (counters.rejected_by_reason[i] == 0) continue;
    reasons[name_of(static_cast<RejectReason>(i))] = counters.rejected_by_reason[i];
  }
  return {{"received", counters.received},     {"delivered", counters.delivered},
          {"superseded", counters.superseded}, {"rejected", counters.rejected},
          {"skipped", counters.skipped},       {"in_flight", counters.in_flight},
          {"publishes", counters.publishes},   {"receivers", counters.receivers},
          {"balanced", counters.balanced()},   {"rejected_by_reason", reasons}};
}

json warnings_json(const std::vector<SinkWarning>& warnings) {
  json list = json::array();
  for (const SinkWarning& warning : warnings) {
    list.push_back({{"code", warning.code}, {"text", warning.text}});
  }
  return list;
}

json lane_json(const LaneView& lane) {
  const double receivers_per_publish =
      lane.status.counters.publishes == 0 ? 0.0
                                          : static_cast<double>(lane.status.counters.receivers) /
                                                static_cast<double>(lane.status.counters.publishes);
  return {
      {"works", works(lane)},
      {"sink",
       state_json(lane.status.sink.is_up, lane.status.sink.since, lane.status.sink.last_error)},
      {"log",
       state_json(lane.status.log.is_up && lane.source.is_connected, lane.source.since,
                  lane.status.log.is_up ? lane.source.last_error : lane.status.log.last_error)},
      {"counters", counters_json(lane.status.counters)},
      {"lag", lane.source.lag},
      {"received_per_second", lane.received_per_second},
      {"delay_ms",
       {{"p50", milliseconds_of(lane.delays.quantile(0.5))},
        {"p99", milliseconds_of(lane.delays.quantile(0.99))},
        {"count", lane.delays.count()}}},
      {"receivers_per_publish", receivers_per_publish},
      {"partitions", lane.status.partitions},
      {"waiting_partitions", lane.status.waiting_partitions},
      {"rebalances", lane.source.rebalances},
      {"paused", lane.source.is_paused},
      {"handover_messages", lane.source.handover_messages},
      {"handover_bytes", lane.source.handover_bytes},
      {"last_delivery", time_or_null(lane.status.last_delivery)},
      {"lost_to_retention", lane.status.lost_to_retention},
      {"alarms", lane.status.alarms},
      {"last_alarm", lane.status.last_alarm.empty() ? json(nullptr) : json(lane.status.last_alarm)},
      {"warnings", warnings_json(lane.status.warnings)}};
}

/// The original counts a message once. Both lanes see all of them: the first kind of sink stands
/// for the service.
std::vector<const LaneView*> counted_lanes(const ServiceView& view) {
  std::vector<const LaneView*> lanes;
  for (const LaneView& lane : view.lanes) {
    if (lane.sink_name == view.lanes.front().sink_name) lanes.push_back(&lane);
  }
  return lanes;
}

json original_stats(const ServiceView& view) {
  LaneCounters sum;
  std::uint64_t queued = 0;
  std::uint64_t queued_priority = 0;
  for (const LaneView* lane : counted_lanes(view)) {
    const LaneCounters& counters = lane->status.counters;
    sum.received += counters.received;
    sum.delivered += counters.delivered + counters.superseded;
    sum.rejected += counters.rejected;
    sum.skipped += counters.skipped;
    sum.urgent += counters.urgent;
    (is_priority_lane(*lane) ? queued_priority : queued) +=
        lane->source.handover_messages + counters.in_flight;
  }
  const double uptime = std::chrono::duration<double>(view.now - view.started).count();
  const auto per_second = [&](std::uint64_t count) {
    return uptime > 0 ? static_cast<double>(count) / uptime : 0.0;
  };
  const std::uint64_t wanted = sum.received - sum.skipped;
  const double success =
      wanted == 0 ? 0.0 : 100.0 * static_cast<double>(sum.delivered) / static_cast<double>(wanted);
  return {{"messages_received", sum.received},
          {"messages_routed", sum.delivered},
          {"high_priority_routed", sum.urgent},
          {"messages_queued", queued + queued_priority},
          {"queue_processed", sum.delivered},
          {"errors", sum.rejected},
          {"last_reset", seconds_of(view.started)},
          {"uptime", uptime},
          {"queue_size", queued},
          {"high_priority_queue_size", queued_priority},
          {"messages_per_second", per_second(sum.delivered)},
          {"high_priority_per_second", per_second(sum.urgent)},
          {"success_rate", success}};
}

/// One entry a dependency: down when any lane finds it down, since the longest.
json dependencies_json(const ServiceView& view) {
  json dependencies = json::object();
  const auto add = [&](const std::string& name, bool is_up, ReceivedAt since,
                       const std::string& error) {
    if (dependencies.contains(name) && (is_up || dependencies[name]["state"] == "down")) return;
    dependencies[name] = state_json(is_up, since, error);
  };
  for (const LaneView& lane : view.lanes) {
    const bool log_up = lane.status.log.is_up && lane.source.is_connected;
    add(lane.log_name, log_up, lane.source.since,
        lane.source.last_error.empty() ? lane.status.log.last_error : lane.source.last_error);
    add(lane.sink_name, lane.status.sink.is_up, lane.status.sink.since,
        lane.status.sink.last_error);
  }
  return dependencies;
}

json concerns_json(const ServiceView& view) {
  json concerns = json::array();
  for (const LaneView& lane : view.lanes) {
    if (!works(lane)) {
      const bool sink_down = !lane.status.sink.is_up;
      concerns.push_back(
          {{"lane", lane.status.name},
           {"code", sink_down ? "SINK_DOWN" : "LOG_DOWN"},
           {"text", sink_down ? lane.status.sink.last_error : lane.source.last_error}});
    }
    for (const SinkWarning& warning : lane.status.warnings) {
      concerns.push_back(
          {{"lane", lane.status.name}, {"code", warning.code}, {"text", warning.text}});
    }
    if (lane.status.lost_to_retention != 0) {
      concerns.push_back({{"lane", lane.status.name},
                          {"code", "GAP_UNACKNOWLEDGED"},
                          {"text", lane.status.last_alarm.empty()
                                       ? "messages were lost or repeated; POST /gaps/acknowledge"
                                       : lane.status.last_alarm}});
    }
  }
  for (const ServiceConcern& concern : view.concerns) {
    concerns.push_back({{"lane", nullptr}, {"code", concern.code}, {"text", concern.text}});
  }
  return concerns;
}

void add_details(json& body, const ServiceView& view) {
  if (!view.details_name.empty()) body[view.details_name] = json::parse(view.details);
}

std::string text_of(const json& body) {
  return body.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string_view name_of(Health health) {
  constexpr std::array<std::string_view, 5> names{"healthy", "degraded", "unhealthy", "starting",
                                                  "stopping"};
  return names[static_cast<std::size_t>(health)];
}

int http_status_of(Health health) {
  return health == Health::Healthy || health == Health::Degraded ? 200 : 503;
}

Health health_of(const ServiceView& view) {
  if (view.phase == ServicePhase::Stopping) return Health::Stopping;
  const auto working = std::ranges::count_if(view.lanes, works);
  const bool is_blocked = std::ranges::any_of(view.concerns, [](const ServiceConcern& concern) {
    return concern.weight == ServiceConcern::Weight::Blocks;
  });
  if (working == 0 || is_blocked) {
    const bool is_young = view.now - view.started < kStartPatience;
    const bool never_worked = std::ranges::all_of(
        view.lanes, [](const LaneView& lane) { return lane.status.last_delivery == ReceivedAt{}; });
    return is_young && never_worked ? Health::Starting : Health::Unhealthy;
  }
  const bool all_work = working == std::ssize(view.lanes);
  const bool concern = !view.concerns.empty() || std::ranges::any_of(view.lanes, has_concern);
  return all_work && !concern ? Health::Healthy : Health::Degraded;
}

HttpResponse health_answer(const ServiceView& view) {
  const Health health = health_of(view);
  const json stats = original_stats(view);
  json body{{"status", name_of(health)},
            {"timestamp", seconds_of(view.now)},
            {"uptime", stats["uptime"]},
            {"stats", stats},
            {"dependencies", dependencies_json(view)},
            {"concerns", concerns_json(view)}};
  add_details(body, view);
  return {.status = http_status_of(health), .body = text_of(body)};
}

HttpResponse diagnostic_answer(const ServiceView& view) {
  const json stats = original_stats(view);
  const json dependencies = dependencies_json(view);
  json connections = json::object();
  for (const auto& [name, state] : dependencies.items()) {
    connections[name] = state["state"] == "up" ? "connected" : "disconnected";
  }
  json lanes = json::object();
  json fences = json::array();
  std::set<std::string> topics;
  for (const LaneView& lane : view.lanes) {
    lanes[lane.status.name] = lane_json(lane);
    topics.insert(lane.source.topics.begin(), lane.source.topics.end());
    for (const auto& [partition, fence] : lane.status.fences) {
      fences.push_back({{"lane", lane.status.name},
                        {"topic", partition.topic},
                        {"partition", partition.partition},
                        {"next", fence.next.value},
                        {"seq", fence.seq},
                        {"epoch", fence.epoch},
                        {"gap", fence.gap}});
    }
  }
  const bool is_stopping = view.phase == ServicePhase::Stopping;
  json body{{"status", is_stopping ? "stopping" : "operational"},
            {"timestamp", seconds_of(view.now)},
            {"uptime", stats["uptime"]},
            {"health", name_of(health_of(view))},
            {"connections", connections},
            {"dependencies", dependencies},
            {"topics", topics},
            {"stats", stats},
            {"lanes", lanes},
            {"fences", fences},
            {"concerns", concerns_json(view)}};
  add_details(body, view);
  return {.status = 200, .body = text_of(body)};
}

}  // namespace signalbox
