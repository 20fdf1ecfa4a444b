/// Who wants a signal, among up to a million pipelines: one thread, no server. Beside the index a
/// scan over all pipelines, which is what the original does.

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "domain/pipeline_index.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kTickers = 8'000;
constexpr std::size_t kTypes = 40;
constexpr std::size_t kTimeframes = 8;
constexpr std::size_t kDraws = 1U << 16U;  // of tickers, drawn beforehand

enum class Spread : std::uint8_t { Uniform, Zipf };

/// Marsaglia's xorshift: cheap enough to make each signal a new one.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return state_;
  }
  std::size_t below(std::size_t count) {
    return static_cast<std::size_t>(((next() >> 32U) * count) >> 32U);
  }

 private:
  std::uint64_t state_;
};

std::string ticker_of(std::size_t number) { return "T" + std::to_string(1'000 + number); }
std::string type_of(std::size_t number) { return "signal_type_" + std::to_string(number); }
std::string timeframe_of(std::size_t number) { return std::to_string(number + 1) + "m"; }

/// Numbers of tickers as the spread has them.
std::vector<std::uint32_t> draw_tickers(Spread spread) {
  std::vector<double> sums(kTickers);
  double sum = 0;
  for (std::size_t at = 0; at < kTickers; ++at) {
    sum += spread == Spread::Zipf ? 1 / static_cast<double>(at + 1) : 1;
    sums[at] = sum;
  }
  Random random(11);
  std::vector<std::uint32_t> draws(kDraws);
  for (std::uint32_t& draw : draws) {
    const double at = sum * static_cast<double>(random.next() >> 11U) * 0x1p-53;
    draw = static_cast<std::uint32_t>(std::ranges::upper_bound(sums, at) - sums.begin());
  }
  return draws;
}

/// Pipelines with one subscription each, to 1 to 10 tickers: one in twenty takes every signal, one
/// in three every timeframe.
std::vector<Pipeline> make_pipelines(std::size_t count, Spread spread) {
  const std::vector<std::uint32_t> draws = draw_tickers(spread);
  Random random(5);
  std::vector<Pipeline> pipelines(count);
  for (Pipeline& one : pipelines) {
    for (std::uint8_t& byte : one.id.bytes) byte = static_cast<std::uint8_t>(random.below(256));
    one.user = one.id;
    one.name = "pipeline";
    for (std::size_t tickers = 1 + random.below(10); tickers > 0; --tickers) {
      std::string ticker = ticker_of(draws[random.below(kDraws)]);
      if (std::ranges::find(one.tickers, ticker) == one.tickers.end()) {
        one.tickers.push_back(std::move(ticker));
      }
    }
    if (random.below(20) == 0) continue;
    Subscription wish{.signal_type = type_of(random.below(kTypes)),
                      .timeframe = {},
                      .min_confidence = static_cast<double>(50 + random.below(46))};
    if (random.below(3) != 0) wish.timeframe = timeframe_of(random.below(kTimeframes));
    one.subscriptions.push_back(std::move(wish));
  }
  return pipelines;
}

/// Signals one after the other, each another one.
class Signals {
 public:
  Signals(Spread spread, std::size_t tickers_max)
      : draws_(draw_tickers(spread)), tickers_max_(tickers_max) {
    for (std::size_t number = 0; number < kTickers; ++number) tickers_.push_back(ticker_of(number));
    for (std::size_t number = 0; number < kTypes; ++number) types_.push_back(type_of(number));
    for (std::size_t number = 0; number < kTimeframes; ++number) {
      timeframes_.push_back(timeframe_of(number));
    }
  }

  const TradingSignal& next() {
    signal_.type = types_[random_.below(kTypes)];
    signal_.timeframe = timeframes_[random_.below(kTimeframes)];
    signal_.tickers.resize(tickers_max_ == 1 ? 1 : 1 + random_.below(tickers_max_));
    for (SignalTicker& said : signal_.tickers) {
      said.ticker = tickers_[draws_[random_.below(kDraws)]];
      said.confidence = static_cast<double>(50 + random_.below(51));
    }
    return signal_;
  }

 private:
  Random random_{3};
  std::vector<std::uint32_t> draws_;
  std::size_t tickers_max_;
  std::vector<std::string> tickers_;
  std::vector<std::string> types_;
  std::vector<std::string> timeframes_;
  TradingSignal signal_;
};

/// Worlds are kept from one benchmark to the next, the last one only: a million pipelines are half
/// a gigabyte.
const std::vector<Pipeline>& pipelines_of(std::size_t count, Spread spread) {
  static std::pair<std::size_t, Spread> key;
  static std::vector<Pipeline> pipelines;
  if (pipelines.empty() || key != std::pair(count, spread)) {
    pipelines.clear();
    pipelines = make_pipelines(count, spread);
    key = {count, spread};
  }
  return pipelines;
}

void report(benchmark::State& state, std::size_t matches) {
  using benchmark::Counter;
  state.SetItemsProcessed(state.iterations());
  state.counters["matches"] = Counter(static_cast<double>(matches), Counter::kAvgIterations);
  state.counters["matches_per_second"] = Counter(static_cast<double>(matches), Counter::kIsRate);
}

void match(benchmark::State& state, Spread spread, std::size_t tickers_max) {
  const PipelineIndex index(pipelines_of(static_cast<std::size_t>(state.range(0)), spread));
  Signals signals(spread, tickers_max);
  std::vector<Match> found;
  std::size_t matches = 0;
  for (auto _ : state) {
    found.clear();
    index.match(signals.next(), {}, found);
    matches += found.size();
    benchmark::DoNotOptimize(found.data());
  }
  report(state, matches);
  state.counters["index_bytes"] = static_cast<double>(index.memory_bytes());
}

/// With the reason of everybody who watches and does not run.
void match_and_judge(benchmark::State& state, Spread spread, std::size_t tickers_max) {
  const PipelineIndex index(pipelines_of(static_cast<std::size_t>(state.range(0)), spread));
  Signals signals(spread, tickers_max);
  std::vector<Match> found;
  std::vector<NoMatch> others;
  std::size_t matches = 0;
  std::size_t watchers = 0;
  for (auto _ : state) {
    found.clear();
    others.clear();
    const TradingSignal& signal = signals.next();
    index.match(signal, {}, found);
    index.judge_rest(signal, {}, others);
    matches += found.size();
    watchers += found.size() + others.size();
    benchmark::DoNotOptimize(others.data());
  }
  report(state, matches);
  state.counters["watchers_per_second"] =
      benchmark::Counter(static_cast<double>(watchers), benchmark::Counter::kIsRate);
}

bool wants(const Pipeline& pipeline, const TradingSignal& signal, const SignalTicker& said) {
  if (std::ranges::find(pipeline.tickers, said.ticker) == pipeline.tickers.end()) return false;
  if (pipeline.subscriptions.empty()) return true;
  return std::ranges::any_of(pipeline.subscriptions, [&](const Subscription& wish) {
    return wish.signal_type == signal.type &&
           (wish.timeframe.empty() || signal.timeframe.empty() ||
            wish.timeframe == signal.timeframe) &&
           said.confidence.value_or(0) >= wish.min_confidence.value_or(0);
  });
}

void scan(benchmark::State& state, Spread spread, std::size_t tickers_max) {
  const auto& pipelines = pipelines_of(static_cast<std::size_t>(state.range(0)), spread);
  Signals signals(spread, tickers_max);
  std::vector<Match> found;
  std::size_t matches = 0;
  for (auto _ : state) {
    found.clear();
    const TradingSignal& signal = signals.next();
    for (std::uint32_t ticker = 0; ticker < signal.tickers.size(); ++ticker) {
      for (std::uint32_t number = 0; number < pipelines.size(); ++number) {
        if (wants(pipelines[number], signal, signal.tickers[ticker])) {
          found.push_back({PipelineNumber{number}, ticker});
        }
      }
    }
    matches += found.size();
    benchmark::DoNotOptimize(found.data());
  }
  report(state, matches);
}

/// What the allocator gave out, counted by itself.
std::size_t allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void build_from(benchmark::State& state, const std::vector<Pipeline>& pipelines) {
  const std::size_t before = allocated_bytes();
  const PipelineIndex index(pipelines);
  state.counters["allocated_bytes"] = static_cast<double>(allocated_bytes() - before);
  state.counters["index_bytes"] = static_cast<double>(index.memory_bytes());
  for (auto _ : state) {
    PipelineIndex built(pipelines);
    benchmark::DoNotOptimize(built);
  }
}

void build(benchmark::State& state) {
  build_from(state, pipelines_of(static_cast<std::size_t>(state.range(0)), Spread::Uniform));
}

/// The original's measured world: 1,000 pipelines of 63 tickers, each ticker watched by three.
void build_1000_of_63(benchmark::State& state) {
  Random random(9);
  std::vector<Pipeline> pipelines(1'000);
  std::size_t place = 0;
  for (Pipeline& one : pipelines) {
    for (std::uint8_t& byte : one.id.bytes) byte = static_cast<std::uint8_t>(random.below(256));
    one.user = one.id;
    one.name = "Momentum on large caps";
    for (std::size_t ticker = 0; ticker < 63; ++ticker, ++place) {
      one.tickers.push_back(ticker_of(place % 21'000));
    }
    for (std::int64_t wish = 0; wish < state.range(0); ++wish) {
      one.subscriptions.push_back({.signal_type = type_of(random.below(kTypes)),
                                   .timeframe = timeframe_of(random.below(kTimeframes)),
                                   .min_confidence = 80});
    }
  }
  build_from(state, pipelines);
}

#define SIGNALBOX_SIZES ->RangeMultiplier(10)->Range(1'000, 1'000'000)

BENCHMARK_CAPTURE(match, uniform_1_ticker, Spread::Uniform, 1) SIGNALBOX_SIZES;
BENCHMARK_CAPTURE(match, uniform_3_tickers, Spread::Uniform, 3) SIGNALBOX_SIZES;
BENCHMARK_CAPTURE(match_and_judge, uniform_1_ticker, Spread::Uniform, 1) SIGNALBOX_SIZES;
BENCHMARK_CAPTURE(scan, uniform_1_ticker, Spread::Uniform, 1) SIGNALBOX_SIZES;
BENCHMARK(build) SIGNALBOX_SIZES->Unit(benchmark::kMillisecond);
BENCHMARK(build_1000_of_63)->DenseRange(1, 3)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(match, zipf_3_tickers, Spread::Zipf, 3) SIGNALBOX_SIZES;
BENCHMARK_CAPTURE(match_and_judge, zipf_3_tickers, Spread::Zipf, 3) SIGNALBOX_SIZES;
BENCHMARK_CAPTURE(scan, zipf_3_tickers, Spread::Zipf, 3) SIGNALBOX_SIZES;

}  // namespace
}  // namespace signalbox

BENCHMARK_MAIN();
