#pragma once

#include <expected>

#include "domain/facts.hpp"
#include "domain/message.hpp"
#include "domain/reject.hpp"
#include "domain/routing.hpp"

namespace signalbox {

/// Reads what routing needs from a payload, once, at the border.
///
/// Checks: present, at most kMaxPayloadBytes, UTF-8, JSON in structure and strings, an object, and
/// the types and ranges of the fields that are read. A missing field is not an error here. Other
/// scalars must be JSON tokens, NaN, Infinity or -Infinity. One thread owns a reader.
class PayloadReader {
 public:
  virtual ~PayloadReader() = default;

  /// `now` bounds times in the future. The facts point into `message.payload`.
  virtual std::expected<Facts, Reject> read(const Route& route, const Message& message,
                                            ReceivedAt now) = 0;
};

/// Payloads up to here are valid, as the original's producer allows.
inline constexpr std::size_t kMaxPayloadBytes = 2'000'000;

}  // namespace signalbox
