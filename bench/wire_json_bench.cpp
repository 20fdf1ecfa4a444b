/// What reading a payload costs: one thread, no server. The limit for a candle is 220 ns.

#include <chrono>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "adapters/wire_json.hpp"

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

BENCHMARK_CAPTURE(read_payload, live_candle, "market.data.btcusdc.1m", kLiveCandle);
BENCHMARK_CAPTURE(read_payload, historical_candle, "market.data.btcusdc.1m", kHistoricalCandle);
BENCHMARK_CAPTURE(read_payload, execution, "executions", kExecution);

}  // namespace
}  // namespace signalbox

BENCHMARK_MAIN();
