#include "domain/claim.hpp"

#include <algorithm>

namespace signalbox {
namespace {

/// The envelope, the fixed part of the arguments, and ids.
constexpr std::size_t kTaskOverhead = 2'600;

/// A signal without an id is named by its place, which is no longer than this.
constexpr std::size_t kPlaceMax = 300;

/// A byte of a text may need six in JSON (`\u001f`), and base64 makes four of three.
constexpr std::size_t kEscapedMax = 6;
constexpr std::size_t in_base64(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

}  // namespace

std::size_t claim_bytes_max(const TradingSignal& signal) {
  const std::size_t key = std::max(signal.id.size(), kPlaceMax);
  std::size_t largest_ticker = 0;
  for (const SignalTicker& ticker : signal.tickers) {
    const std::size_t size = kEscapedMax * (2 * ticker.ticker.size() + ticker.bias.size()) +
                             ticker.reasoning.size() + 2 * ticker.confidence_text.size();
    largest_ticker = std::max(largest_ticker, size);
  }
  const std::size_t arguments =
      kEscapedMax * (signal.id.size() + signal.type.size() + signal.source.size()) +
      signal.metadata.size() + signal.timestamp.size() + largest_ticker;
  return kTaskOverhead + in_base64(arguments) + key;
}

}  // namespace signalbox
