#pragma once

#include <filesystem>

#include "app/common_config.hpp"
#include "app/config/settings.hpp"

namespace signalbox {

/// Everything `signalbox up` can be told: the services on embedded parts, on this machine only.
struct UpConfig {
  CommonConfig common{.bind = "127.0.0.1", .port = 5004};
  /// Holds the embedded log, the sinks, the platform's tables and the queue.
  std::filesystem::path data = "signalbox-data";
  /// How much faster than they were recorded candles are fed: 3000 is a recorded candle of five
  /// minutes, of every symbol, each tenth of a second.
  double speed = 3'000;
};

Settings describe(UpConfig& config);

}  // namespace signalbox
