#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/query_budget.hpp"
#include "ports/dead_letters.hpp"
#include "ports/payload_reader.hpp"
#include "ports/run_ledger.hpp"
#include "ports/task_queue.hpp"
#include "services/delivery_lane.hpp"
#include "services/slot_keeper.hpp"
#include "services/trigger_desk.hpp"
#include "sim/member.hpp"
#include "sim/trigger/task_store.hpp"
#include "sim/trigger/trigger_fault.hpp"

namespace signalbox::sim {

struct Replica;

/// Which of a replica's threads calls.
enum class Caller : std::uint8_t { Lane, Keeper };

/// What a claim call says, with everything that it refers to.
struct ClaimCopy {
  std::deque<std::string> texts;
  std::vector<TaskRequest> requests;
  std::vector<SettledPair> settled;
  std::vector<FenceMove> moves;
  std::optional<Cut> cut;
  DatabaseTime database_now{};
  std::vector<TaskDraft> drafts;
  EventTime expires_at;
  int replica = 0;
  std::vector<PairKey> judged_idle;  ///< by a look before the call; of a planted mistake
  Micros asked_at = 0;               ///< when the ledger was asked
  Micros view_from = 0;  ///< the pipelines are those of a view that was loaded no earlier than this
  Micros view_to = 0;

  ClaimBatch batch() const;
};

/// What a call to settle held signals says, likewise.
struct SettleCopy {
  std::vector<HeldTask> held;
  std::vector<std::optional<TriggerOutcome>> ends_as;
  DatabaseTime database_now{};
  EventTime expires_at;
  Micros asked_at = 0;
  Micros view_from = 0;
  Micros view_to = 0;
};

/// A client of the simulated Redis: one connection at a time.
class SimTaskQueue final : public TaskQueue {
 public:
  SimTaskQueue(Replica& replica, Caller caller) : replica_(replica), caller_(caller) {}

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  std::optional<Cut> read_cut(const TopicPartition& partition) override;
  ClaimOutcome claim(const ClaimBatch& batch) override;
  std::vector<HeldTask> held(std::size_t limit) override;
  Claimed settle_held(std::span<const HeldDecision> decisions, DatabaseTime database_now) override;
  std::vector<OpenClaim> open_claims(std::size_t limit,
                                     std::chrono::milliseconds older_than) override;
  void release(std::span<const OpenClaim> claims) override;
  QueueReport report() override { return {}; }
  void ping() override;
  std::vector<SinkWarning> inspect() override { return {}; }

  std::uint64_t pairs_known() const { return pairs_known_; }

 private:
  enum class Answer : std::uint8_t { Came, Refused, None };

  /// A claim whose reply was lost.
  struct Doubt {
    std::vector<FenceMove> moves;
    std::uint64_t pairs;
  };

  Answer exchange(const std::shared_ptr<ScriptCall>& call, const NetFault& fault);
  /// Asks, and throws when there is no answer.
  template <typename T>
  T ask(const NetFault& fault, std::function<T()> script);
  std::shared_ptr<ClaimCopy> copy(const ClaimBatch& batch);
  bool is_reply_lost(TriggerStep step, const std::shared_ptr<ScriptCall>& call);

  Replica& replica_;
  Caller caller_;
  std::optional<std::uint64_t> connection_;
  std::optional<Doubt> doubt_;
  std::uint64_t pairs_known_ = 0;  ///< of claims that this client knows to have landed
  Micros held_read_at_ = 0;
};

class SimLedger final : public RunLedger {
 public:
  SimLedger(Replica& replica, Caller caller) : replica_(replica), caller_(caller) {}

  ActiveRuns active(std::span<const Uuid> pipelines) override;
  std::vector<std::size_t> finished(std::span<const PairSince> pairs) override;
  Micros asked_at() const { return asked_at_; }

 private:
  void begin(TriggerStep step, NetFault& fault);
  void end(const NetFault& fault);

  Replica& replica_;
  Caller caller_;
  Micros asked_at_ = 0;  ///< active(), last; answered or not
};

class SignalReader final : public PayloadReader {
 public:
  explicit SignalReader(Replica& replica) : replica_(replica) {}

  std::expected<Facts, Reject> read(const Route& route, const Message& message,
                                    ReceivedAt now) override;

 private:
  Replica& replica_;
};

/// There is nothing to refuse in this world.
class NoLetters final : public DeadLetters {
 public:
  explicit NoLetters(Replica& replica) : replica_(replica) {}

  void put(std::span<const DeadLetter> letters) override;

 private:
  Replica& replica_;
};

/// One life of one replica of the trigger: its lane, its keeper, and what they borrow.
struct Replica final : Member {
  Replica(TriggerWorld& world_of_replica, int replica_id, const LaneOptions& lane_options);

  NetFault enter(Step step) override;
  NetFault enter(TriggerStep step);
  void before_poll() override;
  void see_pipelines();
  bool is_gone() const { return is_done && keeper_is_done; }

  TriggerWorld& world;
  SignalReader reader{*this};
  NoLetters letters{*this};
  SimTaskQueue lane_queue{*this, Caller::Lane};
  SimTaskQueue keeper_queue{*this, Caller::Keeper};
  SimLedger lane_ledger{*this, Caller::Lane};
  SimLedger keeper_ledger{*this, Caller::Keeper};
  CurrentPipelines pipelines;
  TriggerTally tally;
  QueryBudget budget{QueryBudget::Limits{}};
  LatencySummary delays;
  LatencySummary processing;
  TriggerDesk desk;
  DeliveryLane lane;
  SlotKeeper keeper;
  FiberId keeper_fiber = 0;
  bool keeper_is_done = false;
  Micros last_poll = 0;
};

}  // namespace signalbox::sim
