#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

namespace signalbox {

enum class CandleSignalKind : std::uint8_t { GoldenCross, DeathCross, RsiOversold, RsiOverbought };

/// The signal type as it stands on the wire: `golden_cross`, `rsi_oversold`, …
std::string_view name_of(CandleSignalKind kind);

/// `BULLISH` or `BEARISH`: what a signal of this kind is taken to say.
std::string_view bias_of(CandleSignalKind kind);

/// Two simple moving averages whose crossing is a signal.
struct CrossSpans {
  std::uint16_t short_span = 50;
  std::uint16_t long_span = 200;
  double confidence_min = 70;  ///< of a cross without any momentum

  bool operator==(const CrossSpans&) const = default;
};

/// What a closed candle gave rise to.
struct CandleSignal {
  CandleSignalKind kind;
  double confidence;                  ///< 0 to 100
  std::optional<CrossSpans> spans{};  ///< of a cross
  double short_average = 0;           ///< of a cross, with this candle
  double long_average = 0;            ///< likewise
  double rsi = 0;                     ///< of the other kinds
};

/// Wilder's relative strength index (J. Welles Wilder, New Concepts in Technical Trading Systems,
/// 1978): 100 − 100 / (1 + RS), where RS is the average gain over the average loss. The first
/// averages are plain ones over `period` changes; each later one is the one before, times
/// (period − 1), plus the new change, over `period`.
class WilderRsi {
 public:
  explicit WilderRsi(std::uint16_t period = 14) : period_(period) {}

  /// Absent until `period` changes are known. A market that has not moved at all stands at 50.
  std::optional<double> add(double close);

 private:
  std::uint16_t period_;
  std::uint16_t changes_ = 0;
  std::optional<double> last_close_;
  double gain_ = 0;
  double loss_ = 0;
};

struct CandleSignalRules {
  /// The classical pair, and a quick one for who has a minute.
  std::vector<CrossSpans> crosses{{.short_span = 10, .long_span = 30, .confidence_min = 50},
                                  {.short_span = 50, .long_span = 200, .confidence_min = 70}};
  std::uint16_t rsi_period = 14;
  double oversold = 30;    ///< below: oversold
  double overbought = 70;  ///< above: overbought
  double confidence_max = 95;
};

/// Makes signals of the closed candles of one symbol, in order of time.
///
/// - A cross: the short average was last on the other side of the long one (to stand on it is no
///   side). Its confidence is the pair's `confidence_min` and a point for each basis point of the
///   price by which this candle moved the two apart.
/// - Oversold and overbought: the index enters the zone. The confidence is 60 and two points for
///   each point beyond the border.
///
/// Both are cut at `confidence_max`. A function of the closes alone: the same candles give the same
/// signals, whenever they come.
class CandleSignals {
 public:
  explicit CandleSignals(CandleSignalRules rules);

  std::vector<CandleSignal> add(double close);

 private:
  enum class Side : std::uint8_t { Unknown, Below, Above };
  enum class Zone : std::uint8_t { Unknown, Oversold, Between, Overbought };

  struct Pair {
    CrossSpans spans;
    Side side = Side::Unknown;
    std::optional<double> last_gap;  ///< short average less the long one
  };

  std::optional<CandleSignal> cross(Pair& pair) const;
  std::optional<CandleSignal> enter_zone(double rsi);
  double average(std::size_t span) const;

  CandleSignalRules rules_;
  std::vector<Pair> pairs_;
  std::size_t closes_max_ = 0;
  std::deque<double> closes_;
  WilderRsi rsi_;
  Zone zone_ = Zone::Unknown;
};

}  // namespace signalbox
