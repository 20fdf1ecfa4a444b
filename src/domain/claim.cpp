#include "domain/claim.hpp"

namespace signalbox {
namespace {

/// The envelope, the fixed part of the arguments, ids, and what the wire puts around each.
constexpr std::size_t kTaskOverhead = 2'600;
constexpr std::size_t kOutcomeOverhead = 120;

/// A byte of a text may need six in JSON (`\u00e9`), and base64 makes four of three.
constexpr std::size_t kEscapedMax = 6;
constexpr std::size_t in_base64(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

}  // namespace

std::size_t claim_bytes_max(const TaskRequest& request) {
  const TradingSignal& signal = *request.signal;
  const SignalTicker& ticker = signal.tickers[request.ticker];
  const std::size_t escaped = kEscapedMax * (request.signal_key.size() + signal.type.size() +
                                             signal.source.size() + ticker.ticker.size());
  const std::size_t raw = signal.metadata.size() + ticker.reasoning.size() + ticker.bias.size() +
                          ticker.confidence_text.size() + signal.timestamp.size();
  const std::size_t outcome =
      kOutcomeOverhead + kEscapedMax * (request.signal_key.size() + 2 * ticker.ticker.size());
  return kTaskOverhead + in_base64(escaped + raw) + outcome;
}

std::size_t claim_bytes_max(const SettledPair& pair) {
  return kOutcomeOverhead + kEscapedMax * (pair.signal_key.size() + pair.ticker.size());
}

}  // namespace signalbox
