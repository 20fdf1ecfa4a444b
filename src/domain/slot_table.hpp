#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace signalbox {

/// Spreads the bits of a number over all 64.
constexpr std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 32U;
  value *= 0xD6E8FEB86659FD93U;
  value ^= value >> 32U;
  value *= 0xD6E8FEB86659FD93U;
  return value ^ value >> 32U;
}

/// Finds the number of an item by the item's hash; the items are somebody else's. Four bytes a
/// slot: the number in the low bits, what is left of the hash above, so that few strangers are
/// looked at.
class SlotTable {
 public:
  static constexpr std::size_t kItemsMax = std::size_t{1} << 28U;

  /// `is_it(number)` says whether this is the item that is looked for.
  template <typename IsIt>
  std::optional<std::uint32_t> find(std::uint64_t hash, IsIt is_it) const {
    if (slots_.empty()) return std::nullopt;
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t at = home_of(hash);; at = next(at)) {
      const std::uint32_t slot = slots_[at];
      if (slot == kFree) return std::nullopt;
      if ((slot & ~number_mask_) == tag && is_it(slot & number_mask_)) return slot & number_mask_;
    }
  }

  /// Of an item that is not in it. The caller keeps it from getting full.
  void insert(std::uint64_t hash, std::uint32_t number) {
    std::size_t at = home_of(hash);
    while (slots_[at] != kFree) at = next(at);
    slots_[at] = tag_of(hash) | number;
  }

  bool is_crowded_by(std::size_t items) const { return items * 2 > slots_.size(); }

  /// Empty again, with so many slots.
  void clear(std::size_t slots) {
    // One bit to spare, so that no number together with its tag looks like a free slot.
    number_mask_ = (std::uint32_t{2} << std::bit_width(slots)) - 1;
    slots_ = std::vector<std::uint32_t>(slots, kFree);
  }

  std::size_t memory_bytes() const { return slots_.capacity() * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint32_t kFree = std::numeric_limits<std::uint32_t>::max();

  // Any number of slots will do, not only powers of two: the upper half of the hash is a fraction.
  std::size_t home_of(std::uint64_t hash) const {
    return static_cast<std::size_t>(((hash >> 32U) * slots_.size()) >> 32U);
  }
  std::size_t next(std::size_t at) const { return at + 1 == slots_.size() ? 0 : at + 1; }
  std::uint32_t tag_of(std::uint64_t hash) const {
    return static_cast<std::uint32_t>(hash) & ~number_mask_;
  }

  std::vector<std::uint32_t> slots_;
  std::uint32_t number_mask_ = 0;
};

/// Three quarters full: what is there is found within three slots on average, what is not is given
/// up within nine, which lie in one cache line.
constexpr std::size_t slots_for(std::size_t items) { return items + items / 3 + 1; }

}  // namespace signalbox
