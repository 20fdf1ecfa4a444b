#pragma once

#include <array>
#include <cstdint>

#include "domain/reject.hpp"

namespace signalbox {

/// Each message that a lane takes in hand ends in exactly one of these; the sum is the law:
/// received = delivered + superseded + rejected + skipped + in_flight.
struct LaneCounters {
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::uint64_t superseded = 0;  ///< candles that a later one of the same key replaced in a batch
  std::uint64_t rejected = 0;    ///< now dead letters
  std::uint64_t skipped = 0;     ///< the fence had passed them, or another member has them now
  std::uint64_t in_flight = 0;

  std::uint64_t urgent = 0;     ///< delivered with priority `high`, as the original counts it
  std::uint64_t publishes = 0;  ///< a message with two channels is published twice
  std::uint64_t receivers = 0;  ///< copies that subscribers got, summed over the publishes
  std::array<std::uint64_t, kRejectReasonCount> rejected_by_reason{};

  bool balanced() const {
    return received == delivered + superseded + rejected + skipped + in_flight;
  }

  bool operator==(const LaneCounters&) const = default;
};

}  // namespace signalbox
