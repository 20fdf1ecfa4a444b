#include "adapters/redis_inspection.hpp"

#include <map>
#include <string_view>

#include "adapters/resp.hpp"
#include "domain/text.hpp"

namespace signalbox {
namespace {

using Type = RedisReply::Type;

constexpr std::string_view kSettings[] = {"maxmemory", "maxmemory-policy", "save", "appendonly",
                                          "appendfsync"};

/// Each PUBLISH is compared with every pattern: 100 cost about half of the rate.
constexpr std::int64_t kPatternsMax = 100;

using Settings = std::map<std::string, std::string, std::less<>>;

void inspect_eviction(const Settings& settings, std::vector<SinkWarning>& warnings) {
  const std::string& policy = settings.at("maxmemory-policy");
  if (settings.at("maxmemory") == "0" || !policy.starts_with("allkeys-")) return;
  warnings.push_back({"KEYS_MAY_BE_EVICTED",
                      "maxmemory-policy is " + policy +
                          ": Redis may evict fences, and then messages are lost or come twice. Set "
                          "it to noeviction or to a volatile- policy"});
}

void inspect_persistence(const Settings& settings, std::vector<SinkWarning>& warnings) {
  const bool appends = settings.at("appendonly") == "yes";
  if (!appends && settings.at("save").empty()) {
    warnings.push_back({"NOTHING_ON_DISK",
                        "neither appendonly nor save is on: a restart forgets all fences, and the "
                        "dispatcher resumes at Kafka's commit. Set appendonly yes"});
  } else if (!appends) {
    warnings.push_back({"SNAPSHOTS_ONLY",
                        "appendonly is no: after a crash of Redis what came since the last "
                        "snapshot is published again. Set appendonly yes"});
  } else if (settings.at("appendfsync") != "always") {
    warnings.push_back({"LAST_SECOND_AT_RISK",
                        "appendfsync is " + settings.at("appendfsync") +
                            ": after a crash of Redis's machine the last second (or more) is "
                            "published again. appendfsync always closes that"});
  }
}

void inspect_settings(RedisReplies& replies, std::vector<SinkWarning>& warnings) {
  Settings settings;
  std::string refusal;
  for (const std::string_view name : kSettings) {
    const auto pair = replies.take_texts();
    if (!pair) {
      refusal = pair.error();
    } else if (pair->size() == 2 && (*pair)[1]) {
      settings.emplace(name, *(*pair)[1]);
    }
  }
  if (settings.size() != std::size(kSettings)) {
    warnings.push_back(
        {"CANNOT_INSPECT", "CONFIG GET is refused (" + refusal +
                               "): make sure that maxmemory-policy is not allkeys-… and that "
                               "appendonly is yes, or allow +config|get"});
    return;
  }
  inspect_eviction(settings, warnings);
  inspect_persistence(settings, warnings);
}

}  // namespace

std::expected<std::vector<SinkWarning>, std::string> inspect_redis(RedisConnection& connection) {
  std::string request;
  for (const std::string_view name : kSettings) append_command(request, {"CONFIG", "GET", name});
  append_command(request, {"INFO", "replication"});
  append_command(request, {"PUBSUB", "NUMPAT"});
  auto received = connection.call(request, std::size(kSettings) + 2);
  if (!received) return std::unexpected(std::move(received.error()));
  RedisReplies& replies = **received;

  std::vector<SinkWarning> warnings;
  inspect_settings(replies, warnings);
  if (replies.take().text.find("role:slave") != std::string_view::npos) {
    warnings.push_back(
        {"READ_ONLY_REPLICA", "this Redis is a replica: nothing can be written. Use its primary"});
  }
  const RedisReply patterns = replies.take();
  if (patterns.type == Type::Integer && patterns.integer > kPatternsMax) {
    warnings.push_back({"MANY_PATTERN_SUBSCRIPTIONS",
                        std::to_string(patterns.integer) +
                            " pattern subscriptions: each PUBLISH is compared with all of them. "
                            "SUBSCRIBE to channels by name"});
  }
  return warnings;
}

}  // namespace signalbox
