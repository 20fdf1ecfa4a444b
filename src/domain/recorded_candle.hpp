#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "domain/facts.hpp"
#include "domain/message.hpp"
#include "domain/timeframe.hpp"

namespace signalbox {

/// A closed candle of a recording. Borrows from the recording.
struct RecordedCandle {
  EventTime open_time;
  std::string_view symbol;  ///< upper case
  Timeframe timeframe;
  NumberText open, high, low, close, volume;

  bool operator==(const RecordedCandle&) const = default;
};

/// How long a candle of this period is open.
std::chrono::milliseconds length_of(Timeframe timeframe);

/// `market.data.ethbtc.5m`
std::string topic_of(const RecordedCandle& candle);

/// The candle as a producer of live market data words it, with the source `recorded`. What the
/// recording does not know (quote volume, trades, takers' share) is left out. `played_at` becomes
/// `timestamp`, the moment at which a live producer would have heard of it.
std::string live_payload(const RecordedCandle& candle, ReceivedAt played_at);

}  // namespace signalbox
