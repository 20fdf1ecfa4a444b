#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "domain/slot_table.hpp"

namespace signalbox {

/// Texts by number and numbers by text, each text once, in a few bytes beside the text itself.
///
/// A look-up takes constant time and allocates nothing. One thread fills it; sealed, any thread
/// may read it.
class TextTable {
 public:
  TextTable() { begins_.push_back(0); }

  /// The text's number; the next free one where it is new. Throws std::length_error where 2^28
  /// texts or 4 GB are too few.
  std::uint32_t intern(std::string_view text);

  std::optional<std::uint32_t> find(std::string_view text) const;
  std::string_view at(std::uint32_t number) const {
    const std::uint32_t begin = begins_[number];
    return {texts_.data() + begin, begins_[number + 1] - begin};
  }

  std::size_t size() const { return begins_.size() - 1; }
  std::size_t memory_bytes() const;

  /// Gives back what was kept for growing.
  void seal();

 private:
  void spread(std::size_t slots);

  std::vector<char> texts_;            // one after the other
  std::vector<std::uint32_t> begins_;  // and the end of the last
  SlotTable slots_;
};

}  // namespace signalbox
