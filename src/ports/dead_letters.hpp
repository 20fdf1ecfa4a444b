#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/dead_letter.hpp"

namespace signalbox {

/// Where refused messages go before the fence passes them.
///
/// At least once: a crash between put() and the fence puts the same letter again; its key makes
/// the copies one. One thread owns a queue.
class DeadLetters {
 public:
  virtual ~DeadLetters() = default;

  /// Returns when every letter is durable. Throws IoError when that cannot be said; the caller
  /// keeps its batch and puts all of them again.
  virtual void put(std::span<const DeadLetter> letters) = 0;
};

}  // namespace signalbox
