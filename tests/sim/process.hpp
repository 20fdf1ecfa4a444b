#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/latency.hpp"
#include "ports/clock.hpp"
#include "ports/dead_letters.hpp"
#include "ports/message_source.hpp"
#include "ports/payload_reader.hpp"
#include "ports/sink.hpp"
#include "services/delivery_lane.hpp"
#include "sim/fault.hpp"
#include "sim/random.hpp"
#include "sim/store.hpp"

namespace signalbox::sim {

class World;
struct Process;

/// Thrown out of a port call when the process dies there. Nobody in the product catches it.
struct Crashed {};

class SimClock final : public Clock {
 public:
  explicit SimClock(Process& process) : process_(process) {}

  ReceivedAt now() const override;
  std::chrono::steady_clock::time_point steady_now() const override;
  void wait(std::chrono::milliseconds duration, std::stop_token stop) override;

 private:
  Process& process_;
};

/// A member's consumer, with the thread of its own that the port speaks of.
class SimSource final : public MessageSource {
 public:
  explicit SimSource(Process& process) : process_(process) {}

  Polled poll(const PollLimits& limits, std::chrono::milliseconds wait) override;
  std::optional<FetchId> begin(const TopicPartition& partition, Offset offset) override;
  bool owns(const TopicPartition& partition) const override;
  std::map<TopicPartition, LogRange> ranges(std::span<const TopicPartition> partitions) override;
  Offset offset_at(const TopicPartition& partition, EventTime time) override;
  std::vector<TopicPartition> all_partitions() override;
  void commit(const TopicPartition& partition, Offset next) override;
  std::string lineage() override { return "simulated"; }

  /// What the member's own thread does.
  void on_assigned(PartitionId partition);
  void on_lost(PartitionId partition);
  void on_lost_all();
  void on_truncated(PartitionId partition);
  void flush_commits();
  bool owns(PartitionId partition) const { return owned_.contains(partition); }

  /// The topic's incarnation as this member knew it last.
  int incarnation_of(PartitionId partition) const;
  const LogRange* told(PartitionId partition) const;
  const LogRange* told_first(PartitionId partition) const;
  int first_incarnation_of(PartitionId partition) const;
  bool was_told_of_a_commit() const { return was_told_of_a_commit_; }

 private:
  struct Fetch {
    FetchId id;
    std::int64_t position = 0;
    int incarnation = 0;
  };
  struct Held {
    PartitionId partition;
    FetchId fetch;
    std::vector<MessageId> messages;
  };

  void fetch();
  void fetch_some(PartitionId partition, Fetch& fetch);
  Polled collect(const PollLimits& limits);
  void drop_held(PartitionId partition);
  void await_log();

  Process& process_;
  std::set<PartitionId> owned_;
  std::set<PartitionId> assigned_untold_;
  std::set<PartitionId> lost_untold_;
  std::set<PartitionId> out_of_range_;
  std::map<PartitionId, Fetch> fetches_;
  std::deque<Held> held_;
  std::size_t held_messages_ = 0;
  std::uint64_t next_fetch_ = 0;
  struct PendingCommit {
    Offset next;
    int incarnation = 0;
  };
  void accept(PartitionId partition, const PendingCommit& commit);
  std::map<PartitionId, PendingCommit> commits_;
  std::map<PartitionId, LogRange> told_;
  std::map<PartitionId, LogRange> told_first_;
  std::map<PartitionId, int> incarnations_;
  std::map<PartitionId, int> first_incarnations_;
  bool was_told_of_a_commit_ = false;
};

/// A client of the store: one connection at a time.
class SimSink final : public Sink {
 public:
  explicit SimSink(Process& process) : process_(process) {}

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  WriteOutcome write(const WriteBatch& batch) override;
  void ping() override;
  std::vector<SinkWarning> inspect() override { return {}; }

 private:
  enum class Answer { Came, Cut, None };

  std::shared_ptr<Call> make_call(Call::Kind kind);
  void fill(Call& call, const WriteBatch& batch);
  void check_first_fences(const Call& call);
  Answer exchange(const std::shared_ptr<Call>& call, const NetFault& fault,
                  const std::function<void()>& meanwhile = {});
  WriteOutcome outcome_of(const std::shared_ptr<Call>& call, Answer answer, Step step);
  WriteOutcome unknown(const std::shared_ptr<Call>& call, const char* why);
  bool settles(std::span<const TopicPartition> partitions) const;

  Process& process_;
  std::optional<std::uint64_t> connection_;  ///< the boot of the server it leads to
  std::shared_ptr<Call> last_write_;         ///< of a batch, while its outcome is in doubt
  bool must_settle_ = false;                 ///< a reply was lost: only reading may follow
};

class SimDeadLetters final : public DeadLetters {
 public:
  explicit SimDeadLetters(Process& process) : process_(process) {}

  void put(std::span<const DeadLetter> letters) override;

 private:
  Process& process_;
};

class SimReader final : public PayloadReader {
 public:
  explicit SimReader(Process& process) : process_(process) {}

  std::expected<Facts, Reject> read(const Route& route, const Message& message,
                                    ReceivedAt now) override;

 private:
  Process& process_;
};

/// One life of one replica: a lane and all that it borrows.
struct Process {
  Process(World& world_of_process, int process_id);

  /// What every port call begins with: time passes, and whatever is to happen at this step does.
  NetFault enter(Step step);
  void check_alive();
  void pass_time(Micros from, Micros to);

  World& world;
  int id;
  SimClock clock{*this};
  SimSource source{*this};
  SimSink sink{*this};
  SimDeadLetters letters{*this};
  SimReader reader{*this};
  LatencySummary delays;
  std::unique_ptr<DeliveryLane> lane;
  FiberId fiber = 0;
  std::stop_source stop;
  bool is_dead = false;
  bool is_done = false;
  Micros paused_until = 0;
  Micros utc_jump = 0;

  std::uint64_t rows_landed = 0;  ///< by writes of this process, as the store knows
  bool is_writing = false;        ///< a batch is on its way to the sink: the next one may be polled
  std::uint64_t rows_known = 0;   ///< those that it has been told of
  bool knows_group_started = false;  ///< has seen the group's mark
  std::uint64_t rows_of_others = 0;  ///< those that another wrote while a reply of its was lost

  bool is_paused() const;
};

}  // namespace signalbox::sim
