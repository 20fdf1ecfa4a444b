#include "sim/fault.hpp"

#include <algorithm>

namespace signalbox::sim {
namespace {

bool breaks_the_log(Fault fault) {
  return fault == Fault::Truncation || fault == Fault::LogReplaced;
}

/// Steps that come only after something went wrong get that first.
void provoke(Step step, Random& random, std::vector<Target>& targets) {
  const int when = static_cast<int>(random.between(1, 6));
  if (step == Step::Settle) {
    const bool before = random.chance(50);
    targets.push_back({Fault::LostReply, before ? Step::WriteBefore : Step::WriteAfter, when});
  } else if (step == Step::Recheck) {
    constexpr std::array causes{Fault::UnavailableSink, Fault::RestartedSink, Fault::StalledSink};
    targets.push_back({causes[random.below(causes.size())],
                       random.chance(50) ? Step::Poll : Step::WriteBefore, when});
  } else if (step == Step::PlaceFences || step == Step::ReadFences || step == Step::Begin) {
    const int polls = static_cast<int>(random.between(5, 60));
    const bool is_new = step == Step::PlaceFences || random.chance(50);
    targets.push_back({is_new ? Fault::NewPartition : Fault::Rebalance, Step::Poll, polls});
  }
}

}  // namespace

std::string_view name_of(Step step) {
  constexpr std::array<std::string_view, kSteps> names{
      "read fences",  "place fences", "begin",  "poll",    "put letters",
      "write before", "write after",  "settle", "recheck", "commit"};
  return names[static_cast<std::size_t>(step)];
}

std::string_view name_of(Fault fault) {
  constexpr std::array<std::string_view, kFaults> names{
      "crash",        "zombie",        "lost reply",     "duplicate",    "reorder",
      "stalled sink", "unavailable",   "restarted sink", "emptied sink", "restored sink",
      "log outage",   "retention",     "truncation",     "log replaced", "compaction",
      "clock jump",   "new partition", "rebalance"};
  return names[static_cast<std::size_t>(fault)];
}

std::string_view impossible_because(Fault fault, Step step) {
  const bool is_local = step == Step::Begin || step == Step::Poll;
  const bool only_reads = step == Step::ReadFences || step == Step::Settle || step == Step::Recheck;
  switch (fault) {
    case Fault::LostReply:
      if (is_local) return "a local call has no reply to lose; the log's own failures are outages";
      return "";
    case Fault::Duplicate:
    case Fault::Reorder:
      if (is_local) return "a local call sends no request";
      if (only_reads) return "a read has no effect that could come twice or late";
      if (step == Step::Commit && fault == Fault::Duplicate) {
        return "a commit that is sent twice is the same commit";
      }
      if (step == Step::WriteAfter && fault == Fault::Reorder) {
        return "the write has been executed: only its copy can be late, which is a duplicate";
      }
      return "";
    default:
      return "";
  }
}

void Coverage::add(const Coverage& other) {
  for (std::size_t fault = 0; fault < kMax; ++fault) {
    for (std::size_t step = 0; step < kMax; ++step) {
      hits[fault][step] += other.hits[fault][step];
    }
  }
}

std::vector<Target> draw_targets(Random& random) {
  std::vector<Target> targets;
  const std::int64_t wanted = random.between(0, 5);
  while (static_cast<std::int64_t>(targets.size()) < wanted) {
    const auto fault = static_cast<Fault>(random.below(kFaults));
    const auto step = static_cast<Step>(random.below(kSteps));
    if (!impossible_because(fault, step).empty()) continue;
    // A message that compaction took may be the one by which a replaced log is recognised. What
    // cannot be recognised cannot be promised.
    const bool clashes = std::ranges::any_of(targets, [&](const Target& other) {
      return (fault == Fault::Compaction && breaks_the_log(other.fault)) ||
             (other.fault == Fault::Compaction && breaks_the_log(fault));
    });
    if (clashes) continue;
    const bool is_rare = step == Step::Settle || step == Step::Recheck || step == Step::PlaceFences;
    const bool is_seldom = step == Step::ReadFences || step == Step::Begin;
    const std::int64_t latest = is_rare ? 2 : is_seldom ? 5 : step == Step::Poll ? 60 : 10;
    targets.push_back({fault, step, static_cast<int>(random.between(1, latest))});
    provoke(step, random, targets);
  }
  return targets;
}

}  // namespace signalbox::sim
