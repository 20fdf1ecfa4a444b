#include "sim/trigger/replica.hpp"

#include <algorithm>
#include <utility>

#include "ports/io_error.hpp"
#include "services/planted_bugs.hpp"
#include "sim/trigger/planted_scripts.hpp"
#include "sim/trigger/scale.hpp"
#include "sim/trigger/trigger_world.hpp"

namespace signalbox::sim {
namespace {

constexpr Micros kQueueTimeout = 2 * kSecond;

TriggerRules rules_of(const CallLimits& calls) {
  TriggerRules rules;
  rules.signal_max_age = kSignalMaxAge;
  rules.market_hours = MarketHoursBy::Off;
  rules.busy_of = [](const IndexedPipeline& pipeline) {
    return pipeline.busy.value_or(BusyRule{});
  };
  rules.cache_max_age = kCacheMaxAge;
  rules.calls = calls;
  return rules;
}

bool is_placement(const ClaimBatch& batch) {
  if (!batch.requests.empty() || !batch.settled.empty()) return false;
  return std::ranges::any_of(batch.moves, [](const FenceMove& move) {
    return !move.expected ||
           (move.expected->next >= move.next.next && move.expected->part == move.next.part);
  });
}

}  // namespace

Replica::Replica(TriggerWorld& world_of_replica, int replica_id, const LaneOptions& lane_options)
    : Member(world_of_replica, replica_id),
      world(world_of_replica),
      desk({.queue = lane_queue,
            .ledger = lane_ledger,
            .pipelines = pipelines,
            .budget = budget,
            .tally = tally,
            .clock = clock,
            .processing = processing},
           rules_of(world_of_replica.call_limits())),
      lane({.source = source,
            .sink = desk,
            .dead_letters = letters,
            .reader = reader,
            .clock = clock,
            .delays = delays},
           lane_options),
      keeper({.queue = keeper_queue,
              .ledger = keeper_ledger,
              .pipelines = pipelines,
              .tally = tally,
              .clock = clock},
             rules_of(world_of_replica.call_limits()),
             {.sweep_every = std::chrono::milliseconds{700},
              .release_every = std::chrono::milliseconds{1'200},
              .claims_older_than = std::chrono::milliseconds{1'500},
              .backoff = lane_options.backoff,
              .seed = lane_options.seed + 1}) {}

NetFault Replica::enter(Step step) {
  switch (step) {
    case Step::Begin:
      return enter(TriggerStep::Begin);
    case Step::Commit:
      return enter(TriggerStep::Commit);
    default:
      last_poll = world.now();
      return enter(TriggerStep::Poll);
  }
}

NetFault Replica::enter(TriggerStep step) {
  check_alive();
  pass_time(0, 300);
  const NetFault fault = world.reach(*this, step);
  check_alive();
  return fault;
}

void Replica::before_poll() { world.oracle().check_counters(*this); }

void Replica::see_pipelines() {
  pipelines.with([&](PipelineView& view) {
    view.index = world.pipeline_index();
    view.loaded_at = clock.steady_now();
    ++view.loads;
  });
}

ClaimBatch ClaimCopy::batch() const {
  return {.requests = requests,
          .settled = settled,
          .moves = moves,
          .cut = cut,
          .database_now = database_now};
}

SimTaskQueue::Answer SimTaskQueue::exchange(const std::shared_ptr<ScriptCall>& call,
                                            const NetFault& fault) {
  TriggerWorld& world = replica_.world;
  if (!connection_) {
    replica_.pass_time(100, world.latency_max());
    connection_ = world.tasks().boot();
  }
  call->boot = *connection_;
  call->waiter = caller_ == Caller::Lane ? replica_.fiber : replica_.keeper_fiber;
  world.tasks().send(call, fault);
  const Micros deadline = world.now() + kQueueTimeout;
  while (!call->is_answered && world.now() < deadline) {
    world.scheduler().park(deadline);
    replica_.check_alive();
  }
  if (call->is_answered && !call->is_cut) return call->is_refused ? Answer::Refused : Answer::Came;
  connection_.reset();
  return Answer::None;
}

template <typename T>
T SimTaskQueue::ask(const NetFault& fault, std::function<T()> script) {
  if (doubt_ && caller_ == Caller::Lane) {
    replica_.world.fail("a reply was lost, and something is asked before the fences");
  }
  const auto call = std::make_shared<ScriptCall>();
  const auto reply = std::make_shared<std::optional<T>>();
  call->execute = [reply, script = std::move(script)] {
    T result = script();
    if (!*reply) *reply = std::move(result);
  };
  if (exchange(call, fault) != Answer::Came) throw IoError("queue", "no answer");
  return **reply;
}

FenceMap SimTaskQueue::read_fences(std::span<const TopicPartition> partitions) {
  TriggerWorld& world = replica_.world;
  const NetFault fault = replica_.enter(doubt_ ? TriggerStep::Settle : TriggerStep::ReadFences);
  const auto doubt = std::exchange(doubt_, std::nullopt);
  FenceMap fences;
  try {
    fences =
        ask<FenceMap>(fault, [&world, wanted = std::vector(partitions.begin(), partitions.end())] {
          return world.tasks().book().fences(wanted);
        });
  } catch (const IoError&) {
    doubt_ = doubt;
    throw;
  }
  const auto is_there = [&](const FenceMove& move) {
    const auto found = fences.find(move.partition);
    return found != fences.end() && found->second == move.next;
  };
  if (doubt && std::ranges::all_of(doubt->moves, is_there)) pairs_known_ += doubt->pairs;
  return fences;
}

std::optional<Cut> SimTaskQueue::read_cut(const TopicPartition& partition) {
  TriggerWorld& world = replica_.world;
  return ask<std::optional<Cut>>(replica_.enter(TriggerStep::ReadFences), [&world, partition] {
    return world.tasks().book().cut(partition);
  });
}

std::shared_ptr<ClaimCopy> SimTaskQueue::copy(const ClaimBatch& batch) {
  auto copy = std::make_shared<ClaimCopy>();
  copy->replica = replica_.id;
  copy->moves.assign(batch.moves.begin(), batch.moves.end());
  copy->cut = batch.cut;
  copy->database_now = batch.database_now;
  copy->asked_at = replica_.lane_ledger.asked_at();
  copy->view_to = replica_.world.now();
  copy->view_from = replica_.last_poll - std::chrono::microseconds{kCacheMaxAge}.count();
  copy->expires_at =
      std::chrono::floor<std::chrono::milliseconds>(replica_.clock.now()) + kTaskExpires;
  for (const TaskRequest& request : batch.requests) {
    TaskRequest& own = copy->requests.emplace_back(request);
    own.signal_key = copy->texts.emplace_back(request.signal_key);
    own.pipeline_name = {};
    copy->drafts.push_back({task_name(request.signal_key, request.pipeline,
                                      request.signal->tickers[request.ticker].ticker),
                            std::string(request.signal_key)});
  }
  for (const SettledPair& pair : batch.settled) {
    SettledPair& own = copy->settled.emplace_back(pair);
    own.signal_key = copy->texts.emplace_back(pair.signal_key);
    own.ticker = copy->texts.emplace_back(pair.ticker);
  }
  return copy;
}

/// Whether the reply of a call that was executed is lost after all.
bool SimTaskQueue::is_reply_lost(TriggerStep step, const std::shared_ptr<ScriptCall>& call) {
  const NetFault fault = replica_.enter(step);
  if (fault.is_doubled) replica_.world.tasks().repeat(call, 0);
  if (!fault.is_lost_before && !fault.is_lost_after) return false;
  replica_.pass_time(kQueueTimeout, kQueueTimeout);
  connection_.reset();
  return true;
}

ClaimOutcome SimTaskQueue::claim(const ClaimBatch& batch) {
  TriggerWorld& world = replica_.world;
  if (doubt_) world.fail("a reply was lost, and a claim follows without reading the fences");
  const bool places = is_placement(batch);
  const auto own = copy(batch);
  const NetFault fault =
      replica_.enter(places ? TriggerStep::PlaceFences : TriggerStep::ClaimBefore);
  if (!connection_ && world.tasks().is_unavailable()) return Unavailable{"connection refused"};
  if (planted(PlantedBug::ClaimCheckedFirst)) {
    const auto look = std::make_shared<ScriptCall>();
    look->execute = [&world, own] { own->judged_idle = judge_idle(world, *own); };
    if (exchange(look, {}) != Answer::Came) return Unavailable{"no answer"};
  }
  const auto call = std::make_shared<ScriptCall>();
  const auto reply = std::make_shared<std::optional<std::optional<Claimed>>>();
  call->execute = [&world, own, reply] {
    std::optional<Claimed> claimed = run_claim(world, *own);
    if (!*reply) *reply = std::move(claimed);
  };
  Answer answer = exchange(call, fault);
  if (answer == Answer::Refused) return Unavailable{"OOM command not allowed"};
  if (answer == Answer::Came && !*reply) return Unavailable{"never run"};
  if (answer == Answer::Came && **reply && !places &&
      is_reply_lost(TriggerStep::ClaimAfter, call)) {
    answer = Answer::None;
  }
  const std::uint64_t pairs = batch.requests.size() + batch.settled.size();
  if (answer == Answer::None) {
    if (!places) doubt_ = Doubt{.moves = own->moves, .pairs = pairs};
    return Unknown{.why = "no answer"};
  }
  if (!**reply) return Refused{};
  pairs_known_ += pairs;
  return ***reply;
}

std::vector<HeldTask> SimTaskQueue::held(std::size_t limit) {
  TriggerWorld& world = replica_.world;
  held_read_at_ = world.now();
  return ask<std::vector<HeldTask>>(replica_.enter(TriggerStep::ReadHeld), [&world, limit] {
    return world.tasks().book().held(limit, world.tasks().now());
  });
}

Claimed SimTaskQueue::settle_held(std::span<const HeldDecision> decisions,
                                  DatabaseTime database_now) {
  TriggerWorld& world = replica_.world;
  const auto own = std::make_shared<SettleCopy>();
  for (const HeldDecision& decision : decisions) {
    own->held.push_back(*decision.held);
    own->ends_as.push_back(decision.ends_as);
  }
  own->database_now = database_now;
  own->expires_at =
      std::chrono::floor<std::chrono::milliseconds>(replica_.clock.now()) + kTaskExpires;
  own->asked_at = replica_.keeper_ledger.asked_at();
  own->view_from = held_read_at_ - std::chrono::microseconds{kCacheMaxAge}.count();
  own->view_to = world.now();
  const NetFault fault = replica_.enter(TriggerStep::SettleBefore);
  const auto call = std::make_shared<ScriptCall>();
  const auto reply = std::make_shared<std::optional<Claimed>>();
  call->execute = [&world, own, reply] {
    Claimed claimed = run_settle(world, *own);
    if (!*reply) *reply = std::move(claimed);
  };
  if (exchange(call, fault) != Answer::Came) throw IoError("queue", "no answer");
  if (is_reply_lost(TriggerStep::SettleAfter, call)) throw IoError("queue", "no answer");
  return **reply;
}

std::vector<OpenClaim> SimTaskQueue::open_claims(std::size_t limit,
                                                 std::chrono::milliseconds older_than) {
  TriggerWorld& world = replica_.world;
  return ask<std::vector<OpenClaim>>(
      replica_.enter(TriggerStep::OpenClaims), [&world, limit, older_than] {
        return world.tasks().book().open_claims(limit, older_than, world.tasks().now());
      });
}

void SimTaskQueue::release(std::span<const OpenClaim> claims) {
  TriggerWorld& world = replica_.world;
  ask<bool>(replica_.enter(TriggerStep::Release),
            [&world, own = std::vector(claims.begin(), claims.end())] {
              run_release(world, own);
              return true;
            });
}

void SimTaskQueue::ping() {
  replica_.check_alive();
  ask<bool>({}, [] { return true; });
}

void SimLedger::begin(TriggerStep step, NetFault& fault) {
  fault = replica_.enter(step);
  TriggerWorld& world = replica_.world;
  replica_.pass_time(100, world.latency_max());
  if (world.executions().is_down() || fault.is_lost_before) {
    replica_.pass_time(kSecond, kSecond);
    throw IoError("postgresql", "no answer");
  }
}

void SimLedger::end(const NetFault& fault) {
  replica_.pass_time(100, replica_.world.latency_max());
  if (!fault.is_lost_after) return;
  replica_.pass_time(kSecond, kSecond);
  throw IoError("postgresql", "no answer");
}

ActiveRuns SimLedger::active(std::span<const Uuid> pipelines) {
  NetFault fault;
  asked_at_ = replica_.world.now();
  begin(caller_ == Caller::Lane ? TriggerStep::AskLedger : TriggerStep::AskForHeld, fault);
  const ActiveRuns active =
      replica_.world.executions().active({pipelines.begin(), pipelines.end()});
  end(fault);
  return active;
}

std::vector<std::size_t> SimLedger::finished(std::span<const PairSince> pairs) {
  NetFault fault;
  begin(TriggerStep::AskFinished, fault);
  const auto found = replica_.world.executions().finished({pairs.begin(), pairs.end()});
  end(fault);
  return found;
}

std::expected<Facts, Reject> SignalReader::read(const Route&, const Message& message, ReceivedAt) {
  Facts facts;
  const TradingSignal& signal = replica_.world.signal_of(message.payload).signal;
  // The world owns its signals; nobody else counts.
  facts.record = std::shared_ptr<const TradingSignal>(std::shared_ptr<const void>{}, &signal);
  return facts;
}

void NoLetters::put(std::span<const DeadLetter>) {
  replica_.world.fail("a signal without fault went to the dead letters");
}

}  // namespace signalbox::sim
