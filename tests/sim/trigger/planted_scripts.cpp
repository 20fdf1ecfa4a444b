#include "sim/trigger/planted_scripts.hpp"

#include <algorithm>
#include <limits>

#include "services/planted_bugs.hpp"
#include "sim/trigger/trigger_world.hpp"

namespace signalbox::sim {
namespace {

PairKey pair_of(const TaskRequest& request) {
  return {request.pipeline, std::string(request.signal->tickers[request.ticker].ticker)};
}

/// Whoever holds these pairs loses them: what happens when nobody looks at the claim.
void drop_claims(TriggerWorld& world, const std::vector<PairKey>& pairs) {
  ClaimBook& book = world.tasks().book();
  std::vector<OpenClaim> open = book.open_claims(std::numeric_limits<std::size_t>::max(),
                                                 std::chrono::hours{-24}, world.tasks().now());
  std::erase_if(open, [&](const OpenClaim& claim) {
    return std::ranges::find(pairs, PairKey{claim.pipeline, claim.ticker}) == pairs.end();
  });
  book.release(open);
}

}  // namespace

std::string task_name(std::string_view signal_key, const Uuid& pipeline, std::string_view ticker) {
  std::string name{signal_key};
  name += '|';
  name += static_cast<char>('a' + pipeline.bytes[15]);
  name += '|';
  name += ticker;
  return name;
}

std::optional<Claimed> run_claim(TriggerWorld& world, const ClaimCopy& call) {
  ClaimBook& book = world.tasks().book();
  ClaimBatch batch = call.batch();
  std::vector<FenceMove> moves = call.moves;
  std::vector<TaskRequest> requests = call.requests;
  if (planted(PlantedBug::SignalsForgotten)) {
    for (TaskRequest& request : requests) request.is_repeat_checked = false;
    batch.requests = requests;
  }
  if (planted(PlantedBug::ClaimFenceIgnored)) {
    for (FenceMove& move : moves) {
      const FenceMap now = book.fences(std::span{&move.partition, 1});
      move.expected.reset();
      if (!now.empty()) move.expected = now.begin()->second;
    }
    batch.moves = moves;
  }
  if (planted(PlantedBug::ClaimCheckedFirst)) drop_claims(world, call.judged_idle);
  auto claimed = book.claim(batch, call.drafts, world.tasks().now());
  if (!claimed) {
    world.trace("refused", call.replica);
    return std::nullopt;
  }
  for (const EnqueuedTask& task : claimed->enqueued) {
    world.tasks().expires(task.task_id, call.expires_at);
  }
  world.oracle().claimed(call, *claimed);
  return *std::move(claimed);
}

std::vector<PairKey> judge_idle(TriggerWorld& world, const ClaimCopy& call) {
  ClaimBook trial = world.tasks().book();
  std::vector<PairKey> idle;
  const auto claimed = trial.claim(call.batch(), call.drafts, world.tasks().now());
  if (!claimed) return idle;
  for (const EnqueuedTask& task : claimed->enqueued) {
    idle.push_back(pair_of(call.requests[task.request]));
  }
  return idle;
}

Claimed run_settle(TriggerWorld& world, const SettleCopy& call) {
  ClaimBook& book = world.tasks().book();
  std::vector<HeldDecision> decisions;
  std::vector<PairKey> pairs;
  for (std::size_t i = 0; i < call.held.size(); ++i) {
    decisions.push_back({.held = &call.held[i], .ends_as = call.ends_as[i]});
    pairs.push_back({call.held[i].pipeline, call.held[i].ticker});
  }
  if (planted(PlantedBug::SlotDrainedBlindly)) drop_claims(world, pairs);
  Claimed claimed = book.settle_held(decisions, call.database_now, world.tasks().now());
  for (const EnqueuedTask& task : claimed.enqueued) {
    world.tasks().expires(task.task_id, call.expires_at);
  }
  world.oracle().settled(call, claimed);
  return claimed;
}

void run_release(TriggerWorld& world, const std::vector<OpenClaim>& claims) {
  if (planted(PlantedBug::ReleaseNotCompared)) {
    std::vector<PairKey> pairs;
    for (const OpenClaim& claim : claims) pairs.push_back({claim.pipeline, claim.ticker});
    return drop_claims(world, pairs);
  }
  world.tasks().book().release(claims);
  for (const OpenClaim& claim : claims) world.oracle().released(claim);
}

}  // namespace signalbox::sim
