/// The index beside a matcher that is the rules of docs/TRIGGER.md and nothing else: every
/// pipeline, every subscription, no index.

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "domain/pipeline_index.hpp"
#include "domain/pipeline_index_parts.hpp"

namespace signalbox {
namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t count) {
  return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
}

bool one_in(Random& random, std::size_t count) { return below(random, count) == 0; }

Uuid uuid(std::size_t number) {
  Uuid id;
  // Neighbours differ in the last byte, strangers in the first.
  id.bytes[0] = static_cast<std::uint8_t>(number % 3);
  id.bytes[14] = static_cast<std::uint8_t>(number >> 8U);
  id.bytes[15] = static_cast<std::uint8_t>(number);
  return id;
}

const std::vector<std::string> kTickers{
    "", "A", "B", "AAPL", "aapl", "MSFT", "BTC-USD", "EUR_USD", "BRK-B", "A ticker of many words"};
const std::vector<std::string> kTypes{"", "news", "golden_cross", "mock", "external"};
const std::vector<std::string> kTimeframes{"", "5m", "1h", "1d", "5"};
const std::vector<double> kConfidences{0,
                                       -0.0,
                                       -1,
                                       50,
                                       79.99999999999999,
                                       80,
                                       80.00000000000001,
                                       100,
                                       1e300,
                                       std::numeric_limits<double>::infinity(),
                                       -std::numeric_limits<double>::infinity(),
                                       std::numeric_limits<double>::quiet_NaN()};

template <typename Item>
const Item& any_of(Random& random, const std::vector<Item>& items) {
  return items[below(random, items.size())];
}

std::optional<double> any_confidence(Random& random, std::size_t spread) {
  if (one_in(random, 4)) return std::nullopt;
  if (spread > 0 && one_in(random, 2)) return static_cast<double>(below(random, spread)) / 64;
  return any_of(random, kConfidences);
}

/// What kind of world: how many pipelines at most, and how many kinds of everything.
struct Size {
  std::size_t pipelines;
  std::size_t tickers;
  std::size_t confidences;
  std::size_t timeframes;
};

std::vector<Pipeline> any_pipelines(Random& random, const Size& size) {
  std::vector<Pipeline> pipelines;
  const bool is_full = size.pipelines > 1'000;
  const std::size_t count = is_full ? size.pipelines : below(random, size.pipelines + 1);
  std::set<Uuid> known;
  for (std::size_t number = 0; number < count; ++number) {
    Pipeline one;
    one.id = uuid(below(random, 2 * size.pipelines));
    if (!known.insert(one.id).second) continue;
    for (std::size_t tickers = below(random, size.tickers); tickers > 0; --tickers) {
      one.tickers.push_back(any_of(random, kTickers));
    }
    for (std::size_t wishes = one_in(random, 3) ? 0 : below(random, 5); wishes > 0; --wishes) {
      Subscription wish{.signal_type = any_of(random, kTypes),
                        .timeframe = any_of(random, kTimeframes),
                        .min_confidence = any_confidence(random, size.confidences)};
      if (size.timeframes > 0 && one_in(random, 3)) {
        wish.timeframe = std::to_string(below(random, size.timeframes)) + "m";
      }
      one.subscriptions.push_back(wish);
    }
    pipelines.push_back(std::move(one));
  }
  return pipelines;
}

struct Texts {
  std::string backtest;
};

TradingSignal any_signal(Random& random, const Size& size, Texts& texts) {
  TradingSignal signal;
  signal.type = one_in(random, 8) ? "unheard of" : std::string_view(any_of(random, kTypes));
  signal.timeframe = one_in(random, 8) ? "7y" : std::string_view(any_of(random, kTimeframes));
  std::size_t tickers = one_in(random, 10) ? below(random, 40) : below(random, 4);
  for (; tickers > 0; --tickers) {
    SignalTicker said;
    said.ticker = one_in(random, 9) ? "NOBODY" : std::string_view(any_of(random, kTickers));
    said.confidence = any_confidence(random, size.confidences);
    signal.tickers.push_back(said);
  }
  if (one_in(random, 3)) {
    std::size_t entries = one_in(random, 10) ? 30 : below(random, 5);
    for (; entries > 0; --entries) {
      TickerRouting routing{.ticker = any_of(random, kTickers), .pipelines = {}};
      for (std::size_t ids = below(random, size.pipelines + 2); ids > 0; --ids) {
        routing.pipelines.push_back(uuid(below(random, 2 * size.pipelines)));
      }
      signal.routing.push_back(std::move(routing));
    }
  }
  if (one_in(random, 6)) signal.backtest.run_id = "run";
  if (one_in(random, 6)) {
    texts.backtest =
        one_in(random, 6) ? "no uuid" : to_text(uuid(below(random, 2 * size.pipelines)));
    signal.backtest.pipeline_id = texts.backtest;
  }
  return signal;
}

// --- the rules ---

struct Verdict {
  Uuid pipeline;
  std::size_t ticker;
  std::string outcome;

