#pragma once

#include <string_view>

namespace signalbox {

/// One spelling for the timeframes of both vocabularies: `5` and `5m` are `5m`, `60` and `1h` are
/// `1h`, `240` and `4h` are `4h`, `D` and `1d` are `1d`, `W` and `1w` are `1w`. A word that is
/// neither stays as it is and equals only itself.
std::string_view canonical_signal_timeframe(std::string_view text);

}  // namespace signalbox
