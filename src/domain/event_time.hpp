#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "domain/message.hpp"
#include "domain/reject.hpp"

namespace signalbox {

/// What a bare number means as a time.
enum class EpochUnit : std::uint8_t {
  Milliseconds,           ///< candles: seconds are a known mistake and refused as such
  SecondsOrMilliseconds,  ///< signals, orders, executions: below 2e10 they are seconds
};

/// Nothing of ours happened before the first block of the first chain.
inline constexpr EventTime kEarliestEventTime =
    std::chrono::sys_days{std::chrono::year{2009} / std::chrono::January / 1};

/// Clocks of senders may be wrong by a time zone, not by more than this.
inline constexpr std::chrono::days kFutureMax{1};

/// Reads `2025-10-27T13:56:00`, with `T` or a space between date and time, with or without
/// seconds, a fraction (what is below a millisecond is cut off) and `Z` or an offset; without an
/// offset it is UTC, and without a time midnight. nullopt for anything else.
std::optional<EventTime> time_from_iso(std::string_view text);

/// Reads a number since 1970, a JSON number. Fractions of a millisecond are an error where the
/// unit is milliseconds and rounded where it may be seconds.
std::expected<EventTime, RejectReason> time_from_epoch(std::string_view number, EpochUnit unit);

/// Refuses what is before kEarliestEventTime or later than `now` + kFutureMax.
std::expected<EventTime, RejectReason> plausible_time(EventTime time, ReceivedAt now);

}  // namespace signalbox
