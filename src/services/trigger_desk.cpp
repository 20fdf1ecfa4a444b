#include "services/trigger_desk.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "domain/market_hours.hpp"
#include "ports/io_error.hpp"
#include "services/planted_bugs.hpp"
#include "services/trigger_events.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::seconds kInspectEvery{15};

const TradingSignal& signal_of(const Routed& routed) {
  return *std::get<std::shared_ptr<const TradingSignal>>(routed.facts.record);
}

/// A signal without an id is named by its place.
std::string key_of(const Routed& routed) {
  const TradingSignal& signal = signal_of(routed);
  if (!signal.id.empty()) return std::string(signal.id);
  return routed.source->topic + "/" + std::to_string(routed.source->partition) + "/" +
         std::to_string(routed.source_offset.value);
}

bool comes_before(const TaskRequest& a, const TaskRequest& b) {
  return std::tie(a.pipeline, a.signal->tickers[a.ticker].ticker) <
         std::tie(b.pipeline, b.signal->tickers[b.ticker].ticker);
}

/// What a call adds to the counters whatever the queue answers.
TriggerCounters count_before(const ClaimBatch& claim, std::span<const SignalPairs> signals) {
  TriggerCounters counted{.signals = signals.size(), .batches = signals.empty() ? 0U : 1U};
  for (const SignalPairs& pairs : signals) {
    if (pairs.requests == 0 && pairs.settled == 0) ++counted.unwatched_signals;
    if (signal_of(*pairs.routed).is_metadata_reduced) ++counted.reduced_metadata;
  }
  counted.pairs = claim.requests.size() + claim.settled.size();
  for (const SettledPair& pair : claim.settled) {
    ++counted.outcomes[static_cast<std::size_t>(pair.outcome)];
  }
  return counted;
}

void count_after(const Claimed& claimed, TriggerCounters& counted) {
  for (const TriggerOutcome outcome : claimed.outcomes) {
    ++counted.outcomes[static_cast<std::size_t>(outcome)];
  }
  counted.after_held[static_cast<std::size_t>(TriggerOutcome::Superseded)] += claimed.ended.size();
}

/// Of a signal that was cut and found to be a repeat, the later parts are one too: they must be
/// looked up, as those of a new one must not.
void expect_repeats(std::span<TaskRequest> requests) {
  const TradingSignal* signal = requests.front().signal;
  for (TaskRequest& request : requests) {
    if (request.signal != signal) return;
    request.is_repeat_checked = true;
  }
}

}  // namespace

bool TriggerRules::is_expired(EventTime logged_at, ReceivedAt now) const {
  return signal_max_age.count() > 0 && now - logged_at > signal_max_age;
}

bool TriggerRules::is_market_open(std::string_view ticker, std::optional<EventTime> signal_time,
                                  ReceivedAt now) const {
  if (market_hours == MarketHoursBy::Off) return true;
  const bool by_signal = market_hours == MarketHoursBy::Signal && signal_time;
  return is_open(market_of(ticker),
                 by_signal ? *signal_time : std::chrono::floor<std::chrono::milliseconds>(now));
}

struct TriggerDesk::Work {
  ReceivedAt now{};
  std::deque<std::string> keys;  ///< of the signals; referred to by requests and settled pairs
  std::vector<TaskRequest> requests;
  std::vector<SettledPair> settled;
  std::vector<SignalPairs> signals;
  std::vector<Match> matches;   ///< reused for each signal
  std::vector<NoMatch> others;  ///< likewise
  DatabaseTime database_now{};  ///< at `answered_at`
  std::chrono::steady_clock::time_point answered_at{};
  std::uint64_t pipelines_matched = 0;
};

TriggerDesk::TriggerDesk(Io io, TriggerRules rules) : io_(io), rules_(std::move(rules)) {}

FenceMap TriggerDesk::read_fences(std::span<const TopicPartition> partitions) {
  FenceMap fences = io_.queue.read_fences(partitions);
  if (const auto doubt = std::exchange(doubt_, std::nullopt)) {
    const bool landed = std::ranges::all_of(doubt->moves, [&](const FenceMove& move) {
      const auto fence = fences.find(move.partition);
      return fence != fences.end() && fence->second == move.next;
    });
    if (landed && !planted(PlantedBug::ClaimDoubtForgotten)) {
      io_.tally.with([&](TriggerCounters& counters) { counters += doubt->counted; });
    }
  }
  return fences;
}

void TriggerDesk::ping() { io_.queue.ping(); }

std::vector<SinkWarning> TriggerDesk::inspect() {
  std::vector<SinkWarning> warnings = io_.queue.inspect();
  const auto evicts = std::ranges::find(warnings, kEvictionWarning, &SinkWarning::code);
  last_inspection_ = io_.clock.steady_now();
  why_unsafe_.clear();
  if (evicts != warnings.end() && rules_.eviction == Eviction::Refused) {
    why_unsafe_ = evicts->text + " (ALLOW_EVICTION=true works with it all the same)";
  }
  return warnings;
}

