#include "domain/signal_timeframe.hpp"

#include <algorithm>
#include <array>

namespace signalbox {
namespace {

struct Spelling {
  std::string_view text;
  std::string_view canonical;
};

// Minutes as the generator counts them, and its letters for days and weeks, beside the words of
// the mobile application.
constexpr std::array kSpellings{
    Spelling{"1", "1m"},   Spelling{"3", "3m"},  Spelling{"5", "5m"},   Spelling{"15", "15m"},
    Spelling{"30", "30m"}, Spelling{"60", "1h"}, Spelling{"120", "2h"}, Spelling{"240", "4h"},
    Spelling{"60m", "1h"}, Spelling{"D", "1d"},  Spelling{"1D", "1d"},  Spelling{"W", "1w"},
    Spelling{"1W", "1w"},  Spelling{"M", "1M"},
};

}  // namespace

std::string_view canonical_signal_timeframe(std::string_view text) {
  const auto found = std::ranges::find(kSpellings, text, &Spelling::text);
  return found == kSpellings.end() ? text : found->canonical;
}

}  // namespace signalbox
