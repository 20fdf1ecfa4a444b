#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "adapters/redis_claim_request.hpp"
#include "adapters/redis_connection.hpp"
#include "domain/message.hpp"
#include "domain/trigger_outcome.hpp"

namespace signalbox {

/// One line of the outcome stream. Borrows for the length of the call.
struct RecordedOutcome {
  EventTime recorded_at;
  std::string_view signal_key;
  std::string_view pipeline;  ///< its id
  std::string_view ticker;
  TriggerOutcome outcome;
};

enum class ReadOn : std::uint8_t { Yes, Stop };

/// Reads the outcomes that replicas have recorded (docs/WIRE.md), newest entry first, for people
/// and comparisons. Entries that it cannot read are passed. One thread.
class RedisOutcomes {
 public:
  RedisOutcomes(RedisOptions redis, TaskQueueMode mode);

  /// Calls `tell` for each outcome until it says Stop or there are no more. Throws IoError.
  void read(const std::function<ReadOn(const RecordedOutcome&)>& tell);

 private:
  RedisConnection connection_;
  std::string stream_;
};

}  // namespace signalbox
