#pragma once

#include <string>
#include <string_view>

namespace signalbox {

/// As the exchange's stream delivers it: `time` in milliseconds.
inline constexpr std::string_view kLiveCandle =
    R"({"symbol":"BTCUSDC","timeframe":"1m","time":1761573360000,"close_time":1761573419999,)"
    R"("open":114980.01,"high":115020.0,"low":114955.5,"close":115001.37,"volume":3.10254,)"
    R"("is_closed":true,"quote_asset_volume":356794.11,"number_of_trades":418,)"
    R"("taker_buy_base_asset_volume":1.66,"taker_buy_quote_asset_volume":190904.2,)"
    R"("source":"binance_websocket","timestamp":1761573420.112})";

/// As gaps are filled: `time` in ISO-8601.
inline constexpr std::string_view kHistoricalCandle =
    R"({"time":"2025-10-27T13:56:00+00:00","symbol":"BTCUSDC","timeframe":"1m",)"
    R"("open":114980.01,"high":115020.0,"low":114955.5,"close":115001.37,"volume":3.10254,)"
    R"("close_time":1761573419999,"quote_asset_volume":356794.11,"number_of_trades":418,)"
    R"("taker_buy_base_asset_volume":1.66,"taker_buy_quote_asset_volume":190904.2,)"
    R"("is_closed":true,"source":"binance_historical"})";

/// A signal as the aggregator publishes it, shortened.
inline constexpr std::string_view kFilteredSignal =
    R"({"strategy":"CONSENSUS","symbol":"ETHUSDC","side":"BUY",)"
    R"("timestamp":"2025-10-27T13:57:12.480211+00:00","price":4120.55,"confidence":0.74,)"
    R"("metadata":{"type":"CONSENSUS","timeframe":"3m","strategies_count":7,)"
    R"("strategy_names":["EMA_Cross_Strategy","RSI_Cross_Strategy"],"avg_confidence":0.78,)"
    R"("family_distribution":{"trend_following":4,"mean_reversion":3},"is_wave_winner":true,)"
    R"("consensus_analysis":{"families_count":{},"missing_families":null},)"
    R"("original_signals":[],"db_id":18342}})";

inline constexpr std::string_view kExecution =
    R"({"order_id":"28457","symbol":"BTCUSDC","side":"BUY","status":"FILLED","price":115001.4,)"
    R"("quantity":0.0036,"quote_quantity":414.0,"fee":0.41,"fee_asset":"BTC","role":"taker",)"
    R"("timestamp":"2025-10-27T13:57:01.120000+00:00","demo":false})";

inline constexpr std::string_view kOrder =
    R"({"symbol":"BTCUSDC","side":"BUY","quantity":0.0036,"price":null,)"
    R"("client_order_id":"order_5c0e12","strategy":"CONSENSUS","leverage":1,"demo":false})";

/// `text` with the first `what` replaced by `by`. What is not there cannot be replaced: the result
/// is then empty, which no test expects.
inline std::string with(std::string_view text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  if (at == std::string_view::npos) return {};
  return std::string(text.substr(0, at)) + std::string(by) +
         std::string(text.substr(at + what.size()));
}

}  // namespace signalbox
