#include "domain/market_hours.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "domain/event_time.hpp"
#include "domain/market_holidays.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

EventTime utc(const std::string& text) {
  const auto time = time_from_iso(text);
  EXPECT_TRUE(time) << text;
  return time.value_or(EventTime{});
}

bool stocks(const std::string& time) { return is_open(Market::UsStocks, utc(time)); }
bool currencies(const std::string& time) { return is_open(Market::Forex, utc(time)); }

/// Noon in New York is 16:00 or 17:00 UTC: open both ways, 13:30 on the wall at the latest is not.
bool trades_on(std::chrono::year_month_day date) {
  return is_open(Market::UsStocks, std::chrono::sys_days{date} + 16h + 30min);
}

TEST(MarketHours, TheTickerTellsItsMarket) {
  EXPECT_EQ(market_of("AAPL"), Market::UsStocks);
  EXPECT_EQ(market_of("BRK-B"), Market::UsStocks);
  EXPECT_EQ(market_of("BTC/USD"), Market::UsStocks);
  EXPECT_EQ(market_of("BTC-USD"), Market::Crypto);
  EXPECT_EQ(market_of("USD-CHF"), Market::Crypto);
  EXPECT_EQ(market_of("EUR_USD"), Market::Forex);
  EXPECT_EQ(market_of("BRK_B"), Market::Forex);
  EXPECT_EQ(market_of("BTC-USD_X"), Market::Forex);
  EXPECT_EQ(market_of(""), Market::UsStocks);
}

TEST(MarketHours, StocksTradeFromHalfPastNineToFourInclusive) {
  // A Tuesday in winter: New York is five hours behind.
  EXPECT_FALSE(stocks("2026-02-03T14:29:59.999"));
  EXPECT_TRUE(stocks("2026-02-03T14:30:00.000"));
  EXPECT_TRUE(stocks("2026-02-03T21:00:00.000"));
  EXPECT_FALSE(stocks("2026-02-03T21:00:00.001"));
  // A Tuesday in summer: four hours.
  EXPECT_FALSE(stocks("2026-08-04T13:29:59.999"));
  EXPECT_TRUE(stocks("2026-08-04T13:30:00.000"));
  EXPECT_TRUE(stocks("2026-08-04T20:00:00.000"));
  EXPECT_FALSE(stocks("2026-08-04T20:00:00.001"));
}

TEST(MarketHours, ClocksChangeOnTheirSundays) {
  // 2026: 8 March and 1 November. The Friday before and the Monday after, at 13:45 and 14:15 UTC.
  EXPECT_FALSE(stocks("2026-03-06T13:45:00"));
  EXPECT_TRUE(stocks("2026-03-09T13:45:00"));
  EXPECT_TRUE(stocks("2026-10-30T13:45:00"));
  EXPECT_FALSE(stocks("2026-11-02T13:45:00"));
  EXPECT_TRUE(stocks("2026-11-02T20:30:00"));
  EXPECT_FALSE(stocks("2026-10-30T20:30:00"));
  // The Sunday itself, by the currencies' opening at 17:00.
  EXPECT_FALSE(currencies("2026-03-08T20:59:59.999"));
  EXPECT_TRUE(currencies("2026-03-08T21:00:00"));
  EXPECT_FALSE(currencies("2026-11-01T21:59:59.999"));
  EXPECT_TRUE(currencies("2026-11-01T22:00:00"));
}

TEST(MarketHours, StocksRestAtWeekends) {
  EXPECT_TRUE(stocks("2026-02-06T17:00:00"));   // Friday
  EXPECT_FALSE(stocks("2026-02-07T17:00:00"));  // Saturday
  EXPECT_FALSE(stocks("2026-02-08T17:00:00"));  // Sunday
  EXPECT_TRUE(stocks("2026-02-09T17:00:00"));   // Monday
}

TEST(MarketHours, CurrenciesTradeFromSundayToFridayAtFive) {
  EXPECT_TRUE(currencies("2026-02-06T21:59:59.999"));  // Friday 16:59:59
  EXPECT_FALSE(currencies("2026-02-06T22:00:00"));
  EXPECT_FALSE(currencies("2026-02-07T17:00:00"));
  EXPECT_FALSE(currencies("2026-02-08T21:59:59.999"));
  EXPECT_TRUE(currencies("2026-02-08T22:00:00"));
  EXPECT_TRUE(currencies("2026-02-10T06:00:00"));
  EXPECT_TRUE(currencies("2026-12-25T17:00:00"));  // the exchange's holidays are not theirs
}

TEST(MarketHours, CoinsAlwaysTrade) {
  for (const auto* time : {"2026-02-07T03:00:00", "2026-12-25T17:00:00", "2026-02-03T17:00:00"}) {
    EXPECT_TRUE(is_open(Market::Crypto, utc(time)));
  }
}

