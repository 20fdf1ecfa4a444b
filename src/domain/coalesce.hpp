#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "domain/facts.hpp"

namespace signalbox {

/// Which candles of a batch become rows.
struct Coalesced {
  /// Indices into the messages, one per (open time, symbol, timeframe), sorted by that key, so
  /// that two writers lock rows in the same order.
  std::vector<std::size_t> winners;
  std::size_t superseded = 0;  ///< candles that a better one of the same key replaced
};

/// Picks one candle per key among `candidates` (indices into `messages`, whose facts are
/// CandleFields with open time and timeframe): a closed one beats an open one, then the later
/// offset of the same partition, then the later place in the batch.
Coalesced coalesce_candles(std::span<const Routed> messages,
                           std::span<const std::size_t> candidates);

}  // namespace signalbox
