#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace signalbox {

/// Why a message can never be handled. The names are API: dead letters, counters and documents
/// carry them.
enum class RejectReason : std::uint8_t {
  Tombstone,
  TooLarge,
  NotUtf8,
  NotJson,
  NotAnObject,
  MissingField,
  WrongType,
  NotFinite,
  HighBelowLow,
  TimeInSeconds,
  TimeBefore2009,
  TimeInFuture,
  TimeMalformed,
  UnknownTimeframe,
  MalformedSymbol,
  NoRoute,
  RefusedBySink,
  MalformedReplay,
};

inline constexpr std::size_t kRejectReasonCount = 18;

constexpr std::string_view name_of(RejectReason reason) {
  constexpr std::array<std::string_view, kRejectReasonCount> names{
      "tombstone",       "too_large",         "not_utf8",         "not_json",
      "not_an_object",   "missing_field",     "wrong_type",       "not_finite",
      "high_below_low",  "time_in_seconds",   "time_before_2009", "time_in_future",
      "time_malformed",  "unknown_timeframe", "malformed_symbol", "no_route",
      "refused_by_sink", "malformed_replay"};
  return names[static_cast<std::size_t>(reason)];
}

/// A refusal and what was found, in words for the person who reads the dead letter.
struct Reject {
  RejectReason reason;
  std::string detail;

  bool operator==(const Reject&) const = default;
};

}  // namespace signalbox
