#pragma once

#include <expected>
#include <string>
#include <vector>

#include "adapters/redis_connection.hpp"
#include "ports/sink.hpp"

namespace signalbox {

/// What in the set-up of this Redis puts fences or subscribers at risk. The connection is ready;
/// the error says why it failed.
std::expected<std::vector<SinkWarning>, std::string> inspect_redis(RedisConnection& connection);

}  // namespace signalbox
