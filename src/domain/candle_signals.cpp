#include "domain/candle_signals.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

namespace signalbox {
namespace {

constexpr std::array<std::string_view, 4> kNames{"golden_cross", "death_cross", "rsi_oversold",
                                                 "rsi_overbought"};

constexpr double kZoneConfidenceMin = 60;
constexpr double kBasisPoints = 10'000;

}  // namespace

std::string_view name_of(CandleSignalKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::string_view bias_of(CandleSignalKind kind) {
  const bool is_bullish =
      kind == CandleSignalKind::GoldenCross || kind == CandleSignalKind::RsiOversold;
  return is_bullish ? "BULLISH" : "BEARISH";
}

std::optional<double> WilderRsi::add(double close) {
  if (!last_close_) {
    last_close_ = close;
    return std::nullopt;
  }
  const double change = close - *std::exchange(last_close_, close);
  const double gain = std::max(change, 0.0);
  const double loss = std::max(-change, 0.0);
  const double period = period_;
  if (changes_ < period_) {
    ++changes_;
    gain_ += gain / period;
    loss_ += loss / period;
    if (changes_ < period_) return std::nullopt;
  } else {
    gain_ = (gain_ * (period - 1) + gain) / period;
    loss_ = (loss_ * (period - 1) + loss) / period;
  }
  if (gain_ + loss_ == 0) return 50;
  return 100 * gain_ / (gain_ + loss_);  // the same as 100 − 100 / (1 + gain / loss)
}

CandleSignals::CandleSignals(CandleSignalRules rules)
    : rules_(std::move(rules)), rsi_(rules_.rsi_period) {
  for (const CrossSpans& spans : rules_.crosses) {
    pairs_.push_back({.spans = spans, .side = Side::Unknown, .last_gap = std::nullopt});
    closes_max_ = std::max<std::size_t>(closes_max_, spans.long_span);
  }
}

std::vector<CandleSignal> CandleSignals::add(double close) {
  closes_.push_back(close);
  if (closes_.size() > closes_max_) closes_.pop_front();
  std::vector<CandleSignal> signals;
  for (Pair& pair : pairs_) {
    if (closes_.size() < pair.spans.long_span) continue;
    if (auto signal = cross(pair)) signals.push_back(*signal);
  }
  if (const std::optional<double> rsi = rsi_.add(close)) {
    if (auto signal = enter_zone(*rsi)) signals.push_back(*signal);
  }
  return signals;
}

/// Summed anew each time: a running sum would drift, and depend on where it began.
double CandleSignals::average(std::size_t span) const {
  const auto begin = closes_.end() - static_cast<std::ptrdiff_t>(span);
  return std::accumulate(begin, closes_.end(), 0.0) / static_cast<double>(span);
}

std::optional<CandleSignal> CandleSignals::cross(Pair& pair) const {
  const double short_average = average(pair.spans.short_span);
  const double long_average = average(pair.spans.long_span);
  const double gap = short_average - long_average;
  const std::optional<double> last_gap = std::exchange(pair.last_gap, gap);
  if (gap == 0) return std::nullopt;
  const Side side = gap > 0 ? Side::Above : Side::Below;
  const Side side_before = std::exchange(pair.side, side);
  if (side_before == Side::Unknown || side_before == side) return std::nullopt;
  const double momentum = std::abs(gap - last_gap.value_or(gap)) / long_average * kBasisPoints;
  return CandleSignal{
      .kind = side == Side::Above ? CandleSignalKind::GoldenCross : CandleSignalKind::DeathCross,
      .confidence = std::min(rules_.confidence_max, pair.spans.confidence_min + momentum),
      .spans = pair.spans,
      .short_average = short_average,
      .long_average = long_average};
}

std::optional<CandleSignal> CandleSignals::enter_zone(double rsi) {
  Zone zone = Zone::Between;
  if (rsi < rules_.oversold) zone = Zone::Oversold;
  if (rsi > rules_.overbought) zone = Zone::Overbought;
  const Zone zone_before = std::exchange(zone_, zone);
  if (zone_before == Zone::Unknown || zone_before == zone || zone == Zone::Between) {
    return std::nullopt;
  }
  const bool is_low = zone == Zone::Oversold;
  const double beyond = is_low ? rules_.oversold - rsi : rsi - rules_.overbought;
  return CandleSignal{
      .kind = is_low ? CandleSignalKind::RsiOversold : CandleSignalKind::RsiOverbought,
      .confidence = std::min(rules_.confidence_max, kZoneConfidenceMin + 2 * beyond),
      .rsi = rsi};
}

}  // namespace signalbox
