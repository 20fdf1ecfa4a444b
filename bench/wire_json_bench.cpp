/// What reading a payload costs: one thread, no server. The limit for a candle is 220 ns, for a
/// signal of the trigger (725 bytes) 1 µs.

#include <chrono>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "adapters/wire_json.hpp"
#include "adapters/wire_signal.hpp"

namespace signalbox {
namespace {

constexpr ReceivedAt kNow{std::chrono::sys_days{std::chrono::year{2025} / 10 / 28}};

constexpr std::string_view kLiveCandle =
    R"({"symbol": "BTCUSDC", "timeframe": "1m", "time": 1761573360000, )"
    R"("close_time": 1761573419999, "open": 114980.01, "high": 115020.0, "low": 114955.5, )"
    R"("close": 115001.37, "volume": 3.10254, "is_closed": true, )"
    R"("quote_asset_volume": 356794.11, "number_of_trades": 418, )"
    R"("taker_buy_base_asset_volume": 1.66, "taker_buy_quote_asset_volume": 190904.2, )"
    R"("source": "binance_websocket", "timestamp": 1761573420.112})";

constexpr std::string_view kHistoricalCandle =
    R"({"time":"2025-10-27T13:56:00+00:00","symbol":"BTCUSDC","timeframe":"1m",)"
    R"("open":114980.01,"high":115020.0,"low":114955.5,"close":115001.37,"volume":3.10254,)"
    R"("close_time":1761573419999,"quote_asset_volume":356794.11,"number_of_trades":418,)"
    R"("taker_buy_base_asset_volume":1.66,"taker_buy_quote_asset_volume":190904.2,)"
    R"("is_closed":true,"source":"binance_historical"})";

constexpr std::string_view kExecution =
    R"({"order_id":"28457","symbol":"BTCUSDC","side":"BUY","status":"FILLED","price":115001.4,)"
    R"("quantity":0.0036,"quote_quantity":414.0,"fee":0.41,"fee_asset":"BTC","role":"taker",)"
    R"("timestamp":"2025-10-27T13:57:01.120000+00:00","demo":false})";

constexpr std::string_view kTriggerSignal =
    R"({"signal_id": "550e8400-e29b-41d4-a716-446655440000", "signal_type": "golden_cross", )"
    R"("source": "golden_cross_generator", "timestamp": 1733407800, "tickers": [{"ticker": "AAPL", )"
    R"("signal": "BULLISH", "confidence": 85.0, "reasoning": "Golden cross detected: SMA50 190.12 )"
    R"(above SMA200 188.90 on the daily chart, volume confirms"}], "metadata": {"sma_short": 50, "sma_long": 200, "timeframe": "D", )"
    R"("current_sma_short": 190.12, "current_sma_long": 188.9, "current_price": null, )"
    R"("lookback_days": 5, "ticker_pipelines": {"AAPL": [{"pipeline_id": )"
    R"("7c9e6679-7425-40de-944b-e07fc1f90ae7", "pipeline_name": "Swing", "scanner_id": )"
    R"("16fd2706-8baf-433b-82eb-8c7fada847da", "scanner_name": "Megacaps, liquid ones"}]}}})";

/// With what costs more: escapes, more tickers, more routes.
constexpr std::string_view kEscapedTriggerSignal =
    R"({"signal_id": "550e8400-e29b-41d4-a716-446655440000", "signal_type": "golden_cross", )"
    R"("source": "golden_cross_generator", "timestamp": 1733407800, "tickers": [{"ticker": "AAPL", )"
    R"("signal": "BULLISH", "confidence": 85.0, "reasoning": "Golden cross \u2026"}, )"
    R"({"ticker": "MSFT", "signal": "NEUTRAL", "confidence": 12, "reasoning": null}], )"
    R"("metadata": {"note": "\u00e9tude", "timeframe": "D", "ticker_pipelines": {"AAPL": [)"
    R"({"pipeline_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "pipeline_name": "Caf\u00e9"}, )"
    R"({"pipeline_id": "16fd2706-8baf-433b-82eb-8c7fada847da", "pipeline_name": "Swing"}], )"
    R"("MSFT": [{"pipeline_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}]}}})";

void read_payload(benchmark::State& state, std::string_view topic, std::string_view payload) {
  const auto route = route_for(topic);
  const std::string bytes{payload};
  const Message message{.offset = Offset{0}, .timestamp = EventTime{}, .key = {}, .payload = bytes};
  JsonPayloadReader reader;
  if (!route || !reader.read(*route, message, kNow)) {
    state.SkipWithError("the payload is refused");
    return;
  }
  for (auto _ : state) {
    auto facts = reader.read(*route, message, kNow);
    benchmark::DoNotOptimize(facts);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
  state.SetItemsProcessed(state.iterations());
}

void read_signal(benchmark::State& state, std::string_view payload) {
  const Route route{.kind = Kind::TriggerSignal,
                    .topic = "trading-signals",
                    .symbol = {},
                    .timeframe = {},
                    .channels = {}};
  const std::string bytes{payload};
  const Message message{.offset = Offset{0}, .timestamp = EventTime{}, .key = {}, .payload = bytes};
  SignalReader reader;
  if (!reader.read(route, message, kNow)) {
    state.SkipWithError("the payload is refused");
    return;
  }
  for (auto _ : state) {
    auto facts = reader.read(route, message, kNow);
    benchmark::DoNotOptimize(facts);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(read_signal, plain, kTriggerSignal);
BENCHMARK_CAPTURE(read_signal, escaped, kEscapedTriggerSignal);
BENCHMARK_CAPTURE(read_payload, live_candle, "market.data.btcusdc.1m", kLiveCandle);
BENCHMARK_CAPTURE(read_payload, historical_candle, "market.data.btcusdc.1m", kHistoricalCandle);
BENCHMARK_CAPTURE(read_payload, execution, "executions", kExecution);

}  // namespace
}  // namespace signalbox

BENCHMARK_MAIN();
