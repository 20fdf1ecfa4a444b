#pragma once

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "adapters/embedded_bus.hpp"
#include "adapters/embedded_log.hpp"
#include "adapters/embedded_producer.hpp"
#include "adapters/embedded_source.hpp"
#include "adapters/recorded_candles.hpp"
#include "adapters/system_clock.hpp"
#include "app/lane_unit.hpp"
#include "services/market_player.hpp"
#include "services/signal_maker.hpp"

namespace signalbox {

/// What the lanes of `signalbox up` share, in one directory.
struct EmbeddedParts {
  explicit EmbeddedParts(const std::filesystem::path& data)
      : directory(data), log({.file = data / "log.db"}) {}

  std::filesystem::path directory;
  SystemClock clock;
  EmbeddedLog log;
  EmbeddedBus bus;
};

enum class EmbeddedSinkKind : std::uint8_t { Bus, Sqlite };

struct EmbeddedLane {
  EmbeddedSinkKind sink;
  Urgency urgency;
  std::string name;
};

/// The dispatcher's lanes.
std::vector<EmbeddedLane> embedded_lanes();

LaneParts make_embedded_lane(EmbeddedParts& parts, const EmbeddedLane& lane);

/// A lane's source with its report. The sink and the reader are the caller's to add.
LaneParts embedded_source_parts(EmbeddedParts& parts, const std::string& lane,
                                const EmbeddedSourceOptions& options);

/// The recording, what makes signals of it, its player and the thread that plays.
class Market {
 public:
  Market(EmbeddedParts& parts, double speed);

  MarketPlayerStatus status() const { return player_.status(); }

 private:
  RecordedCandles recording_;
  SignalMaker signals_;
  EmbeddedProducer producer_;
  EmbeddedSource places_;
  MarketPlayer player_;
  std::jthread thread_;
};

}  // namespace signalbox
