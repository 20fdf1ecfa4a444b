#include "domain/event_time.hpp"

#include <cmath>

#include "domain/number_text.hpp"

namespace signalbox {
namespace {

/// 2001-01-01 and 2100-01-01 in seconds. As milliseconds these are days in 1970, which no candle
/// has.
constexpr double kSecondsMin = 978'307'200;
constexpr double kSecondsEnd = 4'102'444'800;

/// Below this a number of a signal is in seconds (the year 2603), from here on in milliseconds
/// (August 1970): where the original's schema draws the line.
constexpr double kSecondsLimit = 2e10;

/// Milliseconds beyond this (the year 5138) are no time anybody means, and still far from where a
/// double skips integers or std::chrono overflows.
constexpr double kMillisecondsLimit = 1e14;

/// Takes digits and marks off the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool next_is_digit() const { return !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; }

  /// Exactly `count` digits.
  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  /// One of `marks`, or '\0' when the next character is none of them.
  char mark(std::string_view marks) {
    if (rest_.empty() || marks.find(rest_[0]) == std::string_view::npos) return '\0';
    const char found = rest_[0];
    rest_.remove_prefix(1);
    return found;
  }

 private:
  std::string_view rest_;
};

std::optional<std::chrono::sys_days> date(Cursor& cursor) {
  const std::optional<int> year = cursor.digits(4);
  if (!year || !cursor.mark("-")) return std::nullopt;
  const std::optional<int> month = cursor.digits(2);
  if (!month || !cursor.mark("-")) return std::nullopt;
  const std::optional<int> day = cursor.digits(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date};
}

/// The digits after the point, cut off at milliseconds.
std::optional<std::chrono::milliseconds> fraction(Cursor& cursor) {
  if (!cursor.next_is_digit()) return std::nullopt;
  int value = 0;
  for (int unit = 100; cursor.next_is_digit(); unit /= 10) value += *cursor.digits(1) * unit;
  return std::chrono::milliseconds{value};
}

std::optional<std::chrono::milliseconds> time_of_day(Cursor& cursor) {
  const std::optional<int> hours = cursor.digits(2);
  if (!hours || *hours > 23 || !cursor.mark(":")) return std::nullopt;
  const std::optional<int> minutes = cursor.digits(2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::chrono::milliseconds time = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
  if (!cursor.mark(":")) return time;
  const std::optional<int> seconds = cursor.digits(2);
  if (!seconds || *seconds > 59) return std::nullopt;
  time += std::chrono::seconds{*seconds};
  if (!cursor.mark(".")) return time;
  const auto rest = fraction(cursor);
  if (!rest) return std::nullopt;
  return time + *rest;
}

/// `Z`, `+01:00`, `+0100`, `+01`, or nothing, which is UTC.
std::optional<std::chrono::minutes> offset_from_utc(Cursor& cursor) {
  const char sign = cursor.mark("Zz+-");
  if (sign == '\0' || sign == 'Z' || sign == 'z') return std::chrono::minutes{0};
  const std::optional<int> hours = cursor.digits(2);
  if (!hours || *hours > 23) return std::nullopt;
  std::chrono::minutes offset = std::chrono::hours{*hours};
  if (cursor.mark(":") || cursor.next_is_digit()) {
    const std::optional<int> minutes = cursor.digits(2);
    if (!minutes || *minutes > 59) return std::nullopt;
    offset += std::chrono::minutes{*minutes};
  }
  return sign == '-' ? -offset : offset;
}

}  // namespace

std::optional<EventTime> time_from_iso(std::string_view text) {
  Cursor cursor{text};
  const auto day = date(cursor);
  if (!day) return std::nullopt;
  if (cursor.at_end()) return EventTime{*day};
  if (!cursor.mark("Tt ")) return std::nullopt;
  const auto time = time_of_day(cursor);
  if (!time) return std::nullopt;
  const auto offset = offset_from_utc(cursor);
  if (!offset || !cursor.at_end()) return std::nullopt;
  return EventTime{*day} + *time - *offset;
}

std::expected<EventTime, RejectReason> time_from_epoch(std::string_view number, EpochUnit unit) {
  double value = number_value(number);
  if (!std::isfinite(value)) return std::unexpected(RejectReason::NotFinite);
  if (unit == EpochUnit::SecondsOrMilliseconds) {
    value = std::round(std::abs(value) < kSecondsLimit ? value * 1000 : value);
  } else if (value >= kSecondsMin && value < kSecondsEnd) {
    return std::unexpected(RejectReason::TimeInSeconds);
  }
  if (value >= kMillisecondsLimit) return std::unexpected(RejectReason::TimeInFuture);
  if (value <= -kMillisecondsLimit) return std::unexpected(RejectReason::TimeBefore2009);
  if (value != std::floor(value)) return std::unexpected(RejectReason::TimeMalformed);
  return EventTime{std::chrono::milliseconds{static_cast<std::int64_t>(value)}};
}

std::expected<EventTime, RejectReason> plausible_time(EventTime time, ReceivedAt now) {
  if (time < kEarliestEventTime) return std::unexpected(RejectReason::TimeBefore2009);
  if (time > now + kFutureMax) return std::unexpected(RejectReason::TimeInFuture);
  return time;
}

}  // namespace signalbox
