#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/claim_book.hpp"
#include "domain/pipeline_index.hpp"
#include "ports/run_ledger.hpp"
#include "sim/log.hpp"
#include "sim/scheduler.hpp"

namespace signalbox::sim {

class TriggerWorld;

/// A signal and the message that carries it. Lives as long as the world: everybody borrows.
struct SimSignal {
  MessageId message = 0;
  std::string name;  ///< its id; empty: none
  std::string key;   ///< what names it
  std::vector<std::string> tickers;
  TradingSignal signal;
};

/// A pipeline, and when it was switched on and off.
struct SimPipeline {
  struct Change {
    Micros at;
    bool is_active;
  };

  Pipeline pipeline;
  std::vector<Change> changes;

  bool is_active() const { return changes.back().is_active; }
  bool was_active_all_of(Micros from, Micros to) const;
  bool was_active_at_any_of(Micros from, Micros to) const;
  bool wants(const TradingSignal& signal) const;
};

/// The executions table: runs by whoever started them, and the platform's own cleaning.
class SimExecutions {
 public:
  explicit SimExecutions(TriggerWorld& world) : world_(world) {}

  std::size_t start(const PairKey& pair);
  void end(std::size_t row);
  ActiveRuns active(const std::vector<Uuid>& pipelines) const;
  std::vector<std::size_t> finished(const std::vector<PairSince>& pairs) const;

  /// Marks runs FAILED whose worker is taken for dead.
  void clean();
  bool is_down() const;
  void go_down(Micros duration);
  void set_skew(Micros skew) { skew_ = skew; }

 private:
  struct Row {
    PairKey pair;
    DatabaseTime created_at;
    Micros started_at;
    bool has_ended = false;
  };

  DatabaseTime now() const;

  TriggerWorld& world_;
  std::vector<Row> rows_;
  Micros skew_ = 0;
  Micros down_until_ = 0;
};

/// One delivery of a task to a worker.
struct Delivery {
  QueuedTask task;
  EventTime expires_at;  ///< as the message says, by the clock of whoever made it
  std::uint64_t epoch = 0;
  bool is_acknowledged = false;
};

/// Celery's workers, late acknowledgement and all.
class Workers {
 public:
  explicit Workers(TriggerWorld& world) : world_(world) {}

  void start(std::size_t count, bool leaves_results);
  void die_with_next() { dies_with_next_ = true; }
  void kill_one();
  void be_late_with_next() { is_late_with_next_ = true; }
  bool has_taken(std::string_view task_id) const;
  bool are_idle() const { return at_work_ == 0; }

 private:
  struct Worker {
    Micros skew = 0;
    Micros dead_until = 0;
    std::uint64_t life = 0;  ///< what a dead worker had planned does not happen
    bool is_busy = false;
    std::shared_ptr<Delivery> running{};
  };

  void look(std::size_t number);
  void take_up(std::size_t number, std::shared_ptr<Delivery> delivery);
  void run(std::size_t number, std::shared_ptr<Delivery> delivery);
  void finish(std::size_t number, const std::shared_ptr<Delivery>& delivery, std::size_t row);
  void leave_result(const std::shared_ptr<Delivery>& delivery, Micros delay);
  void die(std::size_t number);
  void give_again(const std::shared_ptr<Delivery>& delivery);

  TriggerWorld& world_;
  std::deque<Worker> workers_;
  bool leaves_results_ = true;
  bool dies_with_next_ = false;
  bool kills_next_ = false;
  bool is_late_with_next_ = false;
  std::size_t at_work_ = 0;
};

}  // namespace signalbox::sim
