#pragma once

#include <cstdint>
#include <string_view>

#include "domain/message.hpp"

namespace signalbox {

enum class Market : std::uint8_t { UsStocks, Forex, Crypto };

/// The original's rule: `_` in the ticker is a currency pair, `-` with `USD` a coin, else a stock.
Market market_of(std::string_view ticker);

/// Whether the market trades at `time`, by New York's clock: stocks Monday to Friday from 9:30 to
/// 16:00:00 inclusive, not on NYSE holidays, to 13:00:00 on its half days; currencies from Sunday
/// 17:00 until before Friday 17:00; coins always. Holidays are known for the years of
/// market_holidays.hpp; outside of them only weekdays and hours are looked at.
bool is_open(Market market, EventTime time);

/// First and last year of the table of holidays.
int first_holiday_year();
int last_holiday_year();

}  // namespace signalbox