// The exchange's own announcements of its holidays and early closings.
TEST(MarketHours, HolidaysAreThoseThatTheExchangePublished) {
  const std::vector<std::vector<std::string>> published{
      {"2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29", "2024-05-27", "2024-06-19",
       "2024-07-04", "2024-09-02", "2024-11-28", "2024-12-25"},
      {"2025-01-01", "2025-01-09", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26",
       "2025-06-19", "2025-07-04", "2025-09-01", "2025-11-27", "2025-12-25"},
      {"2026-01-01", "2026-01-19", "2026-02-16", "2026-04-03", "2026-05-25", "2026-06-19",
       "2026-07-03", "2026-09-07", "2026-11-26", "2026-12-25"},
      {"2027-01-01", "2027-01-18", "2027-02-15", "2027-03-26", "2027-05-31", "2027-06-18",
       "2027-07-05", "2027-09-06", "2027-11-25", "2027-12-24"}};
  int year = 2024;
  for (const std::vector<std::string>& dates : published) {
    std::vector<std::string> found;
    const std::chrono::sys_days end{std::chrono::year{year + 1} / 1 / 1};
    for (std::chrono::sys_days day{std::chrono::year{year} / 1 / 1}; day < end; day += days{1}) {
      const std::chrono::weekday weekday{day};
      if (weekday == std::chrono::Saturday || weekday == std::chrono::Sunday) continue;
      const std::chrono::year_month_day date{day};
      if (trades_on(date)) continue;
      const auto two = [](unsigned number) {
        return (number < 10 ? "-0" : "-") + std::to_string(number);
      };
      found.push_back(std::to_string(year) + two(static_cast<unsigned>(date.month())) +
                      two(static_cast<unsigned>(date.day())));
    }
    EXPECT_EQ(found, dates);
    ++year;
  }
}

TEST(MarketHours, HalfDaysEndAtOneInclusive) {
  for (const std::string day : {"2024-11-29", "2024-12-24", "2025-11-28", "2025-12-24",
                                "2026-11-27", "2026-12-24", "2027-11-26"}) {
    EXPECT_TRUE(stocks(day + "T14:30:00")) << day;
    EXPECT_TRUE(stocks(day + "T18:00:00.000")) << day;
    EXPECT_FALSE(stocks(day + "T18:00:00.001")) << day;
  }
  for (const std::string day : {"2024-07-03", "2025-07-03"}) {
    EXPECT_TRUE(stocks(day + "T17:00:00.000")) << day;
    EXPECT_FALSE(stocks(day + "T17:00:00.001")) << day;
  }
}

TEST(MarketHours, DaysThatOnlyLookLikeHolidaysAreNone) {
  EXPECT_TRUE(stocks("2021-12-31T20:30:00"));   // New Year's Day 2022 was a Saturday: not kept
  EXPECT_TRUE(stocks("2027-12-31T20:30:00"));   // and so is that of 2028
  EXPECT_TRUE(stocks("2021-06-18T19:30:00"));   // Juneteenth was not yet kept
  EXPECT_FALSE(stocks("2022-06-20T19:30:00"));  // a Sunday, kept on Monday
  EXPECT_TRUE(stocks("2026-07-02T19:30:00"));   // no half day before a holiday kept on Friday
  EXPECT_TRUE(stocks("2021-07-02T19:30:00"));   // nor before one kept on Monday
  EXPECT_FALSE(stocks("2018-12-05T19:30:00"));  // mourning
}

TEST(MarketHours, OutsideOfTheTableOnlyWeekdaysAndHoursCount) {
  EXPECT_EQ(first_holiday_year(), 2018);
  EXPECT_EQ(last_holiday_year(), 2035);
  EXPECT_TRUE(stocks("2036-12-25T17:00:00"));
  EXPECT_TRUE(stocks("2017-12-25T17:00:00"));
  EXPECT_FALSE(stocks("2036-12-27T17:00:00"));
}

TEST(MarketHours, TheTableHoldsWeekdaysInOrder) {
  std::int32_t before = 0;
  for (const MarketHoliday& holiday : kMarketHolidays) {
    EXPECT_LT(before, holiday.date);
    before = holiday.date;
    const std::chrono::year_month_day date{
        std::chrono::year{holiday.date / 10'000},
        std::chrono::month{static_cast<unsigned>(holiday.date / 100 % 100)},
        std::chrono::day{static_cast<unsigned>(holiday.date % 100)}};
    ASSERT_TRUE(date.ok()) << holiday.date;
    EXPECT_LE(std::chrono::weekday{date}.iso_encoding(), 5U) << holiday.date;
  }
}

}  // namespace
}  // namespace signalbox
