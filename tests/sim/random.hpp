#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace signalbox::sim {

/// Vigna's splitmix64: small, quick, and the same on every machine, which std's distributions
/// are not.
class Random {
 public:
  /// Neighbouring seeds must not begin at neighbouring places of one sequence.
  explicit Random(std::uint64_t seed) : state_(mix(seed ^ 0x5851F42D4C957F2DULL)) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    return mix(state_);
  }

  /// From `low` to `high`, both included.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
  }

  std::size_t below(std::size_t count) { return static_cast<std::size_t>(next() % count); }

  /// True `percent` times in a hundred.
  bool chance(int percent) { return between(1, 100) <= percent; }

  template <typename T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  static std::uint64_t mix(std::uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9ULL;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBULL;
    return bits ^ (bits >> 31);
  }

  std::uint64_t state_;
};

}  // namespace signalbox::sim
