#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace signalbox {

/// Buckets for durations from 1 µs to 19 hours: each power of two is cut in 16, so a value read
/// back is at most 3.2 % off. Below 16 µs every microsecond has a bucket of its own.
struct LatencyBuckets {
  static constexpr std::size_t kPerOctave = 16;
  static constexpr std::size_t kOctaves = 32;
  static constexpr std::size_t kCount = kPerOctave * (kOctaves + 1);

  /// The bucket of a duration; negative ones count as zero, longer ones than 19 h go to the last.
  static std::size_t index_of(std::chrono::nanoseconds duration);

  /// The shortest duration of a bucket, in µs. `lower_us(kCount)` is where the last one ends.
  static std::uint64_t lower_us(std::size_t index);
};

/// What a LatencySummary held at one moment. A value: subtract an earlier one to get an interval.
class LatencySnapshot {
 public:
  std::uint64_t count() const { return count_; }

  /// The duration that `fraction` (0 to 1) of the measurements do not exceed, within 5 %. Zero
  /// when nothing was measured.
  std::chrono::microseconds quantile(double fraction) const;

  std::chrono::microseconds mean() const;

  /// The sum of all measurements.
  std::chrono::microseconds sum() const { return std::chrono::microseconds{sum_us_}; }

  /// How many measurements were shorter than 2^`exponent` µs, exactly.
  std::uint64_t count_below_power_us(unsigned exponent) const;

  /// What was measured after `earlier`, a snapshot of the same summary; nothing when that one is
  /// the later of the two.
  LatencySnapshot since(const LatencySnapshot& earlier) const;

  /// Both together: two lanes of one sink.
  LatencySnapshot operator+(const LatencySnapshot& other) const;

  bool operator==(const LatencySnapshot&) const = default;

 private:
  friend class LatencySummary;

  std::array<std::uint64_t, LatencyBuckets::kCount> counts_{};
  std::uint64_t count_ = 0;
  std::int64_t sum_us_ = 0;
};

/// Counts durations and tells their quantiles. Lock-free: any thread records, any thread reads.
///
/// About 5 ns per `record`; where many messages share a time, record them with one call.
class LatencySummary {
 public:
  LatencySummary() = default;
  LatencySummary(const LatencySummary&) = delete;
  LatencySummary& operator=(const LatencySummary&) = delete;

  void record(std::chrono::nanoseconds duration, std::uint64_t times = 1) noexcept;

  /// Measurements that arrive while it is taken may be in it or not; none is ever half in it.
  LatencySnapshot snapshot() const;

 private:
  std::array<std::atomic<std::uint64_t>, LatencyBuckets::kCount> counts_{};
  std::atomic<std::int64_t> sum_us_{0};
};

}  // namespace signalbox
