#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/reject.hpp"
#include "domain/timeframe.hpp"

namespace signalbox {

/// What a topic carries.
enum class Kind : std::uint8_t {
  Candle,
  Signal,
  AnalyzerSignal,
  FilteredSignal,
  Order,
  Execution,
  DeadLetter,     ///< our own topic of refused messages, copied into its table
  TriggerSignal,  ///< what the trigger reads: has no channel and no row
};

std::string_view name_of(Kind kind);

/// Signals, orders and executions travel in lanes of their own.
constexpr bool is_priority(Kind kind) { return kind != Kind::Candle && kind != Kind::DeadLetter; }

/// Where the messages of one topic go: a function of the topic's name alone.
struct Route {
  Kind kind;
  std::string topic;
  std::string symbol;                  ///< lower case, from the topic; empty when it names none
  std::optional<Timeframe> timeframe;  ///< of a candle; absent on the legacy topic
  std::vector<std::string> channels;   ///< Redis channels, in the order they are published to

  bool operator==(const Route&) const = default;
};

/// Reads the topic's name. The error says why nobody can want its messages.
std::expected<Route, Reject> route_for(std::string_view topic);

/// Of the topic that the trigger reads, whatever its name. Never an error: a lane asks by function.
std::expected<Route, Reject> trigger_route(std::string_view topic);

/// The topics of a lane as regular expressions (POSIX extended, anchored), for a subscription.
/// `symbols` in lower case; empty means every symbol.
std::vector<std::string> market_data_patterns(std::span<const std::string> symbols);
std::vector<std::string> priority_patterns();

/// Whether `text` can be a symbol of a candle: letters and digits, at most 20.
bool is_symbol(std::string_view text);

}  // namespace signalbox
