#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "domain/backoff.hpp"
#include "domain/recorded_candle.hpp"
#include "ports/clock.hpp"
#include "ports/message_producer.hpp"
#include "ports/message_source.hpp"
#include "services/signal_maker.hpp"
#include "services/step.hpp"

namespace signalbox {

/// The player's own topic: one message a step, the number of candles played so far.
inline constexpr std::string_view kPlayerTopic = "signalbox.player";

struct MarketPlayerOptions {
  std::chrono::milliseconds pace{100};  ///< from one open time of the recording to the next
  /// Each round shifts the candles by the recording's length, so that time goes on; the round
  /// that would reach this time begins again unshifted. Far enough back that no candle is ever
  /// taken for one of the future.
  EventTime times_stay_before = std::chrono::sys_days{std::chrono::year{2025} / 1 / 1};
  Backoff::Limits backoff{};
};

struct MarketPlayerStatus {
  std::uint64_t played = 0;   ///< candles, since the first start ever
  std::uint64_t round = 0;    ///< 0 is the first
  EventTime open_time{};      ///< of the last candle, as it was played
  std::uint64_t signals = 0;  ///< made since the start of this run
  std::string last_signal{};  ///< for people; empty before the first
  std::string last_error{};   ///< of the log; empty while it answers
};

/// Feeds a recording into a log, over and over: a market for those who have none at hand.
///
/// A step plays the candles of one open time, the signals that they make and the player's place in
/// one call of the producer; where that call is all or nothing (the embedded log), no candle and no
/// signal comes twice or is left out across restarts, else the last step may come again. One thread
/// runs it; status() may be called from any.
class MarketPlayer {
 public:
  struct Io {
    MessageProducer& producer;
    MessageSource& places;  ///< reads kPlayerTopic, as the only member of its group
    Clock& clock;
    /// What the candles make beside themselves. Each round begins without a past, so that every
    /// signal follows from the player's place alone.
    SignalMaker* signals = nullptr;
  };

  /// `candles` in order of time, at least one; what they and `io` borrow must outlive the player.
  MarketPlayer(Io io, std::span<const RecordedCandle> candles, MarketPlayerOptions options);

  /// Plays the next open time. Idle until the place of an earlier run is known.
  Step step();

  /// step() at the given pace until a stop is requested.
  void run(std::stop_token stop);

  MarketPlayerStatus status() const { return status_.copy(); }

 private:
  [[nodiscard]] bool find_place();
  void play();
  void take_signals_to_place();
  std::span<const RecordedCandle> next_candles() const;
  std::chrono::milliseconds shift_of(std::uint64_t round) const;

  Io io_;
  std::span<const RecordedCandle> candles_;
  MarketPlayerOptions options_;
  std::uint64_t rounds_max_ = 1;
  std::chrono::milliseconds length_{};  ///< of the recording
  std::optional<std::uint64_t> played_;
  bool signals_are_at_place_ = false;  ///< the maker has heard what was played, and no more
  Guarded<MarketPlayerStatus> status_;
};

}  // namespace signalbox
