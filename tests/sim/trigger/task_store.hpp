#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "domain/claim_book.hpp"
#include "sim/fault.hpp"
#include "sim/scheduler.hpp"
#include "sim/trigger/platform.hpp"

namespace signalbox::sim {

class TriggerWorld;

/// One script call of one connection. What it needs it owns: it may be executed when its caller is
/// long dead.
struct ScriptCall {
  std::function<void()> execute{};
  std::uint64_t boot = 0;
  FiberId waiter = 0;
  bool is_answered = false;
  bool is_cut = false;
  bool is_refused = false;  ///< by a server that cannot: nothing was done
  bool has_run = false;
};

/// The simulated Redis: the claim book, run one call at a time, with a clock of its own.
class TaskStore {
 public:
  explicit TaskStore(TriggerWorld& world);

  void send(const std::shared_ptr<ScriptCall>& call, const NetFault& fault);
  void repeat(const std::shared_ptr<ScriptCall>& call, Micros delay);

  void restart();
  void empty();
  void stall(Micros duration);
  void make_unavailable(Micros duration);
  void jump(Micros by) {
    clock_jump_ += by;
    jumped_ahead_ += std::max<Micros>(0, by);
  }

  ClaimBook& book() { return book_; }
  EventTime now() const;
  /// Of two answers the difference is the most that its clock can have moved in between.
  Micros most_elapsed() const;
  std::uint64_t boot() const { return boot_; }
  std::uint64_t epoch() const { return epoch_; }  ///< counts how often it was emptied
  bool is_unavailable() const;
  bool is_reachable() const;

  // What workers do.
  std::shared_ptr<Delivery> take();
  void finish(const QueuedTask& task);
  void give_again(std::shared_ptr<Delivery> delivery);
  bool has_tasks() const { return !book_.queue().empty() || !given_again_.empty(); }

  /// What the message of a task says.
  void expires(const std::string& task_id, EventTime at) { expires_.insert_or_assign(task_id, at); }

 private:
  void deliver(const std::shared_ptr<ScriptCall>& call, bool wants_reply);
  void answer(const std::shared_ptr<ScriptCall>& call);

  TriggerWorld& world_;
  ClaimBook book_;
  std::map<std::string, EventTime> expires_;
  std::deque<std::shared_ptr<Delivery>> given_again_;
  Micros clock_jump_ = 0;
  Micros jumped_ahead_ = 0;
  std::uint64_t boot_ = 1;
  std::uint64_t epoch_ = 1;
  Micros stalled_until_ = 0;
  Micros unavailable_until_ = 0;
};

}  // namespace signalbox::sim
