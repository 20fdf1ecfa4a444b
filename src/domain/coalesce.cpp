#include "domain/coalesce.hpp"

#include <algorithm>
#include <tuple>

namespace signalbox {
namespace {

const CandleFields& candle_of(const Routed& routed) {
  return std::get<CandleFields>(routed.facts.record);
}

auto key_of(const CandleFields& candle) {
  return std::tuple{*candle.open_time, std::string_view{candle.symbol}, name_of(*candle.timeframe)};
}

/// A replay keeps its first place, so the later message of a batch can have the older offset.
bool replaces(const Routed& later, const Routed& earlier) {
  const bool later_closed = candle_of(later).is_closed;
  const bool earlier_closed = candle_of(earlier).is_closed;
  if (later_closed != earlier_closed) return later_closed;
  if (*later.source == *earlier.source) return later.source_offset >= earlier.source_offset;
  return true;
}

}  // namespace

Coalesced coalesce_candles(std::span<const Routed> messages,
                           std::span<const std::size_t> candidates) {
  Coalesced result;
  std::vector<std::size_t> order{candidates.begin(), candidates.end()};
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const auto left = key_of(candle_of(messages[a]));
    const auto right = key_of(candle_of(messages[b]));
    return left != right ? left < right : a < b;
  });
  result.winners.reserve(order.size());
  for (const std::size_t index : order) {
    const bool is_same_key =
        !result.winners.empty() &&
        key_of(candle_of(messages[index])) == key_of(candle_of(messages[result.winners.back()]));
    if (!is_same_key) {
      result.winners.push_back(index);
      continue;
    }
    ++result.superseded;
    if (replaces(messages[index], messages[result.winners.back()])) result.winners.back() = index;
  }
  return result;
}

}  // namespace signalbox
