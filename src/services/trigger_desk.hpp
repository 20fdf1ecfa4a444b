#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/latency.hpp"
#include "base/metrics.hpp"
#include "domain/pipeline_index.hpp"
#include "domain/query_budget.hpp"
#include "ports/clock.hpp"
#include "ports/run_ledger.hpp"
#include "ports/sink.hpp"
#include "ports/task_queue.hpp"
#include "services/claim_calls.hpp"
#include "services/pipeline_keeper.hpp"
#include "services/trigger_tally.hpp"

namespace signalbox {

/// Which time tells whether a ticker's market is open.
enum class MarketHoursBy : std::uint8_t { Now, Signal, Off };

/// Code of the warning that a queue may lose our claims.
inline constexpr std::string_view kEvictionWarning = "KEYS_MAY_BE_EVICTED";

/// Whether a queue that may lose our claims under memory pressure is worked with.
enum class Eviction : std::uint8_t { Refused, Allowed };

struct TriggerRules {
  MatchRules match{};
  std::chrono::seconds signal_max_age{600};  ///< by the log's timestamp; zero: no limit
  MarketHoursBy market_hours = MarketHoursBy::Now;
  std::function<BusyRule(const IndexedPipeline&)> busy_of;
  std::chrono::milliseconds cache_max_age{300'000};
  Eviction eviction = Eviction::Refused;
  CallLimits calls{};  ///< of what one call to the queue may carry

  /// Whether a signal of this age is too old to be run.
  bool is_expired(EventTime logged_at, ReceivedAt now) const;

  /// By the signal's own time where that counts and it has one, else by `now`.
  bool is_market_open(std::string_view ticker, std::optional<EventTime> signal_time,
                      ReceivedAt now) const;
};

/// A lane's sink for signals: match them, ask once which of the pipelines run, claim and enqueue.
///
/// What the lane promises of every message (once, in order, whatever fails) holds for each
/// (signal, pipeline, ticker), because the queue moves the fence in the call that enqueues. It
/// fails closed: while the pipelines are unknown or too old, or the ledger or the queue does not
/// answer, nothing is written and the lane keeps its batch. One thread owns a desk.
class TriggerDesk final : public Sink {
 public:
  struct Io {
    TaskQueue& queue;
    RunLedger& ledger;
    CurrentPipelines& pipelines;
    QueryBudget& budget;
    TriggerTally& tally;
    Clock& clock;
    LatencySummary& processing;  ///< from a batch's matching to its last claim
    Histogram batch_sizes{};
  };

  TriggerDesk(Io io, TriggerRules rules);

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  WriteOutcome write(const WriteBatch& batch) override;
  void ping() override;
  std::vector<SinkWarning> inspect() override;

 private:
  struct Work;  // one batch at the desk

  void judge(const WriteBatch& batch, const PipelineIndex& index, Work& work);
  void judge_signal(const Routed& routed, const PipelineIndex& index, Work& work);
  void leave_out_done_pairs(const WriteBatch& batch, Work& work);
  void leave_out_recorded(const std::string& done_to, SignalPairs& pairs, Work& work);
  void ask_ledger(Work& work);
  const std::string& why_unsafe();
  WriteOutcome enqueue(const WriteBatch& batch, Work& work);
  void keep_doubt(const ClaimBatch& claim, TriggerCounters counted);

  /// A call whose reply was lost: counted when the fences say that it landed.
  struct Doubt {
    std::vector<FenceMove> moves;
    TriggerCounters counted;
  };

  Io io_;
  TriggerRules rules_;
  std::optional<Doubt> doubt_;
  std::optional<std::chrono::steady_clock::time_point> last_inspection_;
  std::string why_unsafe_;  ///< why the queue is no place for claims; empty: it is one
};

}  // namespace signalbox
