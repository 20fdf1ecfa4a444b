#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ports/sink.hpp"
#include "sim/fault.hpp"
#include "sim/log.hpp"
#include "sim/scheduler.hpp"

namespace signalbox::sim {

class World;

struct Row {
  MessageId message;
  PartitionId partition;
  Offset offset;
  std::uint64_t seq;
  std::int64_t epoch;
};

struct Move {
  FenceMove fence;
  int incarnation = 0;  ///< of the topic as the writer knew it
};

/// One request of one connection, with its reply.
struct Call {
  enum class Kind : std::uint8_t { Read, Write, Ping };

  Kind kind = Kind::Ping;
  int process = 0;
  std::vector<TopicPartition> wanted{};
  std::vector<Row> rows{};
  std::vector<Move> moves{};
  std::uint64_t superseded = 0;

  std::uint64_t boot = 0;  ///< of the server that its connection leads to
  FiberId waiter = 0;
  bool is_answered = false;
  bool is_cut = false;  ///< the connection broke
  bool has_landed = false;
  bool is_copy = false;  ///< of a request that the network doubled
  FenceMap fences{};
  WriteOutcome outcome{Unavailable{}};
};

/// What a sink keeps: its fences and, in the same place, the messages it was given.
struct StoreState {
  struct StoredFence {
    Fence fence;
    Micros set_at = 0;
    int incarnation = 0;  ///< of the topic that it is about
  };

  std::map<TopicPartition, StoredFence> fences;
  std::vector<std::vector<MessageId>> content;  ///< by partition, in the order of arrival
  std::vector<std::int64_t> position;  ///< by partition: no message below it may come any more
  std::vector<std::int64_t> start;     ///< by partition: what was before it was forgotten
  std::set<MessageId> may_repeat;      ///< a counted overlap allows one copy more
};

/// One simulated server of a fenced sink.
class Store {
 public:
  explicit Store(World& world) : world_(world) {}

  /// Sends a request on its way; the reply wakes its waiter.
  void send(const std::shared_ptr<Call>& call, const NetFault& fault);

  /// The same request once more, after `delay`; nobody reads its reply.
  void repeat(const std::shared_ptr<Call>& call, Micros delay);

  void take_snapshot();
  void restart();
  void empty();
  void restore();
  void stall(Micros duration);
  void make_unavailable(Micros duration);

  bool is_unavailable() const;
  std::uint64_t boot() const { return boot_; }
  StoreState& state() { return state_; }

 private:
  void deliver(const std::shared_ptr<Call>& call, bool wants_reply);
  void execute(Call& call);
  WriteOutcome write(Call& call);
  void answer(const std::shared_ptr<Call>& call);
  void become(StoreState state);
  void fit();

  World& world_;
  StoreState state_;
  std::vector<StoreState> snapshots_;
  std::uint64_t boot_ = 1;
  Micros stalled_until_ = 0;
  Micros unavailable_until_ = 0;
};

}  // namespace signalbox::sim