/// A claim that is evicted is a task twice. Asked before the first batch, and now and then: the
/// lane itself asks only while it is idle.
const std::string& TriggerDesk::why_unsafe() {
  const auto now = io_.clock.steady_now();
  if (!last_inspection_ || now - *last_inspection_ >= kInspectEvery) static_cast<void>(inspect());
  return why_unsafe_;
}

/// match → running? (one query) → claim + enqueue (one call, unless the batch is too large for it)
WriteOutcome TriggerDesk::write(const WriteBatch& batch) {
  const auto began = io_.clock.steady_now();
  Work work;
  work.now = io_.clock.now();
  // Held until the last call: requests point into the index.
  const PipelineView view = io_.pipelines.copy();
  if (!batch.messages.empty()) {
    if (auto why = why_unusable(view, began, rules_.cache_max_age)) {
      return Unavailable{*std::move(why)};
    }
    try {
      if (const std::string& unsafe = why_unsafe(); !unsafe.empty()) return Unavailable{unsafe};
      judge(batch, *view.index, work);
      if (!work.requests.empty()) ask_ledger(work);
    } catch (const IoError& error) {
      if (!planted(PlantedBug::LedgerFailureIsIdle)) return Unavailable{error.what()};
    }
    log_signals_received(batch);
    if (!work.requests.empty()) log_processing(batch);
  }
  WriteOutcome outcome = enqueue(batch, work);
  if (!batch.messages.empty() && std::holds_alternative<Committed>(outcome)) {
    io_.processing.record(io_.clock.steady_now() - began);
    io_.batch_sizes.observe(static_cast<double>(batch.messages.size()));
  }
  return outcome;
}

void TriggerDesk::judge(const WriteBatch& batch, const PipelineIndex& index, Work& work) {
  for (const Routed& routed : batch.messages) {
    SignalPairs pairs{.routed = &routed,
                      .first_request = work.requests.size(),
                      .first_settled = work.settled.size(),
                      .bytes_a_task = claim_bytes_max(signal_of(routed))};
    judge_signal(routed, index, work);
    pairs.requests = work.requests.size() - pairs.first_request;
    pairs.settled = work.settled.size() - pairs.first_settled;
    work.signals.push_back(pairs);
  }
  leave_out_done_pairs(batch, work);
}

void TriggerDesk::judge_signal(const Routed& routed, const PipelineIndex& index, Work& work) {
  const TradingSignal& signal = signal_of(routed);
  work.matches.clear();
  work.others.clear();
  index.match(signal, rules_.match, work.matches);
  index.judge_rest(signal, rules_.match, work.others);
  if (work.matches.empty() && work.others.empty()) return;
  const std::string& key = work.keys.emplace_back(key_of(routed));
  const EventTime logged_at = routed.message->timestamp;
  const bool is_expired = rules_.is_expired(logged_at, work.now);
  const bool is_backtest = !signal.backtest.run_id.empty();
  for (const NoMatch& other : work.others) {
    work.settled.push_back(
        {index.at(other.pipeline).id, signal.tickers[other.ticker].ticker, key, other.why});
  }
  for (const Match& match : work.matches) {
    const IndexedPipeline pipeline = index.at(match.pipeline);
    const std::string_view ticker = signal.tickers[match.ticker].ticker;
    const auto user = pipeline.user ? pipeline.user : parse_uuid(signal.backtest.user_id);
    const auto settle = [&](TriggerOutcome outcome) {
      work.settled.push_back({pipeline.id, ticker, key, outcome});
    };
    if (is_expired) {
      settle(TriggerOutcome::Expired);
    } else if (!is_backtest && !rules_.is_market_open(ticker, signal.time, work.now)) {
      settle(TriggerOutcome::MarketClosed);
    } else if (!user) {
      log_error_limited(to_text(pipeline.id), "pipeline_missing_user_id",
                        {{"pipeline_id", to_text(pipeline.id)}});
      settle(TriggerOutcome::NoUser);
    } else {
      work.requests.push_back({.pipeline = pipeline.id,
                               .user = *user,
                               .pipeline_name = pipeline.name,
                               .signal = &signal,
                               .ticker = match.ticker,
                               .signal_key = key,
                               .signal_logged_at = logged_at,
                               .busy = rules_.busy_of(pipeline),
                               .is_backtest = is_backtest});
    }
  }
}

/// Signals with more tasks than one call takes are handled in a fixed order, so that their fence
/// can stand inside of them. Of one that was cut by an earlier run, what was done then is left out.
void TriggerDesk::leave_out_done_pairs(const WriteBatch& batch, Work& work) {
  const auto started_part = [&](const SignalPairs& pairs) -> const TopicPartition* {
    const auto move =
        std::ranges::find(batch.moves, *pairs.routed->read_from, &FenceMove::partition);
    if (move == batch.moves.end() || !move->expected || move->expected->part == 0) return nullptr;
    return move->expected->next == pairs.routed->message->offset ? &move->partition : nullptr;
  };
  for (SignalPairs& pairs : work.signals) {
    const auto first = work.requests.begin() + static_cast<std::ptrdiff_t>(pairs.first_request);
    const auto last = first + static_cast<std::ptrdiff_t>(pairs.requests);
    const TopicPartition* cut_partition = started_part(pairs);
    if (pairs.requests > rules_.calls.tasks ||
        pairs.requests * pairs.bytes_a_task > rules_.calls.bytes || cut_partition) {
      std::sort(first, last, comes_before);
    }
    if (!cut_partition) continue;
    const std::optional<Cut> cut = io_.queue.read_cut(*cut_partition);
    const std::string done_to = cut ? cut->last_pair : std::string{};
    const auto open = std::find_if(
        first, last, [&](const TaskRequest& request) { return pair_name(request) > done_to; });
    for (auto request = open; request != last; ++request) request->is_repeat_checked = false;
    pairs.first_request += static_cast<std::size_t>(open - first);
    pairs.requests = static_cast<std::size_t>(last - open);
    leave_out_recorded(done_to, pairs, work);
  }
}

