#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/candle_signals.hpp"
#include "domain/recorded_candle.hpp"

namespace signalbox {

/// Where a signal generator puts its signals.
inline constexpr std::string_view kSignalTopic = "trading-signals";

/// A signal, ready for the log.
struct MadeSignal {
  std::string key;      ///< the signal's type, as the original's generator has it
  std::string payload;  ///< one JSON object
  std::string title;    ///< for people: `golden_cross ETHBTC 71`
};

/// Makes trading signals of closed candles, as a signal generator does: one ticker a signal, and an
/// id that names what happened, so that the same candles make the same signals again. One thread.
class SignalMaker {
 public:
  explicit SignalMaker(CandleSignalRules rules = {}) : rules_(std::move(rules)) {}

  /// Forgets every candle and hears these. Their signals are old news.
  void begin_after(std::span<const RecordedCandle> candles);

  /// `round` tells apart recordings that are played again.
  std::vector<MadeSignal> hear(const RecordedCandle& candle, std::uint64_t round);

 private:
  CandleSignals& signals_of(std::string_view symbol);

  CandleSignalRules rules_;
  std::map<std::string, CandleSignals, std::less<>> by_symbol_;
};

}  // namespace signalbox
