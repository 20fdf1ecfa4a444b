#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "domain/claim_book.hpp"
#include "sim/trigger/replica.hpp"

namespace signalbox::sim {

/// What must be done: a worker's dead colleagues may leave it tasks to throw away at any time.
enum class Owed : std::uint8_t { SignalsAndTasks, Signals };

/// Judges the trigger by what is true, at each call that the queue executes, at each worker's step
/// and at the end.
///
/// Each (signal, pipeline, ticker) is a task at most once; a pair has at most one task on its way;
/// every pair that a message matches gets one outcome when its fence passes it, and those that wait
/// another one later. Of an emptied queue, and of a clock of its own that ran ahead of the time by
/// more than a claim or a memory lasts, the repeats are counted apart.
///
/// So is the one thing that the ledger cannot tell: its rows name no task. A claim that is made
/// long after the ledger was asked can be given back for the row of the task before it.
class TriggerOracle {
 public:
  explicit TriggerOracle(TriggerWorld& world) : world_(world) {}

  void claimed(const ClaimCopy& call, const Claimed& claimed);
  void settled(const SettleCopy& call, const Claimed& claimed);
  void released(const OpenClaim& claim);
  void began(const Delivery& delivery);
  void ended(const Delivery& delivery, const char* how);
  void emptied();
  void check_counters(const Replica& replica);

  /// What is still owed to anybody; empty: nothing.
  std::string owed(Owed what) const;

 private:
  struct Task {
    std::string id;
    std::uint64_t epoch = 0;
    EventTime stamp;  ///< by the queue's clock, as the task bears it
    EventTime expires_at;
    Micros enqueued_at = 0;
    Micros by_the_queue = 0;  ///< the most that can have passed by its clock
    std::optional<Micros> began_at{};
    bool is_named_again = false;  ///< an earlier task's result is under the same name
    bool is_given_back = false;   ///< its claim was, for a run of another's that the ledger showed
    bool has_ended = false;
  };
  struct Seen {
    MessageId message;
    std::uint64_t epoch;
    Micros by_the_queue;
  };
  struct Waits {
    std::string key;
    MessageId message;
  };
  /// A task about to be on its way.
  struct Enqueue {
    PairKey pair;
    std::string key;
    std::string task_id;
    MessageId message;
    Micros asked_at;
    EventTime expires_at;
  };

  void judge(const ClaimCopy& call, const Claimed& claimed, const std::vector<MessageId>& passed);
  void check_repeat(const TaskRequest& request, MessageId message, TriggerOutcome outcome);
  void enqueue(const Enqueue& task);
  void check_alone(const Enqueue& task);
  Task* find(const Delivery& delivery);
  bool check_first(const Enqueue& task);
  void count(std::string_view what);
  std::string describe(const PairKey& pair) const;

  TriggerWorld& world_;
  std::map<PairKey, std::vector<Task>> tasks_;
  std::map<std::string, Seen> seen_;     ///< by task id: its first time
  std::map<std::string, Seen> signals_;  ///< by signal key: its latest first time
  std::map<PairKey, std::deque<Waits>> waiting_;
  std::map<MessageId, std::set<PairKey>> handled_;  ///< in this epoch
};

}  // namespace signalbox::sim
