#include "domain/text_table.hpp"

#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace signalbox {
namespace {

constexpr std::uint32_t kFree = std::numeric_limits<std::uint32_t>::max();

constexpr std::size_t kTextsMax = std::size_t{1} << 28U;

template <typename Word>
std::uint64_t load(const char* at) {
  Word value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// 1 to 8 characters as one number; a copy of variable length would be a call.
std::uint64_t load_few(const char* at, std::size_t count) {
  if (count >= 4) {
    return load<std::uint32_t>(at) << 32U | load<std::uint32_t>(at + count - 4);
  }
  return load<std::uint8_t>(at) << 16U | load<std::uint8_t>(at + count / 2) << 8U |
         load<std::uint8_t>(at + count - 1);
}

}  // namespace

// Tickers, types and timeframes are a few characters: two words hold nearly all of them.
std::uint64_t TextTable::hash_of(std::string_view text) {
  std::uint64_t hash = text.size() * 0x9E3779B97F4A7C15U;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 8; at += 8, left -= 8) {
    hash = (hash ^ load<std::uint64_t>(at)) * 0xD6E8FEB86659FD93U;
    hash ^= hash >> 32U;
  }
  if (left > 0) hash ^= load_few(at, left);
  hash *= 0xD6E8FEB86659FD93U;
  hash ^= hash >> 32U;
  hash *= 0xD6E8FEB86659FD93U;
  return hash ^ hash >> 29U;
}

// Any number of slots will do, not only powers of two: the upper half of the hash is a fraction.
std::size_t TextTable::home_of(std::uint64_t hash) const {
  return static_cast<std::size_t>(((hash >> 32U) * slots_.size()) >> 32U);
}

std::uint32_t TextTable::tag_of(std::uint64_t hash) const {
  return static_cast<std::uint32_t>(hash) & ~number_mask_;
}

std::optional<std::uint32_t> TextTable::find(std::string_view text) const {
  if (slots_.empty()) return std::nullopt;
  const std::uint64_t hash = hash_of(text);
  const std::uint32_t tag = tag_of(hash);
  for (std::size_t at = home_of(hash);; at = at + 1 == slots_.size() ? 0 : at + 1) {
    const std::uint32_t slot = slots_[at];
    if (slot == kFree) return std::nullopt;
    if ((slot & ~number_mask_) != tag) continue;
    const std::uint32_t number = slot & number_mask_;
    if (this->at(number) == text) return number;
  }
}

std::string_view TextTable::at(std::uint32_t number) const {
  const std::uint32_t begin = begins_[number];
  return {texts_.data() + begin, begins_[number + 1] - begin};
}

std::uint32_t TextTable::intern(std::string_view text) {
  if (const auto known = find(text)) return *known;
  if (texts_.size() + text.size() > kFree || size() >= kTextsMax) {
    throw std::length_error("more texts than a table takes");
  }
  const auto number = static_cast<std::uint32_t>(size());
  texts_.insert(texts_.end(), text.begin(), text.end());
  begins_.push_back(static_cast<std::uint32_t>(texts_.size()));
  if (size() * 2 > slots_.size()) {
    spread(size() * 4 + 8);
  } else {
    const std::uint64_t hash = hash_of(text);
    std::size_t at = home_of(hash);
    while (slots_[at] != kFree) at = at + 1 == slots_.size() ? 0 : at + 1;
    slots_[at] = tag_of(hash) | number;
  }
  return number;
}

void TextTable::seal() {
  texts_.shrink_to_fit();
  begins_.shrink_to_fit();
  // Three quarters full: a text that is there is found within three slots on average, and a
  // foreign one is given up within nine, which lie in one cache line.
  spread(size() + size() / 3 + 1);
}

void TextTable::spread(std::size_t slots) {
  // One bit to spare, so that no number together with its tag looks like a free slot.
  number_mask_ = (std::uint32_t{2} << std::bit_width(slots)) - 1;
  slots_ = std::vector<std::uint32_t>(slots, kFree);
  for (std::uint32_t number = 0; number < size(); ++number) {
    const std::uint64_t hash = hash_of(at(number));
    std::size_t at = home_of(hash);
    while (slots_[at] != kFree) at = at + 1 == slots_.size() ? 0 : at + 1;
    slots_[at] = tag_of(hash) | number;
  }
}

std::size_t TextTable::memory_bytes() const {
  return texts_.capacity() + (begins_.capacity() + slots_.capacity()) * sizeof(std::uint32_t);
}

}  // namespace signalbox