/// What was settled before the call was recorded with the first part. But a signal that has grown
/// too old since was not: then its open pairs were requests.
void TriggerDesk::leave_out_recorded(const std::string& done_to, SignalPairs& pairs, Work& work) {
  const auto first = work.settled.begin() + static_cast<std::ptrdiff_t>(pairs.first_settled);
  const auto last = first + static_cast<std::ptrdiff_t>(pairs.settled);
  const auto open = std::stable_partition(first, last, [&](const SettledPair& pair) {
    if (pair.outcome != TriggerOutcome::Expired) return true;
    return to_text(pair.pipeline) + "|" + std::string(pair.ticker) <= done_to;
  });
  pairs.first_settled += static_cast<std::size_t>(open - first);
  pairs.settled = static_cast<std::size_t>(last - open);
}

/// One question for the whole batch. Not knowing is no reason to take anybody for idle.
void TriggerDesk::ask_ledger(Work& work) {
  std::vector<Uuid> pipelines;
  for (const TaskRequest& request : work.requests) pipelines.push_back(request.pipeline);
  std::ranges::sort(pipelines);
  const auto repeats = std::ranges::unique(pipelines);
  pipelines.erase(repeats.begin(), repeats.end());
  work.pipelines_matched = pipelines.size();
  io_.budget.queried(io_.clock.steady_now());
  io_.tally.with([](TriggerCounters& counters) { ++counters.queries; });
  const ActiveRuns active = io_.ledger.active(pipelines);
  work.database_now = active.now;
  work.answered_at = io_.clock.steady_now();
  std::unordered_map<Uuid, std::set<std::string_view>> running;
  for (const ActiveRun& run : active.runs) running[run.pipeline].insert(run.ticker);
  for (TaskRequest& request : work.requests) {
    const auto runs = running.find(request.pipeline);
    if (runs == running.end()) continue;
    const std::string_view ticker = request.signal->tickers[request.ticker].ticker;
    request.is_running = runs->second.contains(ticker) || runs->second.contains("");
  }
}

WriteOutcome TriggerDesk::enqueue(const WriteBatch& batch, Work& work) {
  BatchResult result{.total_matched = work.pipelines_matched};
  for (const ClaimCall& call : split_into_calls(batch, work.signals, work.requests, rules_.calls)) {
    const ClaimBatch claim{
        .requests = std::span{work.requests}.subspan(call.first_request, call.requests),
        .settled = std::span{work.settled}.subspan(call.first_settled, call.settled),
        .moves = call.moves,
        .cut = call.cut,
        .database_now = later(work.database_now, io_.clock.steady_now() - work.answered_at)};
    for (const TaskRequest& request : claim.requests) log_matched(request);
    TriggerCounters counted =
        count_before(claim, std::span{work.signals}.subspan(call.first_signal, call.signals));
    counted.pipelines_matched = std::exchange(work.pipelines_matched, 0);
    ClaimOutcome outcome = io_.queue.claim(claim);
    if (std::holds_alternative<Refused>(outcome)) return Refused{};
    if (auto* unavailable = std::get_if<Unavailable>(&outcome)) return std::move(*unavailable);
    if (auto* unknown = std::get_if<Unknown>(&outcome)) {
      keep_doubt(claim, counted);
      return std::move(*unknown);
    }
    const Claimed& claimed = std::get<Claimed>(outcome);
    if (call.cut && claimed.outcomes.back() == TriggerOutcome::Duplicate) {
      expect_repeats(std::span{work.requests}.subspan(call.first_request + call.requests - 1));
    }
    count_after(claimed, counted);
    io_.tally.with([&](TriggerCounters& counters) { counters += counted; });
    for (const EnqueuedTask& task : claimed.enqueued) {
      log_enqueued(claim.requests[task.request], task.task_id);
    }
    result.enqueued += claimed.enqueued.size();
    result.skipped_running += counted.of(TriggerOutcome::Busy);
  }
  if (!work.requests.empty()) log_batch_completed(result);
  return Committed{.publishes = result.enqueued};
}

void TriggerDesk::keep_doubt(const ClaimBatch& claim, TriggerCounters counted) {
  counted.unread = claim.requests.size();
  doubt_ = Doubt{.moves = {claim.moves.begin(), claim.moves.end()}, .counted = counted};
}

}  // namespace signalbox
