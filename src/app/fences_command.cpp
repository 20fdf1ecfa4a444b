// `signalbox fences list|set`: the fence outranks Kafka's commits, so this is how an operator
// moves a lane.

#include <cstdio>
#include <vector>

#include "adapters/kafka_source.hpp"
#include "adapters/postgres_sink.hpp"
#include "adapters/redis_sink.hpp"
#include "app/command.hpp"
#include "app/dispatcher_parts.hpp"
#include "app/operator_config.hpp"
#include "app/service_main.hpp"

namespace signalbox {
namespace {

using Fences = FenceMap;

/// Each lane once: loops of one name share their fences.
std::vector<LanePlace> lanes_of(const OperatorConfig& config) {
  std::vector<LanePlace> lanes;
  for (const LanePlace& place : lane_places(config.dispatcher)) {
    if (place.name != place.label) continue;
    if (config.lane.empty() || config.lane == place.name) lanes.push_back(place);
  }
  return lanes;
}

Fences fences_of(const OperatorConfig& config, const LanePlace& place) {
  const std::string group = group_of(config.dispatcher, place);
  if (place.sink == LaneName::Redis) {
    RedisSink sink{{.redis = redis_options(config.dispatcher, "signalbox-fences"), .group = group}};
    const auto fences = sink.list_fences();
    return {fences.begin(), fences.end()};
  }
  PostgresSink sink{
      {.postgres = postgres_options(config.dispatcher, "signalbox-fences"), .group = group}};
  return sink.list_fences();
}

int list(const OperatorConfig& config) {
  std::printf("%-18s %-40s %9s %12s %12s %s\n", "lane", "topic", "partition", "next", "seq", "gap");
  for (const LanePlace& place : lanes_of(config)) {
    for (const auto& [partition, fence] : fences_of(config, place)) {
      if (partition == kGroupStarted) continue;
      if (!config.topic.empty() && config.topic != partition.topic) continue;
      std::printf("%-18s %-40s %9d %12lld %12llu %lld\n", place.name.c_str(),
                  partition.topic.c_str(), partition.partition,
                  static_cast<long long>(fence.next.value),
                  static_cast<unsigned long long>(fence.seq), static_cast<long long>(fence.gap));
    }
  }
  return exit_status::kStopped;
}

int refuse(const char* why) {
  std::fprintf(stderr, "signalbox fences set: %s\n", why);
  return exit_status::kConfiguration;
}

WriteOutcome move_fence(const OperatorConfig& config, const LanePlace& place,
                        const FenceMove& move) {
  const WriteBatch batch{.messages = {}, .moves = {&move, 1}, .received_at = {}};
  const std::string group = group_of(config.dispatcher, place);
  if (place.sink == LaneName::Redis) {
    RedisSink sink{{.redis = redis_options(config.dispatcher, "signalbox-fences"), .group = group}};
    return sink.write(batch);
  }
  PostgresSink sink{
      {.postgres = postgres_options(config.dispatcher, "signalbox-fences"), .group = group}};
  return sink.write(batch);
}

int set(const OperatorConfig& config) {
  if (config.lane.empty() || config.topic.empty() || !config.partition || !config.offset) {
    return refuse("--lane, --topic, --partition and --offset say which fence goes where");
  }
  const std::vector<LanePlace> lanes = lanes_of(config);
  if (lanes.empty()) return refuse("there is no lane of that name (fences list shows them)");
  const TopicPartition partition{config.topic, *config.partition};
  std::optional<Fence> found;
  for (const auto& [at, fence] : fences_of(config, lanes.front())) {
    if (at == partition) found = fence;
  }
  if (!found) return refuse("the lane has no fence for that partition");
  Fence target = *found;
  target.next = Offset{*config.offset};
  target.part = 0;
  target.last_timestamp = {};
  target.gap = 0;
  const bool is_dry = config.consent == Consent::DryRun;
  std::printf("%s %s/%d: next %lld -> %lld%s\n", config.lane.c_str(), partition.topic.c_str(),
              partition.partition, static_cast<long long>(found->next.value),
              static_cast<long long>(target.next.value),
              is_dry ? " (dry run: stop the lane, then repeat with --yes)" : "");
  if (is_dry) return exit_status::kStopped;
  const WriteOutcome outcome = move_fence(config, lanes.front(), {partition, found, target});
  if (std::holds_alternative<Committed>(outcome)) return exit_status::kStopped;
  std::fprintf(stderr,
               "signalbox fences set: the fence moved meanwhile or the sink is away: "
               "is the lane stopped?\n");
  return exit_status::kFailed;
}

int fences(const Loaded<OperatorConfigOf<kFencesCommand>>& loaded) {
  const std::string verb = loaded.arguments.empty() ? "list" : loaded.arguments.front();
  if (verb == "list") return list(loaded.config);
  if (verb == "set") return set(loaded.config);
  return refuse("the verb is list or set");
}

}  // namespace

int run_fences(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<OperatorConfigOf<kFencesCommand>>(arguments, environment, fences);
}

}  // namespace signalbox
