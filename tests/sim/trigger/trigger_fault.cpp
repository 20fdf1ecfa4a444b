#include "sim/trigger/trigger_fault.hpp"

namespace signalbox::sim {
namespace {

bool is_rare(TriggerStep step) {
  return step == TriggerStep::Settle || step == TriggerStep::Begin ||
         step == TriggerStep::PlaceFences || step == TriggerStep::Release ||
         step == TriggerStep::SettleAfter || step == TriggerStep::SettleBefore ||
         step == TriggerStep::AskForHeld;
}

bool only_reads(TriggerStep step) {
  switch (step) {
    case TriggerStep::ReadFences:
    case TriggerStep::AskLedger:
    case TriggerStep::Settle:
    case TriggerStep::ReadHeld:
    case TriggerStep::AskForHeld:
    case TriggerStep::OpenClaims:
    case TriggerStep::AskFinished:
      return true;
    default:
      return false;
  }
}

/// A reply must be lost before the fences are read for it.
void provoke(TriggerStep step, Random& random, std::vector<TriggerTarget>& targets) {
  const int when = static_cast<int>(random.between(1, 5));
  if (step == TriggerStep::Settle) {
    const bool before = random.chance(50);
    targets.push_back({TriggerFault::LostReply,
                       before ? TriggerStep::ClaimBefore : TriggerStep::ClaimAfter, when});
  } else if (step == TriggerStep::ReadFences || step == TriggerStep::Begin) {
    targets.push_back({TriggerFault::Rebalance, TriggerStep::Poll, when * 5});
  } else if (step == TriggerStep::PlaceFences && random.chance(50)) {
    targets.push_back({TriggerFault::EmptiedQueue, TriggerStep::ClaimBefore, when});
  } else if (step == TriggerStep::Release) {
    targets.push_back({TriggerFault::WorkerKilled, TriggerStep::Poll, when * 5});
  }
}

}  // namespace

std::string_view name_of(TriggerStep step) {
  constexpr std::array<std::string_view, kTriggerSteps> names{
      "read fences", "place fences", "begin",        "poll",      "ask ledger",   "claim before",
      "claim after", "settle",       "commit",       "read held", "ask for held", "drain before",
      "drain after", "open claims",  "ask finished", "release"};
  return names[static_cast<std::size_t>(step)];
}

std::string_view name_of(TriggerFault fault) {
  constexpr std::array<std::string_view, kTriggerFaults> names{
      "crash",         "zombie",      "lost reply",   "duplicate",     "late call",
      "stalled queue", "unavailable", "restarted",    "emptied queue", "queue clock",
      "ledger down",   "log outage",  "rebalance",    "host clock",    "worker dies",
      "worker killed", "late result", "deactivation", "repeated"};
  return names[static_cast<std::size_t>(fault)];
}

std::string_view impossible_because(TriggerFault fault, TriggerStep step) {
  const bool is_local = step == TriggerStep::Begin || step == TriggerStep::Poll;
  switch (fault) {
    case TriggerFault::LostReply:
      return is_local ? "a local call has no reply to lose; the log's own failures are outages"
                      : "";
    case TriggerFault::Duplicate:
    case TriggerFault::Late:
      if (is_local) return "a local call sends no request";
      if (only_reads(step)) return "a read has no effect that could come twice or late";
      if (step == TriggerStep::Commit && fault == TriggerFault::Duplicate) {
        return "a commit that is sent twice is the same commit";
      }
      if (fault == TriggerFault::Late &&
          (step == TriggerStep::ClaimAfter || step == TriggerStep::SettleAfter)) {
        return "the call has been executed: only its copy can be late, which is a duplicate";
      }
      return "";
    default:
      return "";
  }
}

std::vector<TriggerTarget> draw_trigger_targets(Random& random) {
  std::vector<TriggerTarget> targets;
  const std::int64_t wanted = random.between(0, 7);
  while (static_cast<std::int64_t>(targets.size()) < wanted) {
    const auto fault = static_cast<TriggerFault>(random.below(kTriggerFaults));
    const auto step = static_cast<TriggerStep>(random.below(kTriggerSteps));
    if (!impossible_because(fault, step).empty()) continue;
    const std::int64_t latest = is_rare(step) ? 2 : step == TriggerStep::Poll ? 60 : 8;
    targets.push_back({fault, step, static_cast<int>(random.between(1, latest))});
    provoke(step, random, targets);
  }
  return targets;
}

}  // namespace signalbox::sim
