#include "app/up_parts.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "adapters/embedded_bus_sink.hpp"
#include "adapters/sqlite_sink.hpp"
#include "adapters/wire_json.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::milliseconds kRecordedPeriod = std::chrono::minutes{5};

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

std::chrono::milliseconds pace_of(double speed) {
  const double pace = static_cast<double>(kRecordedPeriod.count()) / speed;
  return std::chrono::milliseconds{std::max<std::int64_t>(1, static_cast<std::int64_t>(pace))};
}

}  // namespace

std::vector<EmbeddedLane> embedded_lanes() {
  return {{EmbeddedSinkKind::Bus, Urgency::Priority, "bus-priority"},
          {EmbeddedSinkKind::Bus, Urgency::Background, "bus"},
          {EmbeddedSinkKind::Sqlite, Urgency::Priority, "sqlite-priority"},
          {EmbeddedSinkKind::Sqlite, Urgency::Background, "sqlite"}};
}

LaneParts embedded_source_parts(EmbeddedParts& parts, const std::string& lane,
                                const EmbeddedSourceOptions& options) {
  LaneParts made;
  made.log_name = "log";
  made.options = {.name = lane, .label = lane, .first_start = StartAt::Earliest};
  // Shared because a std::function must be copyable; the lane unit holds the only copy.
  const auto reporter = std::make_shared<GroupReporter>(parts, options);
  made.report_source = [reporter] { return reporter->report(); };
  made.source = std::make_unique<EmbeddedSource>(parts.log, parts.clock, options);
  made.dead_letters = std::make_unique<EmbeddedDeadLetters>(parts.log);
  return made;
}

LaneParts make_embedded_lane(EmbeddedParts& parts, const EmbeddedLane& lane) {
  const std::string group = "up-" + lane.name;
  LaneParts made =
      embedded_source_parts(parts, lane.name, {.group = group, .topics = topics_of(lane)});
  if (lane.sink == EmbeddedSinkKind::Bus) {
    made.sink_name = "bus";
    made.sink = std::make_unique<EmbeddedBusSink>(
        parts.bus, EmbeddedBusSinkOptions{.file = parts.directory / "channels.db", .group = group});
  } else {
    made.sink_name = "sqlite";
    made.sink = std::make_unique<SqliteSink>(
        SqliteSinkOptions{.file = parts.directory / "tables.db", .group = group});
  }
  made.reader = std::make_unique<JsonPayloadReader>();
  return made;
}

Market::Market(EmbeddedParts& parts, double speed)
    : recording_(RecordedCandles::built_in()),
      producer_(parts.log),
      places_(parts.log, parts.clock,
              {.group = "up-player", .topics = {std::string(kPlayerTopic)}}),
      player_(
          {.producer = producer_, .places = places_, .clock = parts.clock, .signals = &signals_},
          recording_.candles(), {.pace = pace_of(speed)}),
      thread_([this](std::stop_token stop) { player_.run(std::move(stop)); }) {}

}  // namespace signalbox
