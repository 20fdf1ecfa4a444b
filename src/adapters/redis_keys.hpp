#pragma once

#include <string>
#include <string_view>

#include "domain/message.hpp"

/// Every name that the dispatcher writes in Redis, in one place. The channels themselves are the
/// original's and come with the route.
namespace signalbox {

/// `signalbox:fence:<group>:`, before the topic and partition of each fence.
inline std::string fence_key_prefix(std::string_view group) {
  return "signalbox:fence:" + std::string(group) + ":";
}

inline std::string fence_key(std::string_view group, const TopicPartition& partition) {
  return fence_key_prefix(group) + partition.topic + ":" + std::to_string(partition.partition);
}

/// The bounded stream beside a channel: each entry has the field `payload`.
inline std::string stream_key(std::string_view channel) {
  return "signalbox:stream:" + std::string(channel);
}

/// The last payload of a channel, for who comes late.
inline std::string last_value_key(std::string_view channel) {
  return "signalbox:last:" + std::string(channel);
}

/// Where a shadow writes instead of publishing.
inline std::string shadow_stream_key(std::string_view channel) {
  return "signalbox:shadow:stream:" + std::string(channel);
}

}  // namespace signalbox