  bool operator==(const Verdict&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
  return out << to_text(verdict.pipeline) << ' ' << verdict.ticker << ' ' << verdict.outcome;
}

double or_zero(std::optional<double> confidence) {
  return confidence && !std::isnan(*confidence) ? *confidence : 0;
}

std::string verdict_of_subscriptions(const Pipeline& pipeline, const TradingSignal& signal,
                                     const SignalTicker& said) {
  if (pipeline.subscriptions.empty()) return "match";
  bool has_type = false;
  bool has_timeframe = false;
  for (const Subscription& wish : pipeline.subscriptions) {
    if (wish.signal_type != signal.type) continue;
    has_type = true;
    const bool both = !wish.timeframe.empty() && !signal.timeframe.empty();
    if (both && wish.timeframe != signal.timeframe) continue;
    has_timeframe = true;
    if (!wish.min_confidence) return "match";
    const double minimum = std::isnan(*wish.min_confidence)
                               ? std::numeric_limits<double>::infinity()
                               : *wish.min_confidence;
    if (or_zero(said.confidence) >= minimum) return "match";
  }
  return has_timeframe ? "below_confidence" : has_type ? "wrong_timeframe" : "no_subscription";
}

std::string verdict_of(const Pipeline& pipeline, const TradingSignal& signal,
                       const SignalTicker& said, const MatchRules& rules) {
  if (signal.backtest.any() && !rules.allow_backtest) return "backtest_off";
  const std::string_view wanted = signal.backtest.pipeline_id;
  if (!wanted.empty() && parse_uuid(wanted) != pipeline.id) return "not_routed";
  const TickerRouting* routing = nullptr;
  for (const TickerRouting& entry : signal.routing) {
    if (entry.ticker == said.ticker) routing = &entry;
  }
  if (routing != nullptr &&
      std::ranges::find(routing->pipelines, pipeline.id) == routing->pipelines.end()) {
    return "not_routed";
  }
  return verdict_of_subscriptions(pipeline, signal, said);
}

std::vector<Verdict> by_the_rules(std::vector<Pipeline> pipelines, const TradingSignal& signal,
                                  const MatchRules& rules) {
  std::ranges::sort(pipelines, {}, &Pipeline::id);
  std::vector<Verdict> verdicts;
  std::set<std::string_view> seen;
  for (std::size_t ticker = 0; ticker < signal.tickers.size(); ++ticker) {
    const SignalTicker& said = signal.tickers[ticker];
    if (said.ticker.empty() || !seen.insert(said.ticker).second) continue;
    for (const Pipeline& pipeline : pipelines) {
      if (std::ranges::find(pipeline.tickers, said.ticker) == pipeline.tickers.end()) continue;
      verdicts.push_back({pipeline.id, ticker, verdict_of(pipeline, signal, said, rules)});
    }
  }
  return verdicts;
}

// --- the index ---

/// The tickers are in the signal's order; the pipelines of one in an order of the index's own.
void sort_pipelines(std::vector<Verdict>& verdicts) {
  EXPECT_TRUE(std::ranges::is_sorted(verdicts, {}, &Verdict::ticker));
  std::ranges::stable_sort(verdicts, {}, &Verdict::pipeline);
  std::ranges::stable_sort(verdicts, {}, &Verdict::ticker);
}

struct Split {
  std::vector<Verdict> matches;
  std::vector<Verdict> misses;
};

Split by_the_index(const PipelineIndex& index, const TradingSignal& signal,
                   const MatchRules& rules) {
  Split split;
  std::vector<Match> matches;
  index.match(signal, rules, matches);
  for (const Match& match : matches) {
    split.matches.push_back({index.at(match.pipeline).id, match.ticker, "match"});
  }
  sort_pipelines(split.matches);
  std::vector<NoMatch> misses;
  index.judge_rest(signal, rules, misses);
  for (const NoMatch& miss : misses) {
    split.misses.push_back(
        {index.at(miss.pipeline).id, miss.ticker, std::string(name_of(miss.why))});
  }
  sort_pipelines(split.misses);
  return split;
}

Split split(const std::vector<Verdict>& verdicts) {
  Split result;
  for (const Verdict& verdict : verdicts) {
    (verdict.outcome == "match" ? result.matches : result.misses).push_back(verdict);
  }
  return result;
}

void expect_agreement(Random& random, const Size& size, int worlds, int signals) {
  std::size_t matches = 0;
  std::set<std::string> outcomes;
  for (int world = 0; world < worlds; ++world) {
    const std::vector<Pipeline> pipelines = any_pipelines(random, size);
    const PipelineIndex index(pipelines);
    if (size.pipelines > 1'000) {
      ASSERT_EQ(build_index_parts(pipelines).postings.index(), 1U);  // 64 bits a posting
    }
    for (int number = 0; number < signals; ++number) {
      Texts texts;
      const TradingSignal signal = any_signal(random, size, texts);
      const MatchRules rules{.allow_backtest = one_in(random, 2)};
      const Split expected = split(by_the_rules(pipelines, signal, rules));
      const Split found = by_the_index(index, signal, rules);
      ASSERT_EQ(found.matches, expected.matches) << "world " << world << " signal " << number;
      ASSERT_EQ(found.misses, expected.misses) << "world " << world << " signal " << number;
      matches += found.matches.size();
      for (const Verdict& miss : found.misses) outcomes.insert(miss.outcome);
    }
  }
  EXPECT_GT(matches, static_cast<std::size_t>(worlds));
  EXPECT_EQ(outcomes.size(), 5U);  // each reason came up
}

TEST(PipelineIndexRandom, SmallWorldsMatchByTheRules) {
  Random random(1);
  expect_agreement(random, {.pipelines = 6, .tickers = 8, .confidences = 0, .timeframes = 0}, 3'000,
                   25);
}

TEST(PipelineIndexRandom, WorldsWhoseTickersNeedADirectoryMatchByTheRules) {
  Random random(2);
  expect_agreement(random, {.pipelines = 150, .tickers = 10, .confidences = 0, .timeframes = 4}, 40,
                   500);
}

TEST(PipelineIndexRandom, WorldsWhosePostingsAreWideMatchByTheRules) {
  Random random(3);
  expect_agreement(random,
                   {.pipelines = 600, .tickers = 10, .confidences = 1'000'000, .timeframes = 5'000},
                   10, 500);
}

}  // namespace
}  // namespace signalbox
