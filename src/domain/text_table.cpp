#include "domain/text_table.hpp"

#include <cstring>
#include <limits>
#include <stdexcept>

namespace signalbox {
namespace {

template <typename Word>
std::uint64_t load(const char* at) {
  Word value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// 1 to 8 characters as one number, another one for each text of the length; a copy of variable
/// length would be a call.
std::uint64_t load_few(const char* at, std::size_t count) {
  if (count >= 4) {
    return load<std::uint32_t>(at) << 32U | load<std::uint32_t>(at + count - 4);
  }
  return load<std::uint8_t>(at) << 16U | load<std::uint8_t>(at + count / 2) << 8U |
         load<std::uint8_t>(at + count - 1);
}

// Tickers, types and timeframes are a few characters: two words hold nearly all of them.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = text.size() * 0x9E3779B97F4A7C15U;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 8; at += 8, left -= 8) {
    hash = (hash ^ load<std::uint64_t>(at)) * 0xD6E8FEB86659FD93U;
    hash ^= hash >> 32U;
  }
  if (left > 0) hash ^= load_few(at, left);
  return mixed(hash);
}

bool is_same(std::string_view one, std::string_view other) {
  const std::size_t size = one.size();
  if (size != other.size()) return false;
  if (size == 0) return true;
  const char* const a = one.data();
  const char* const b = other.data();
  if (size <= 8) return load_few(a, size) == load_few(b, size);
  if (size > 16) return std::memcmp(a, b, size) == 0;
  return load<std::uint64_t>(a) == load<std::uint64_t>(b) &&
         load<std::uint64_t>(a + size - 8) == load<std::uint64_t>(b + size - 8);
}

}  // namespace

std::optional<std::uint32_t> TextTable::find(std::string_view text) const {
  return slots_.find(hash_of(text),
                     [&](std::uint32_t number) { return is_same(at(number), text); });
}

std::uint32_t TextTable::intern(std::string_view text) {
  const std::uint64_t hash = hash_of(text);
  const auto known =
      slots_.find(hash, [&](std::uint32_t number) { return is_same(at(number), text); });
  if (known) return *known;
  if (texts_.size() + text.size() > std::numeric_limits<std::uint32_t>::max() ||
      size() >= SlotTable::kItemsMax) {
    throw std::length_error("more texts than a table takes");
  }
  const auto number = static_cast<std::uint32_t>(size());
  texts_.insert(texts_.end(), text.begin(), text.end());
  begins_.push_back(static_cast<std::uint32_t>(texts_.size()));
  if (slots_.is_crowded_by(size())) {
    spread(size() * 4 + 8);
  } else {
    slots_.insert(hash, number);
  }
  return number;
}

void TextTable::seal() {
  texts_.shrink_to_fit();
  begins_.shrink_to_fit();
  spread(slots_for(size()));
}

void TextTable::spread(std::size_t slots) {
  slots_.clear(slots);
  for (std::uint32_t number = 0; number < size(); ++number) {
    slots_.insert(hash_of(at(number)), number);
  }
}

std::size_t TextTable::memory_bytes() const {
  return texts_.capacity() + begins_.capacity() * sizeof(std::uint32_t) + slots_.memory_bytes();
}

}  // namespace signalbox
