#include "domain/comparison.hpp"

namespace signalbox {
namespace {

struct CauseText {
  std::string_view name;
  std::string_view text;
};

/// In the order of Cause.
constexpr std::array<CauseText, kCauseCount> kCauses{{
    {"signals_dropped", "the original drops signals, analyzer.signals; reads no signals.filtered"},
    {"original_dedup", "the original takes two messages of a topic within 1 s for one"},
    {"original_repeated", "the original published it twice"},
    {"own_channel", "1h and 1d have a channel of their own here"},
    {"unknown_timeframe", "an unknown timeframe is a dead letter here"},
    {"rejected_here", "a dead letter here"},
    {"time_not_read", "time as a float, or only start_time: the original stores no row"},
    {"original_not_stored", "the original published it and stored no row"},
    {"before_interval", "from before the interval: the original was not there, or lost it"},
    {"open_over_closed", "an open candle overwrote a closed one in the original's table"},
    {"stream_trimmed", "trimmed from the shadow's stream (REDIS_STREAM_MAXLEN)"},
    {"unexplained", "unexplained"},
}};

}  // namespace

std::string_view name_of(Verdict verdict) {
  constexpr std::array<std::string_view, 4> names{"agree", "differ", "only in the original",
                                                  "only in the shadow"};
  return names[static_cast<std::size_t>(verdict)];
}

std::string_view name_of(Cause cause) { return kCauses[static_cast<std::size_t>(cause)].name; }

std::string_view text_of(Cause cause) { return kCauses[static_cast<std::size_t>(cause)].text; }

}  // namespace signalbox
