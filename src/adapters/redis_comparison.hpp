#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/redis_connection.hpp"
#include "domain/message.hpp"

namespace signalbox {

/// A payload on a channel and when Redis had it, by the clock of Redis.
struct ChannelMessage {
  std::string channel;
  std::string payload;
  EventTime at;
};

struct HeardMessages {
  std::vector<ChannelMessage> messages;
  EventTime began;
  EventTime ended;  ///< earlier than asked for when there were too many messages
};

/// Subscribes to patterns and notes what is published for `duration`, or until there are
/// `messages_max`. Throws IoError.
HeardMessages listen(const RedisOptions& redis, std::span<const std::string_view> patterns,
                     std::chrono::milliseconds duration, std::size_t messages_max);

/// One shadow stream, whose entries stand for messages on its channel.
struct ShadowStream {
  std::vector<ChannelMessage> messages;
  EventTime oldest;          ///< of the whole stream
  std::uint64_t length = 0;  ///< likewise
};

/// What a shadow wrote between two times, in every stream of its. Reads `messages_max` at most.
/// Throws IoError.
std::vector<ShadowStream> read_shadow_streams(const RedisOptions& redis, EventTime from,
                                              EventTime until, std::size_t messages_max);

}  // namespace signalbox
