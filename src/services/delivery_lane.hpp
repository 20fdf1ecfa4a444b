#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "base/latency.hpp"
#include "domain/backoff.hpp"
#include "domain/fence.hpp"
#include "domain/lane_counters.hpp"
#include "ports/clock.hpp"
#include "ports/dead_letters.hpp"
#include "ports/message_source.hpp"
#include "ports/payload_reader.hpp"
#include "ports/sink.hpp"
#include "services/lane_plan.hpp"
#include "services/step.hpp"

namespace signalbox {

struct LaneOptions {
  std::string name;     ///< redis, redis-priority, postgres, postgres-priority: on dead letters
  std::string label{};  ///< in status and log; tells loops of one name apart; empty: the name
  StartAt first_start = StartAt::Earliest;
  RouteOf route_of = route_for;  ///< what the messages of a topic are
  /// Where a sink that forgot its fences lost the messages' effects with them: how far before the
  /// group's commit to go on. Absent: at the commit.
  std::optional<std::chrono::milliseconds> rewind_when_forgotten{};
  PollLimits poll{};
  std::chrono::milliseconds poll_wait{100};
  Backoff::Limits backoff{};
  std::chrono::milliseconds idle_ping{1'000};  ///< how long a sink may stay unasked
  /// How often the sink's set-up is looked at, and its fences are compared with ours: a sink that
  /// is emptied in place breaks no connection, and a partition without traffic would never tell.
  std::chrono::milliseconds inspect_every{15'000};
  std::chrono::milliseconds drain{4'000};  ///< for the batch in hand, after a stop
  std::uint64_t seed = 1;                  ///< of the jitter of waits
};

/// Whether something that the lane depends on answers, and since when.
struct DependencyState {
  bool is_up = false;
  ReceivedAt since{};
  std::string last_error;  ///< of the last failure; kept after recovery

  bool operator==(const DependencyState&) const = default;
};

/// What a lane tells about itself. A copy; safe to keep.
struct LaneStatus {
  std::string name;
  LaneCounters counters;
  DependencyState sink;
  DependencyState log;  ///< the message source and the dead-letter topic
  std::vector<SinkWarning> warnings;
  std::uint64_t partitions = 0;
  std::uint64_t waiting_partitions = 0;  ///< assigned, their fences not read yet
  std::int64_t lost_to_retention = 0;    ///< gap messages in the fences, unacknowledged
  std::uint64_t alarms = 0;              ///< rows of the amnesia table other than the ordinary
  std::string last_alarm;
  ReceivedAt last_delivery{};
  FenceMap fences;  ///< at most half a second old
};

/// One loop over one sink: poll, route, write, commit.
///
/// Each message's effect is in the sink once, in partition order, whatever fails: the fence moves
/// in the same write as the data, and a batch stays in hand until the sink has said that it has
/// it. One thread calls step() or run(); status() and acknowledge_gaps() may be called from any.
/// What it borrows must outlive it.
class DeliveryLane {
 public:
  struct Io {
    MessageSource& source;
    Sink& sink;
    DeadLetters& dead_letters;
    PayloadReader& reader;
    Clock& clock;
    /// Gets the time from each message's log timestamp to the sink's word that it has it.
    LatencySummary& delays;
  };

  DeliveryLane(Io io, LaneOptions options);

  /// One duty cycle. Failed means that something outside did not answer: wait, then call again.
  Step step();

  /// step() until a stop is requested, with waits after failures; then finishes the batch in hand.
  void run(std::stop_token stop);

  LaneStatus status() const { return published_.copy(); }

  /// Whether the last call to the outside was one to the sink, and not to the log. Any thread.
  bool talks_to_sink() const { return talking_to_ == &status_.sink; }

  /// An operator has seen the gaps: they are taken out of the fences with the next step.
  void acknowledge_gaps() { acknowledge_ = true; }

 private:
  struct InHand {
    MessageBatch batch;
    std::uint64_t messages = 0;
    /// What is judged by the time is judged by this one, however often the batch is planned: a
    /// message must not become a letter first and then be delivered.
    ReceivedAt taken_at{};
    RefusedRows refused_rows{};
    std::optional<LanePlan> plan{};
    bool is_verified = false;  ///< the first messages after a begin() were compared
    bool letters_are_put = false;
    bool is_doubtful = false;  ///< a reply was lost: the fences must be read before anything else
    std::optional<Committed> if_landed{};  ///< of every write of this batch without a reply
  };

  /// What comes after the batch in hand, polled while the sink works on that.
  struct Ahead {
    Polled polled;
    ReceivedAt taken_at{};
    /// For the fences as they are when the batch in hand has landed; absent: made later.
    std::optional<LanePlan> plan{};
  };

  Step guarded_step();
  void take_next();
  void look_ahead();
  bool still_fits(const LanePlan& plan, const MessageBatch& batch) const;
  bool is_ready(const Run& run) const;
  void take(Polled polled, ReceivedAt taken_at);
  void lose(const TopicPartition& partition);
  void start_over(const TopicPartition& partition);
  void verify_first_messages();
  Step deliver();
  void put_letters();
  Step write();
  Step set_aside(RowsRejected& rejected);
  Step finish(const Committed& committed);
  void record_delays(const LanePlan& plan, ReceivedAt now);
  Step settle_doubt();
  void adopt(const FenceMap& actual, std::span<const TopicPartition> partitions);
  bool is_recheck_due() const;
  void recheck();
  void stay_awake();
  void drain();

  void place_waiting();
  void start_group(const FenceMap& fences);
  [[nodiscard]] bool place_fences(std::span<const FenceMove> moves);
  FenceMove placement(const TopicPartition& partition, const FenceMap& fences,
                      const LogRange& range, GroupHistory history);
  Offset rewound(const TopicPartition& partition, Offset commit);
  void begin(const TopicPartition& partition, const Fence& fence, const LogRange& range);
  void replace_by_time(const TopicPartition& partition);
  void clear_gaps();

  void alarm(ResumeCase resume_case, const TopicPartition& partition, const std::string& detail);
  void read_worked();
  void write_worked();
  void mark_up(DependencyState& state);
  void mark_down(DependencyState& state, const std::string& why);
  void publish_status();

  /// Every call to the outside goes through one of these two, so that a failure finds its owner.
  MessageSource& log();
  Sink& sink();

  Io io_;
  LaneOptions options_;
  /// The log when the lane first looked: what "latest" means however late the sink answers.
  std::optional<std::map<TopicPartition, LogRange>> log_at_start_;
  /// This lane has seen the group's mark: should the sink forget it before any commit has reached
  /// the log, it is no first start.
  bool knows_group_started_ = false;
  OwnedPartitions owned_;
  std::vector<TopicPartition> waiting_;  ///< assigned, but their fences are not read yet
  std::optional<InHand> in_hand_;
  std::optional<Ahead> ahead_;
  bool is_draining_ = false;
  bool must_recheck_ = false;  ///< the sink may hold older fences than we believe
  bool write_failed_ = false;  ///< and has not been made good: that the sink answers is not enough
  std::atomic<bool> acknowledge_ = false;
  std::chrono::steady_clock::time_point last_contact_{};
  std::chrono::steady_clock::time_point last_inspection_{};
  std::chrono::steady_clock::time_point last_recheck_{};
  std::chrono::steady_clock::time_point last_fences_published_{};
  LaneStatus status_;
  std::atomic<DependencyState*> talking_to_ = &status_.log;
  Guarded<LaneStatus> published_;
};

}  // namespace signalbox
