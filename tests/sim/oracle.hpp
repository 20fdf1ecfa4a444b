#pragma once

#include <cstdint>
#include <string>

#include "sim/store.hpp"

namespace signalbox::sim {

class World;
struct Process;

/// Judges lanes by what is true, at each write that lands, at each poll, and at the end.
///
/// Nothing is lost: a write that moves a fence over a message either carries it or there is a
/// letter for it. Nothing comes twice: a message that the sink holds is not written again. The
/// intervals that the protocol names are excused exactly: what retention, truncation or a topic
/// made anew took, what lies before the offset that time points to, and the overlap that a
/// fence's gap counts.
class Oracle {
 public:
  explicit Oracle(World& world) : world_(world) {}

  /// A write is about to take effect.
  void landing(const Call& call, StoreState& state);

  void letter_put(SimMessage& message);

  /// A message came to a place that the store's fence has passed already: an old log's fence
  /// still stands. Where nothing can show the difference, nothing is promised.
  void produced(SimMessage& message);

  /// The same for messages that were there when the sink came back with an older fence.
  void restored();

  /// Between two batches the published status must add up.
  void check_status(Process& process);

  /// The first message that is owed: neither delivered, nor rejected, nor excused.
  const SimMessage* owed() const;

 private:
  void check_data(const Call& call, const Move& move, StoreState& state, PartitionId partition);
  void check_jump(const Move& move, StoreState& state, PartitionId partition);
  void check_placement(const Call& call, const Move& move, StoreState& state,
                       PartitionId partition);
  void check_passed(const Call& call, const Move& move, PartitionId partition);
  void publish(const Row& row, StoreState& state);
  void excuse_below(PartitionId partition, Offset offset);
  std::string describe(const SimMessage& message) const;

  World& world_;
};

}  // namespace signalbox::sim
