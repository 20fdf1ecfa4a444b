#include "domain/routing.hpp"

#include <algorithm>
#include <array>

namespace signalbox {
namespace {

constexpr std::string_view kMarketData = "market.data.";
constexpr std::string_view kMarketDataChannel = "roottrading:market:data:";

/// Topics that are not market data: one line each.
struct NamedTopic {
  std::string_view topic;
  Kind kind;
  std::string_view channel;  ///< empty: published nowhere
};

constexpr std::array kNamedTopics{
    NamedTopic{"signals", Kind::Signal, "roottrading:signals"},
    NamedTopic{"analyzer.signals", Kind::AnalyzerSignal, "analyzer:signals"},
    NamedTopic{"signals.filtered", Kind::FilteredSignal, "roottrading:signals:filtered"},
    NamedTopic{"orders", Kind::Order, "roottrading:trade:order"},
    NamedTopic{"executions", Kind::Execution, "roottrading:trade:execution"},
    NamedTopic{"signalbox.dead-letters", Kind::DeadLetter, ""},
};

constexpr bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

/// 1h and 1d had no channel of their own in the original: they went to the channel without a
/// timeframe, and still do, beside their own.
bool keeps_legacy_channel(Timeframe timeframe) {
  return timeframe == Timeframe::H1 || timeframe == Timeframe::D1;
}

std::expected<Route, Reject> market_data_route(std::string_view topic) {
  const std::string_view rest = topic.substr(kMarketData.size());
  const std::size_t dot = rest.find('.');
  const std::string_view symbol = rest.substr(0, dot);
  if (!is_symbol(symbol)) {
    return std::unexpected(
        Reject{RejectReason::MalformedSymbol, "topic `" + std::string(topic) + "`"});
  }
  Route route{.kind = Kind::Candle,
              .topic = std::string(topic),
              .symbol = lower(symbol),
              .timeframe = std::nullopt,
              .channels = {}};
  const std::string legacy = std::string(kMarketDataChannel) + route.symbol;
  if (dot == std::string_view::npos) {
    route.channels = {legacy};
    return route;
  }
  route.timeframe = timeframe_from(rest.substr(dot + 1));
  if (!route.timeframe) {
    return std::unexpected(
        Reject{RejectReason::UnknownTimeframe, "topic `" + std::string(topic) + "`"});
  }
  route.channels = {legacy + ":" + std::string(name_of(*route.timeframe))};
  if (keeps_legacy_channel(*route.timeframe)) route.channels.push_back(legacy);
  return route;
}

/// A literal dot in a regular expression.
std::string escaped(std::string_view topic) {
  std::string pattern;
  for (const char c : topic) {
    if (c == '.') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace

std::string_view name_of(Kind kind) {
  constexpr std::array<std::string_view, 8> names{
      "candle", "signal",    "analyzer_signal", "filtered_signal",
      "order",  "execution", "dead_letter",     "trigger_signal"};
  return names[static_cast<std::size_t>(kind)];
}

bool is_symbol(std::string_view text) {
  return !text.empty() && text.size() <= 20 && std::ranges::all_of(text, is_alphanumeric);
}

std::expected<Route, Reject> route_for(std::string_view topic) {
  if (topic.starts_with(kMarketData)) return market_data_route(topic);
  const auto* named = std::ranges::find(kNamedTopics, topic, &NamedTopic::topic);
  if (named == kNamedTopics.end()) {
    return std::unexpected(Reject{RejectReason::NoRoute, "topic `" + std::string(topic) + "`"});
  }
  Route route{.kind = named->kind,
              .topic = std::string(topic),
              .symbol = {},
              .timeframe = std::nullopt,
              .channels = {}};
  if (!named->channel.empty()) route.channels.emplace_back(named->channel);
  return route;
}

std::expected<Route, Reject> trigger_route(std::string_view topic) {
  return Route{.kind = Kind::TriggerSignal,
               .topic = std::string(topic),
               .symbol = {},
               .timeframe = std::nullopt,
               .channels = {}};
}

std::vector<std::string> market_data_patterns(std::span<const std::string> symbols) {
  // An unknown timeframe matches too: its messages become dead letters instead of going unseen.
  if (symbols.empty()) return {"^market\\.data\\.[^.]+(\\.[^.]+)?$"};
  std::string alternatives;
  for (const std::string& symbol : symbols) {
    if (!alternatives.empty()) alternatives += '|';
    alternatives += symbol;
  }
  return {"^market\\.data\\.(" + alternatives + ")(\\.[^.]+)?$"};
}

std::vector<std::string> priority_patterns() {
  std::vector<std::string> patterns;
  for (const NamedTopic& named : kNamedTopics) {
    if (is_priority(named.kind)) patterns.push_back("^" + escaped(named.topic) + "$");
  }
  return patterns;
}

}  // namespace signalbox
