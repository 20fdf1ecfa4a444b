#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace signalbox {

/// What became of one (signal, pipeline, ticker). The names are API: counters, the outcome stream
/// and `explain` carry them. All are terminal but Held, which a later outcome follows.
enum class TriggerOutcome : std::uint8_t {
  Enqueued,
  Held,         ///< waits in a slot until the run before it has ended
  Busy,         ///< a task or run of the pair is at work, and the policy is skip
  Superseded,   ///< a newer signal took its slot
  QueueFull,    ///< every slot of the pair was taken
  Deactivated,  ///< the pipeline was switched off, or no longer watches, while the signal waited
  Duplicate,    ///< the signal came before
  Expired,      ///< older than SIGNAL_MAX_AGE_SECONDS
  MarketClosed,
  NoSubscription,   ///< the pipeline wants other types of signal
  WrongTimeframe,   ///< the type is wanted, on another timeframe
  BelowConfidence,  ///< type and timeframe are wanted, from a higher confidence on
  NotRouted,        ///< the sender's ticker_pipelines names other pipelines for this ticker
  NoUser,           ///< the pipeline has no owner, so no worker would run it
  BacktestOff,      ///< a backtest's signal, and ALLOW_BACKTEST_SIGNALS is off
};

inline constexpr std::size_t kTriggerOutcomeCount = 15;

constexpr std::string_view name_of(TriggerOutcome outcome) {
  constexpr std::array<std::string_view, kTriggerOutcomeCount> names{"enqueued",
                                                                     "held",
                                                                     "busy",
                                                                     "superseded",
                                                                     "queue_full",
                                                                     "deactivated",
                                                                     "duplicate",
                                                                     "expired",
                                                                     "market_closed",
                                                                     "no_subscription",
                                                                     "wrong_timeframe",
                                                                     "below_confidence",
                                                                     "not_routed",
                                                                     "no_user",
                                                                     "backtest_off"};
  return names[static_cast<std::size_t>(outcome)];
}

/// One letter an outcome, in the order of the enumerators: the packed form of the outcome stream.
inline constexpr std::string_view kOutcomeLetters = "EHBSQVDXMNTCRUK";
static_assert(kOutcomeLetters.size() == kTriggerOutcomeCount);

constexpr char letter_of(TriggerOutcome outcome) {
  return kOutcomeLetters[static_cast<std::size_t>(outcome)];
}

constexpr std::optional<TriggerOutcome> outcome_from(char letter) {
  const std::size_t at = kOutcomeLetters.find(letter);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<TriggerOutcome>(at);
}

}  // namespace signalbox
