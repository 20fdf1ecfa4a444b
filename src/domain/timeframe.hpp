#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace signalbox {

/// Period of a candle.
enum class Timeframe : std::uint8_t { M1, M3, M5, M15, H1, D1 };

inline constexpr std::array kTimeframes{Timeframe::M1,  Timeframe::M3, Timeframe::M5,
                                        Timeframe::M15, Timeframe::H1, Timeframe::D1};

/// As topics and channels spell it: "1m", "1h", …
constexpr std::string_view name_of(Timeframe timeframe) {
  constexpr std::array<std::string_view, 6> names{"1m", "3m", "5m", "15m", "1h", "1d"};
  return names[static_cast<std::size_t>(timeframe)];
}

constexpr std::optional<Timeframe> timeframe_from(std::string_view text) {
  for (const Timeframe timeframe : kTimeframes) {
    if (name_of(timeframe) == text) return timeframe;
  }
  return std::nullopt;
}

}  // namespace signalbox
