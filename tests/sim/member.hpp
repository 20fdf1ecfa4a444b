#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <vector>

#include "ports/clock.hpp"
#include "ports/message_source.hpp"
#include "sim/fault.hpp"
#include "sim/log.hpp"
#include "sim/scheduler.hpp"

namespace signalbox::sim {

class Ground;
struct Member;

/// Thrown out of a port call when the process dies there. Nobody in the product catches it.
struct Crashed {};

class SimClock final : public Clock {
 public:
  explicit SimClock(Member& member) : member_(member) {}

  ReceivedAt now() const override;
  std::chrono::steady_clock::time_point steady_now() const override;
  void wait(std::chrono::milliseconds duration, std::stop_token stop) override;

 private:
  Member& member_;
};

/// A member's consumer, with the thread of its own that the port speaks of.
class SimSource final : public MessageSource {
 public:
  explicit SimSource(Member& member) : member_(member) {}

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

  Member& member_;
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

/// One life of one replica, as its group sees it.
struct Member {
  Member(Ground& ground_of_member, int member_id) : ground(ground_of_member), id(member_id) {}
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  virtual ~Member() = default;

  /// What a port call begins with: time passes, and whatever is to happen at this step does.
  virtual NetFault enter(Step step) = 0;

  /// Between two batches: what the member tells of itself can be looked at.
  virtual void before_poll() = 0;

  void check_alive();
  void pass_time(Micros from, Micros to);
  bool is_paused() const;

  Ground& ground;
  int id;
  SimClock clock{*this};
  SimSource source{*this};
  FiberId fiber = 0;
  std::stop_source stop;
  bool is_dead = false;
  bool is_done = false;
  Micros paused_until = 0;
  Micros utc_jump = 0;
};

}  // namespace signalbox::sim
