#include "domain/market_hours.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "domain/market_holidays.hpp"

namespace signalbox {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::sys_days;
using std::chrono::weekday;
using std::chrono::year_month_day;

constexpr milliseconds kStocksOpen = hours{9} + minutes{30};
constexpr milliseconds kStocksClose = hours{16};
constexpr milliseconds kStocksCloseEarly = hours{13};
constexpr milliseconds kCurrenciesTurn = hours{17};  // Sunday's opening, Friday's close

/// What the clocks on New York's walls show.
struct WallTime {
  std::chrono::local_days day;
  milliseconds since_midnight{};

  year_month_day date() const { return year_month_day{day}; }
  weekday day_of_week() const { return weekday{day}; }
};

/// Summer time as the Energy Policy Act of 2005 has it: from the second Sunday of March to the
/// first Sunday of November, at two o'clock by the clock that is being left.
bool is_summer_time(EventTime time) {
  const auto year = year_month_day{std::chrono::floor<days>(time)}.year();
  const auto begin = sys_days{year / std::chrono::March / std::chrono::Sunday[2]} + hours{2 + 5};
  const auto end = sys_days{year / std::chrono::November / std::chrono::Sunday[1]} + hours{2 + 4};
  return time >= begin && time < end;
}

WallTime new_york(EventTime time) {
  const hours behind{is_summer_time(time) ? 4 : 5};
  const std::chrono::local_time<milliseconds> wall{time.time_since_epoch() - behind};
  const auto day = std::chrono::floor<days>(wall);
  return {.day = day, .since_midnight = wall - day};
}

std::optional<MarketDay> holiday_on(year_month_day date) {
  const std::int32_t key = static_cast<int>(date.year()) * 10'000 +
                           static_cast<std::int32_t>(static_cast<unsigned>(date.month())) * 100 +
                           static_cast<std::int32_t>(static_cast<unsigned>(date.day()));
  const auto found = std::ranges::lower_bound(kMarketHolidays, key, {}, &MarketHoliday::date);
  if (found == kMarketHolidays.end() || found->date != key) return std::nullopt;
  return found->day;
}

bool are_stocks_open(const WallTime& now) {
  const weekday day = now.day_of_week();
  if (day == std::chrono::Saturday || day == std::chrono::Sunday) return false;
  const std::optional<MarketDay> holiday = holiday_on(now.date());
  if (holiday == MarketDay::Closed) return false;
  const milliseconds close = holiday == MarketDay::Half ? kStocksCloseEarly : kStocksClose;
  return now.since_midnight >= kStocksOpen && now.since_midnight <= close;
}

bool are_currencies_open(const WallTime& now) {
  const weekday day = now.day_of_week();
  if (day == std::chrono::Saturday) return false;
  if (day == std::chrono::Sunday) return now.since_midnight >= kCurrenciesTurn;
  return day != std::chrono::Friday || now.since_midnight < kCurrenciesTurn;
}

}  // namespace

Market market_of(std::string_view ticker) {
  if (ticker.contains('_')) return Market::Forex;
  if (ticker.contains('-') && ticker.contains("USD")) return Market::Crypto;
  return Market::UsStocks;
}

bool is_open(Market market, EventTime time) {
  if (market == Market::Crypto) return true;
  const WallTime now = new_york(time);
  return market == Market::Forex ? are_currencies_open(now) : are_stocks_open(now);
}

int first_holiday_year() { return kFirstHolidayYear; }
int last_holiday_year() { return kLastHolidayYear; }

}  // namespace signalbox
