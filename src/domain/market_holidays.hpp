#pragma once

// Made by tools/make-market-holidays from NYSE Rule 7.2 and the exchange's published calendars of
// holidays, early closings and days of mourning. Do not edit: change the tool.

#include <array>
#include <cstdint>

namespace signalbox {

enum class MarketDay : std::uint8_t {
  Closed,
  Half,  ///< closes at 13:00
};

struct MarketHoliday {
  std::int32_t date = 0;  ///< 20240704 is the fourth of July 2024
  MarketDay day = MarketDay::Closed;
};

inline constexpr int kFirstHolidayYear = 2018;
inline constexpr int kLastHolidayYear = 2035;

/// Sorted by date; weekends are not in it.
inline constexpr auto kMarketHolidays = std::to_array<MarketHoliday>({
    {20180101, MarketDay::Closed},  // New Year's Day
    {20180115, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20180219, MarketDay::Closed},  // Washington's Birthday
    {20180330, MarketDay::Closed},  // Good Friday
    {20180528, MarketDay::Closed},  // Memorial Day
    {20180703, MarketDay::Half},    // the day before Independence Day
    {20180704, MarketDay::Closed},  // Independence Day
    {20180903, MarketDay::Closed},  // Labor Day
    {20181122, MarketDay::Closed},  // Thanksgiving Day
    {20181123, MarketDay::Half},    // the day after Thanksgiving
    {20181205, MarketDay::Closed},  // National Day of Mourning for George H. W. Bush
    {20181224, MarketDay::Half},    // Christmas Eve
    {20181225, MarketDay::Closed},  // Christmas Day
    {20190101, MarketDay::Closed},  // New Year's Day
    {20190121, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20190218, MarketDay::Closed},  // Washington's Birthday
    {20190419, MarketDay::Closed},  // Good Friday
    {20190527, MarketDay::Closed},  // Memorial Day
    {20190703, MarketDay::Half},    // the day before Independence Day
    {20190704, MarketDay::Closed},  // Independence Day
    {20190902, MarketDay::Closed},  // Labor Day
    {20191128, MarketDay::Closed},  // Thanksgiving Day
    {20191129, MarketDay::Half},    // the day after Thanksgiving
    {20191224, MarketDay::Half},    // Christmas Eve
    {20191225, MarketDay::Closed},  // Christmas Day
    {20200101, MarketDay::Closed},  // New Year's Day
    {20200120, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20200217, MarketDay::Closed},  // Washington's Birthday
    {20200410, MarketDay::Closed},  // Good Friday
    {20200525, MarketDay::Closed},  // Memorial Day
    {20200703, MarketDay::Closed},  // Independence Day
    {20200907, MarketDay::Closed},  // Labor Day
    {20201126, MarketDay::Closed},  // Thanksgiving Day
    {20201127, MarketDay::Half},    // the day after Thanksgiving
    {20201224, MarketDay::Half},    // Christmas Eve
    {20201225, MarketDay::Closed},  // Christmas Day
    {20210101, MarketDay::Closed},  // New Year's Day
    {20210118, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20210215, MarketDay::Closed},  // Washington's Birthday
    {20210402, MarketDay::Closed},  // Good Friday
    {20210531, MarketDay::Closed},  // Memorial Day
    {20210705, MarketDay::Closed},  // Independence Day
    {20210906, MarketDay::Closed},  // Labor Day
    {20211125, MarketDay::Closed},  // Thanksgiving Day
    {20211126, MarketDay::Half},    // the day after Thanksgiving
    {20211224, MarketDay::Closed},  // Christmas Day
    {20220117, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20220221, MarketDay::Closed},  // Washington's Birthday
    {20220415, MarketDay::Closed},  // Good Friday
    {20220530, MarketDay::Closed},  // Memorial Day
    {20220620, MarketDay::Closed},  // Juneteenth
    {20220704, MarketDay::Closed},  // Independence Day
    {20220905, MarketDay::Closed},  // Labor Day
    {20221124, MarketDay::Closed},  // Thanksgiving Day
    {20221125, MarketDay::Half},    // the day after Thanksgiving
    {20221226, MarketDay::Closed},  // Christmas Day
    {20230102, MarketDay::Closed},  // New Year's Day
    {20230116, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20230220, MarketDay::Closed},  // Washington's Birthday
    {20230407, MarketDay::Closed},  // Good Friday
    {20230529, MarketDay::Closed},  // Memorial Day
    {20230619, MarketDay::Closed},  // Juneteenth
    {20230703, MarketDay::Half},    // the day before Independence Day
    {20230704, MarketDay::Closed},  // Independence Day
    {20230904, MarketDay::Closed},  // Labor Day
    {20231123, MarketDay::Closed},  // Thanksgiving Day
    {20231124, MarketDay::Half},    // the day after Thanksgiving
    {20231225, MarketDay::Closed},  // Christmas Day
    {20240101, MarketDay::Closed},  // New Year's Day
    {20240115, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20240219, MarketDay::Closed},  // Washington's Birthday
    {20240329, MarketDay::Closed},  // Good Friday
    {20240527, MarketDay::Closed},  // Memorial Day
    {20240619, MarketDay::Closed},  // Juneteenth
    {20240703, MarketDay::Half},    // the day before Independence Day
    {20240704, MarketDay::Closed},  // Independence Day
    {20240902, MarketDay::Closed},  // Labor Day
    {20241128, MarketDay::Closed},  // Thanksgiving Day
    {20241129, MarketDay::Half},    // the day after Thanksgiving
    {20241224, MarketDay::Half},    // Christmas Eve
    {20241225, MarketDay::Closed},  // Christmas Day
    {20250101, MarketDay::Closed},  // New Year's Day
    {20250109, MarketDay::Closed},  // National Day of Mourning for James Carter
    {20250120, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20250217, MarketDay::Closed},  // Washington's Birthday
    {20250418, MarketDay::Closed},  // Good Friday
    {20250526, MarketDay::Closed},  // Memorial Day
    {20250619, MarketDay::Closed},  // Juneteenth
    {20250703, MarketDay::Half},    // the day before Independence Day
    {20250704, MarketDay::Closed},  // Independence Day
    {20250901, MarketDay::Closed},  // Labor Day
    {20251127, MarketDay::Closed},  // Thanksgiving Day
    {20251128, MarketDay::Half},    // the day after Thanksgiving
    {20251224, MarketDay::Half},    // Christmas Eve
    {20251225, MarketDay::Closed},  // Christmas Day
    {20260101, MarketDay::Closed},  // New Year's Day
    {20260119, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20260216, MarketDay::Closed},  // Washington's Birthday
    {20260403, MarketDay::Closed},  // Good Friday
    {20260525, MarketDay::Closed},  // Memorial Day
    {20260619, MarketDay::Closed},  // Juneteenth
    {20260703, MarketDay::Closed},  // Independence Day
    {20260907, MarketDay::Closed},  // Labor Day
    {20261126, MarketDay::Closed},  // Thanksgiving Day
    {20261127, MarketDay::Half},    // the day after Thanksgiving
    {20261224, MarketDay::Half},    // Christmas Eve
    {20261225, MarketDay::Closed},  // Christmas Day
    {20270101, MarketDay::Closed},  // New Year's Day
    {20270118, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20270215, MarketDay::Closed},  // Washington's Birthday
    {20270326, MarketDay::Closed},  // Good Friday
    {20270531, MarketDay::Closed},  // Memorial Day
    {20270618, MarketDay::Closed},  // Juneteenth
    {20270705, MarketDay::Closed},  // Independence Day
    {20270906, MarketDay::Closed},  // Labor Day
    {20271125, MarketDay::Closed},  // Thanksgiving Day
    {20271126, MarketDay::Half},    // the day after Thanksgiving
    {20271224, MarketDay::Closed},  // Christmas Day
    {20280117, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20280221, MarketDay::Closed},  // Washington's Birthday
    {20280414, MarketDay::Closed},  // Good Friday
    {20280529, MarketDay::Closed},  // Memorial Day
    {20280619, MarketDay::Closed},  // Juneteenth
    {20280703, MarketDay::Half},    // the day before Independence Day
    {20280704, MarketDay::Closed},  // Independence Day
    {20280904, MarketDay::Closed},  // Labor Day
    {20281123, MarketDay::Closed},  // Thanksgiving Day
    {20281124, MarketDay::Half},    // the day after Thanksgiving
    {20281225, MarketDay::Closed},  // Christmas Day
    {20290101, MarketDay::Closed},  // New Year's Day
    {20290115, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20290219, MarketDay::Closed},  // Washington's Birthday
    {20290330, MarketDay::Closed},  // Good Friday
    {20290528, MarketDay::Closed},  // Memorial Day
    {20290619, MarketDay::Closed},  // Juneteenth
    {20290703, MarketDay::Half},    // the day before Independence Day
    {20290704, MarketDay::Closed},  // Independence Day
    {20290903, MarketDay::Closed},  // Labor Day
    {20291122, MarketDay::Closed},  // Thanksgiving Day
    {20291123, MarketDay::Half},    // the day after Thanksgiving
    {20291224, MarketDay::Half},    // Christmas Eve
    {20291225, MarketDay::Closed},  // Christmas Day
    {20300101, MarketDay::Closed},  // New Year's Day
    {20300121, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20300218, MarketDay::Closed},  // Washington's Birthday
    {20300419, MarketDay::Closed},  // Good Friday
    {20300527, MarketDay::Closed},  // Memorial Day
    {20300619, MarketDay::Closed},  // Juneteenth
    {20300703, MarketDay::Half},    // the day before Independence Day
    {20300704, MarketDay::Closed},  // Independence Day
    {20300902, MarketDay::Closed},  // Labor Day
    {20301128, MarketDay::Closed},  // Thanksgiving Day
    {20301129, MarketDay::Half},    // the day after Thanksgiving
    {20301224, MarketDay::Half},    // Christmas Eve
    {20301225, MarketDay::Closed},  // Christmas Day
    {20310101, MarketDay::Closed},  // New Year's Day
    {20310120, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20310217, MarketDay::Closed},  // Washington's Birthday
    {20310411, MarketDay::Closed},  // Good Friday
    {20310526, MarketDay::Closed},  // Memorial Day
    {20310619, MarketDay::Closed},  // Juneteenth
    {20310703, MarketDay::Half},    // the day before Independence Day
    {20310704, MarketDay::Closed},  // Independence Day
    {20310901, MarketDay::Closed},  // Labor Day
    {20311127, MarketDay::Closed},  // Thanksgiving Day
    {20311128, MarketDay::Half},    // the day after Thanksgiving
    {20311224, MarketDay::Half},    // Christmas Eve
    {20311225, MarketDay::Closed},  // Christmas Day
    {20320101, MarketDay::Closed},  // New Year's Day
    {20320119, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20320216, MarketDay::Closed},  // Washington's Birthday
    {20320326, MarketDay::Closed},  // Good Friday
    {20320531, MarketDay::Closed},  // Memorial Day
    {20320618, MarketDay::Closed},  // Juneteenth
    {20320705, MarketDay::Closed},  // Independence Day
    {20320906, MarketDay::Closed},  // Labor Day
    {20321125, MarketDay::Closed},  // Thanksgiving Day
    {20321126, MarketDay::Half},    // the day after Thanksgiving
    {20321224, MarketDay::Closed},  // Christmas Day
    {20330117, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20330221, MarketDay::Closed},  // Washington's Birthday
    {20330415, MarketDay::Closed},  // Good Friday
    {20330530, MarketDay::Closed},  // Memorial Day
    {20330620, MarketDay::Closed},  // Juneteenth
    {20330704, MarketDay::Closed},  // Independence Day
    {20330905, MarketDay::Closed},  // Labor Day
    {20331124, MarketDay::Closed},  // Thanksgiving Day
    {20331125, MarketDay::Half},    // the day after Thanksgiving
    {20331226, MarketDay::Closed},  // Christmas Day
    {20340102, MarketDay::Closed},  // New Year's Day
    {20340116, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20340220, MarketDay::Closed},  // Washington's Birthday
    {20340407, MarketDay::Closed},  // Good Friday
    {20340529, MarketDay::Closed},  // Memorial Day
    {20340619, MarketDay::Closed},  // Juneteenth
    {20340703, MarketDay::Half},    // the day before Independence Day
    {20340704, MarketDay::Closed},  // Independence Day
    {20340904, MarketDay::Closed},  // Labor Day
    {20341123, MarketDay::Closed},  // Thanksgiving Day
    {20341124, MarketDay::Half},    // the day after Thanksgiving
    {20341225, MarketDay::Closed},  // Christmas Day
    {20350101, MarketDay::Closed},  // New Year's Day
    {20350115, MarketDay::Closed},  // Martin Luther King, Jr. Day
    {20350219, MarketDay::Closed},  // Washington's Birthday
    {20350323, MarketDay::Closed},  // Good Friday
    {20350528, MarketDay::Closed},  // Memorial Day
    {20350619, MarketDay::Closed},  // Juneteenth
    {20350703, MarketDay::Half},    // the day before Independence Day
    {20350704, MarketDay::Closed},  // Independence Day
    {20350903, MarketDay::Closed},  // Labor Day
    {20351122, MarketDay::Closed},  // Thanksgiving Day
    {20351123, MarketDay::Half},    // the day after Thanksgiving
    {20351224, MarketDay::Half},    // Christmas Eve
    {20351225, MarketDay::Closed},  // Christmas Day
});

}  // namespace signalbox
