#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.hpp"
#include "ports/clock.hpp"
#include "services/delivery_lane.hpp"

namespace signalbox {

/// What a message source tells about itself, whatever its technology.
struct SourceReport {
  bool is_connected = false;
  ReceivedAt since{};
  std::string last_error;
  std::uint64_t assigned_partitions = 0;
  std::uint64_t handover_messages = 0;
  std::uint64_t handover_bytes = 0;
  bool is_paused = false;
  std::uint64_t rebalances = 0;
  std::int64_t lag = 0;  ///< messages between the group's place and the log's end
  std::vector<std::string> topics{};
};

/// The adapters of one lane, made by the app that knows the technologies.
struct LaneParts {
  std::string sink_name;  ///< redis, postgres, sqlite, bus: as /diagnostic names the dependency
  std::string log_name;   ///< kafka, log
  LaneOptions options;
  std::unique_ptr<MessageSource> source;
  std::unique_ptr<Sink> sink;
  std::unique_ptr<DeadLetters> dead_letters;
  std::unique_ptr<PayloadReader> reader;
  std::function<SourceReport()> report_source;  ///< any thread
  /// Gives up the source's share of the log; the last call to it. Empty where nobody shares.
  std::function<void()> leave_log{};
};

/// Whether a lane's threads give way to others when the cores are busy.
enum class Urgency : std::uint8_t { Priority, Background };

/// One lane with all that belongs to it, running on a thread of its own until it is destroyed.
class LaneUnit {
 public:
  /// `make` is called on the lane's own thread, so that threads which the adapters start inherit
  /// its urgency. Throws what `make` throws.
  LaneUnit(const std::function<LaneParts()>& make, Urgency urgency, Clock& clock,
           LatencySummary& delays);
  ~LaneUnit();
  LaneUnit(const LaneUnit&) = delete;
  LaneUnit& operator=(const LaneUnit&) = delete;

  /// The lane takes nothing new; join() returns when the batch in hand is settled or given up, and
  /// its share of the log is left to others.
  void request_stop() { thread_.request_stop(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  /// After request_stop(): what the lane's thread does, and whom it waits for, in words for a
  /// person. Empty when it has ended. Any thread.
  std::string waits_for() const;

  const std::string& sink_name() const { return parts_.sink_name; }
  const std::string& log_name() const { return parts_.log_name; }
  LaneStatus status() const { return lane_->status(); }
  SourceReport source() const { return parts_.report_source(); }
  LatencySnapshot delays() const { return delays_.snapshot(); }
  void acknowledge_gaps() { lane_->acknowledge_gaps(); }

 private:
  enum class Phase : std::uint8_t { Delivering, Leaving, Ended };

  void run(const std::stop_token& stop);

  LatencySummary& delays_;
  std::atomic<Phase> phase_ = Phase::Delivering;
  LaneParts parts_;
  std::unique_ptr<DeliveryLane> lane_;
  std::jthread thread_;  // last: ends before anything that it uses goes away
};

}  // namespace signalbox
