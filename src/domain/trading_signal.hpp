#pragma once

#include <cstdint>
#include <forward_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/message.hpp"
#include "domain/uuid.hpp"

namespace signalbox {

/// What a signal says of one ticker. Views borrow from the signal.
struct SignalTicker {
  std::string_view ticker;
  std::string_view bias;             ///< BULLISH, BEARISH, NEUTRAL; empty when absent
  std::optional<double> confidence;  ///< 0 to 100; absent, null and NaN are the same
  std::string_view confidence_text;  ///< the number as it came; empty when absent
  std::string_view reasoning;        ///< JSON token as it came; empty when absent or null
};

/// The pipelines that the sender wants a ticker to reach (`metadata.ticker_pipelines`). A ticker
/// whose list is empty is not filtered and has no entry, so an entry without pipelines lets nobody
/// through.
struct TickerRouting {
  std::string_view ticker;
  std::vector<Uuid> pipelines;  ///< ids that are no UUID name no pipeline and are left out
};

/// Marks of a backtest in `metadata`; empty where absent or null.
struct BacktestMarks {
  std::string_view pipeline_id;
  std::string_view run_id;
  std::string_view user_id;

  bool any() const { return !pipeline_id.empty() || !run_id.empty(); }
};

/// One signal as the trigger reads it, once, at the border. Views point into the message's
/// payload, or into `unescaped` where the text had escapes; the signal borrows from the batch.
struct TradingSignal {
  std::string_view id;  ///< empty when the sender gave none: then the place names it
  std::string_view type;
  std::string_view source;
  std::string_view timestamp;     ///< JSON token as it came; empty when absent or null
  std::optional<EventTime> time;  ///< of `timestamp`, where it is one (Unix seconds, ISO 8601)
  std::string_view timeframe;     ///< canonical (domain/signal_timeframe.hpp); empty = none
  std::vector<SignalTicker> tickers;
  std::vector<TickerRouting> routing;
  BacktestMarks backtest;
  /// `metadata` as JSON text, fit to be put into a task: without `ticker_pipelines`, and with no
  /// key that a worker takes for a typed value. `{}` when absent or null. At most 64 kB.
  std::string_view metadata = "{}";
  bool is_metadata_reduced = false;  ///< larger or deeper: only what workers read was kept
  /// Elements of `tickers` and values that were left out because of their type.
  std::uint32_t left_out = 0;
  std::forward_list<std::string> unescaped;  ///< owns what the views cannot borrow; stays in place

  TradingSignal() = default;
  TradingSignal(TradingSignal&&) = default;
  TradingSignal& operator=(TradingSignal&&) = default;
  TradingSignal(const TradingSignal&) = delete;  // the views would point into the original
  TradingSignal& operator=(const TradingSignal&) = delete;
  ~TradingSignal() = default;
};

}  // namespace signalbox
