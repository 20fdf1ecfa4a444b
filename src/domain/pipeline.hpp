#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/uuid.hpp"

namespace signalbox {

/// What happens to a signal whose (pipeline, ticker) is still at work.
enum class BusyPolicy : std::uint8_t {
  Skip,        ///< the signal ends as busy
  KeepLatest,  ///< one slot: the newest signal waits there, the one before is superseded
  Queue,       ///< up to `slots` signals wait in order
};

struct BusyRule {
  BusyPolicy policy = BusyPolicy::Skip;
  std::uint16_t slots = 0;  ///< of Queue; 1 for KeepLatest

  bool operator==(const BusyRule&) const = default;
};

/// One line of `pipelines.signal_subscriptions`.
struct Subscription {
  std::string signal_type;
  std::string timeframe;  ///< canonical (domain/signal_timeframe.hpp); empty = any
  std::optional<double> min_confidence;

  bool operator==(const Subscription&) const = default;
};

/// A user's configured work, started by signals and run by Celery.
struct Pipeline {
  Uuid id;
  std::optional<Uuid> user;
  std::string name;
  std::vector<std::string> tickers;         ///< each once
  std::vector<Subscription> subscriptions;  ///< none = every signal
  std::optional<BusyRule> busy;             ///< absent: as the service is configured
};

}  // namespace signalbox
