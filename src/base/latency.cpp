#include "base/latency.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace signalbox {
namespace {

constexpr unsigned kSubBits = std::countr_zero(LatencyBuckets::kPerOctave);

}  // namespace

std::size_t LatencyBuckets::index_of(std::chrono::nanoseconds duration) {
  if (duration.count() <= 0) return 0;
  const auto micros = static_cast<std::uint64_t>(duration.count()) / 1000;
  if (micros < kPerOctave) return micros;
  const auto octave = static_cast<unsigned>(std::bit_width(micros)) - 1 - kSubBits;
  if (octave >= kOctaves) return kCount - 1;
  // The leading bit is set, so `micros >> octave` is 16 to 31.
  return kPerOctave * octave + (micros >> octave);
}

std::uint64_t LatencyBuckets::lower_us(std::size_t index) {
  if (index < 2 * kPerOctave) return index;
  const std::size_t octave = index / kPerOctave - 1;
  return (kPerOctave + index % kPerOctave) << octave;
}

std::chrono::microseconds LatencySnapshot::quantile(double fraction) const {
  if (count_ == 0) return std::chrono::microseconds{0};
  const double clamped = std::clamp(fraction, 0.0, 1.0);
  const auto rank = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(clamped * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen < rank) continue;
    // The middle of the bucket; one that is a single microsecond wide is that microsecond.
    const std::uint64_t lower = LatencyBuckets::lower_us(i);
    const std::uint64_t width = LatencyBuckets::lower_us(i + 1) - lower;
    return std::chrono::microseconds{lower + width / 2};
  }
  return std::chrono::microseconds{LatencyBuckets::lower_us(LatencyBuckets::kCount)};
}

std::chrono::microseconds LatencySnapshot::mean() const {
  if (count_ == 0) return std::chrono::microseconds{0};
  return std::chrono::microseconds{sum_us_ / static_cast<std::int64_t>(count_)};
}

std::uint64_t LatencySnapshot::count_below_power_us(unsigned exponent) const {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (LatencyBuckets::lower_us(i) >= std::uint64_t{1} << exponent) break;
    below += counts_[i];
  }
  return below;
}

LatencySnapshot LatencySnapshot::since(const LatencySnapshot& earlier) const {
  LatencySnapshot interval;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    // Two requests may take their snapshots in one order and compare them in the other.
    if (counts_[i] <= earlier.counts_[i]) continue;
    interval.counts_[i] = counts_[i] - earlier.counts_[i];
    interval.count_ += interval.counts_[i];
  }
  interval.sum_us_ = std::max<std::int64_t>(0, sum_us_ - earlier.sum_us_);
  return interval;
}

LatencySnapshot LatencySnapshot::operator+(const LatencySnapshot& other) const {
  LatencySnapshot both = *this;
  for (std::size_t i = 0; i < counts_.size(); ++i) both.counts_[i] += other.counts_[i];
  both.count_ += other.count_;
  both.sum_us_ += other.sum_us_;
  return both;
}

void LatencySummary::record(std::chrono::nanoseconds duration, std::uint64_t times) noexcept {
  counts_[LatencyBuckets::index_of(duration)].fetch_add(times, std::memory_order_relaxed);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  sum_us_.fetch_add(std::max<std::int64_t>(0, micros) * static_cast<std::int64_t>(times),
                    std::memory_order_relaxed);
}

LatencySnapshot LatencySummary::snapshot() const {
  LatencySnapshot now;
  // The count is the sum of the buckets, never a counter beside them: it always fits.
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    now.counts_[i] = counts_[i].load(std::memory_order_relaxed);
    now.count_ += now.counts_[i];
  }
  now.sum_us_ = sum_us_.load(std::memory_order_relaxed);
  return now;
}

}  // namespace signalbox
