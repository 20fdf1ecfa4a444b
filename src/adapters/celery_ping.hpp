#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "adapters/redis_connection.hpp"

namespace signalbox {

/// Asks every Celery worker of a broker whether it is there, by the remote control that `celery
/// inspect ping` uses, and returns the names of those that answered within `wait`. What it puts
/// into Redis it takes away again. Throws IoError.
std::vector<std::string> ping_workers(const RedisOptions& broker, std::chrono::seconds wait);

}  // namespace signalbox
