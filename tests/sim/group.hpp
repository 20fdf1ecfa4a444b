#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sim/log.hpp"
#include "sim/scheduler.hpp"

namespace signalbox::sim {

class Ground;
struct Member;

/// The consumer group: who is a member, who has which partition, and how that changes.
///
/// Cooperative: a partition is taken from its owner before another gets it, unless the owner does
/// not answer for a session's length.
class Group {
 public:
  explicit Group(Ground& ground) : ground_(ground) {}

  void join(Member& process);
  void leave(Member& process);
  bool has(const Member& process) const;

  /// A moment of the coordinator's life: expels, admits again, and moves partitions on.
  void tick();

  /// Partitions are dealt anew at random with the next tick.
  void shuffle() { must_shuffle_ = true; }

  /// The topic was made anew: nobody has it any more.
  void forget(PartitionId partition);

 private:
  struct Seat {
    Member* process;
    Micros last_seen;
    bool is_in = true;  ///< false: expelled, and does not know it
  };

  void look_at(Seat& member);
  void deal();
  void reconcile(PartitionId partition);
  Member* owner_of(PartitionId partition) const;

  Ground& ground_;
  std::vector<Seat> members_;
  std::map<PartitionId, Member*> owners_;
  std::map<PartitionId, Member*> targets_;
  std::size_t dealt_partitions_ = 0;
  bool must_deal_ = false;
  bool must_shuffle_ = false;
};

}  // namespace signalbox::sim
