// How a lane finds its place: the amnesia table (docs/FENCES.md) put to work.

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "ports/io_error.hpp"
#include "services/delivery_lane.hpp"
#include "services/planted_bugs.hpp"

namespace signalbox {
namespace {

std::int64_t milliseconds_since_epoch(ReceivedAt time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}

bool any_commit(const std::map<TopicPartition, LogRange>& ranges) {
  return std::ranges::any_of(ranges,
                             [](const auto& entry) { return entry.second.committed.has_value(); });
}

}  // namespace

/// Reads the fences of every assigned partition that has none yet, decides where to go on, writes
/// the fence where it changes, and only then begins.
void DeliveryLane::place_waiting() {
  std::vector<TopicPartition> wanted = waiting_;
  wanted.push_back(kGroupStarted);
  FenceMap fences = sink().read_fences(wanted);
  read_worked();
  if (!fences.contains(kGroupStarted)) {
    start_group(fences);
    must_recheck_ = true;  // what we own already the sink has forgotten, too
    return;                // the next step reads what is there now, whoever wrote it
  }
  knows_group_started_ = true;
  const auto ranges = log().ranges(waiting_);
  std::vector<FenceMove> moves;
  FenceMap placed;
  for (const TopicPartition& partition : waiting_) {
    const auto range = ranges.find(partition);
    if (range == ranges.end()) continue;  // the log does not know it (yet): asked again
    FenceMove move = placement(partition, fences, range->second, GroupHistory::Started);
    placed.emplace(partition, move.next);
    if (!move.expected || *move.expected != move.next) moves.push_back(std::move(move));
  }
  if (!place_fences(moves)) return;
  for (const auto& [partition, fence] : placed) begin(partition, fence, ranges.at(partition));
}

/// Nobody has ever written for this group, or the sink forgot. On a first start the fences of
/// every partition there is are written together with the mark, so that whatever appears later is
/// known to be new and is read from its beginning.
void DeliveryLane::start_group(const FenceMap& fences) {
  const bool never_started = !knows_group_started_ && fences.empty() &&
                             !any_commit(*log_at_start_) &&
                             !any_commit(log().ranges(log().all_partitions()));
  std::vector<FenceMove> moves;
  if (never_started) {
    for (const auto& [partition, range] : *log_at_start_) {
      moves.push_back(placement(partition, fences, range, GroupHistory::None));
    }
  }
  Fence mark;
  mark.epoch = milliseconds_since_epoch(io_.clock.now());
  mark.lineage = log().lineage();
  moves.push_back({kGroupStarted, std::nullopt, mark});
  if (!place_fences(moves)) return;
  log_info("group_started", {{"lane", options_.label}, {"partitions", moves.size() - 1}});
}

/// Writes fences without data. False means that somebody else was quicker: the next step reads
/// what is there and decides again.
bool DeliveryLane::place_fences(std::span<const FenceMove> moves) {
  if (moves.empty()) return true;
  const WriteOutcome outcome =
      sink().write({.messages = {}, .moves = moves, .received_at = io_.clock.now()});
  last_contact_ = io_.clock.steady_now();
  if (std::holds_alternative<Committed>(outcome)) {
    write_worked();
    return true;
  }
  if (std::holds_alternative<Refused>(outcome)) return false;
  write_failed_ = true;
  const auto* unknown = std::get_if<Unknown>(&outcome);
  throw IoError("sink", unknown ? unknown->why : std::get<Unavailable>(outcome).why);
}

FenceMove DeliveryLane::placement(const TopicPartition& partition, const FenceMap& fences,
                                  const LogRange& range, GroupHistory history) {
  const auto found = fences.find(partition);
  std::optional<Fence> fence;
  if (found != fences.end()) fence = found->second;
  if (planted(PlantedBug::CommitOutranksFence) && fence && range.committed) {
    Fence moved = *fence;
    moved.next = *range.committed;
    return {partition, fence, moved};
  }
  const Resume resume = resume_from(fence, range, options_.first_start, history);
  Offset next;
  if (const auto* at = std::get_if<ResumeAt>(&resume.where)) {
    next = at->offset;
    if (resume.resume_case == ResumeCase::SinkForgot) next = rewound(partition, next);
  } else {
    next = log().offset_at(partition, std::get<ResumeByTime>(resume.where).time);
  }
  Fence target;
  if (fence) {
    target = *fence;
    target.gap += next.value - fence->next.value;
    if (next != fence->next) {
      target.last_timestamp = EventTime{};
      target.part = 0;
    }
  } else {
    target.epoch = milliseconds_since_epoch(io_.clock.now());
    target.lineage = log().lineage();
  }
  target.next = next;
  if (resume.resume_case == ResumeCase::SinkForgot ||
      resume.resume_case == ResumeCase::OutsideLog) {
    alarm(resume.resume_case, partition, "resumes at offset " + std::to_string(next.value));
  } else if (resume.resume_case == ResumeCase::SinkRestored) {
    log_warn_limited(options_.label, "sink_restored",
                     {{"lane", options_.label},
                      {"topic", partition.topic},
                      {"partition", partition.partition},
                      {"fence", next.value},
                      {"committed", range.committed->value}});
  }
  return {partition, fence, target};
}

/// A queue that was emptied has lost what the messages before the commit had put into it, too.
Offset DeliveryLane::rewound(const TopicPartition& partition, Offset commit) {
  if (!options_.rewind_when_forgotten) return commit;
  const auto now = std::chrono::floor<std::chrono::milliseconds>(io_.clock.now());
  return std::min(commit, log().offset_at(partition, now - *options_.rewind_when_forgotten));
}

void DeliveryLane::begin(const TopicPartition& partition, const Fence& fence,
                         const LogRange& range) {
  const bool can_verify = fence.last_timestamp != EventTime{} && fence.next > range.begin;
  const Offset from = can_verify ? Offset{fence.next.value - 1} : fence.next;
  const std::optional<FetchId> fetch = log().begin(partition, from);
  std::erase(waiting_, partition);
  if (!fetch) return;  // lost meanwhile
  owned_.insert_or_assign(partition, OwnedPartition{.fence = fence,
                                                    .fetch = *fetch,
                                                    .route = options_.route_of(partition.topic),
                                                    .is_unverified = can_verify});
  // So that a sink that forgets everything can be told from a group that never started. A fence
  // that may be that of another log is committed when it has proved right.
  if (!can_verify) log().commit(partition, fence.next);
}

/// The log was made anew: offsets mean other messages now, only time still tells.
void DeliveryLane::replace_by_time(const TopicPartition& partition) {
  const auto owned = owned_.find(partition);
  const Fence before = owned->second.fence;
  Fence after = before;
  after.next = log().offset_at(partition, resume_by_time(before).time);
  after.part = 0;
  after.gap += after.next.value - before.next.value;
  after.last_timestamp = EventTime{};
  alarm(ResumeCase::LogReplaced, partition,
        "the message before the fence has another time; resumes at offset " +
            std::to_string(after.next.value));
  start_over(partition);
  const std::vector<FenceMove> moves{{partition, before, after}};
  // Refused or not: the partition waits, and is placed from what the sink holds then.
  static_cast<void>(place_fences(moves));
}

void DeliveryLane::clear_gaps() {
  std::vector<FenceMove> moves;
  for (const auto& [partition, owned] : owned_) {
    if (owned.fence.gap == 0) continue;
    Fence cleared = owned.fence;
    cleared.gap = 0;
    moves.push_back({partition, owned.fence, cleared});
  }
  if (!place_fences(moves)) {
    must_recheck_ = true;
    return;
  }
  acknowledge_ = false;  // only now: whatever failed before is done with the next step
  for (const FenceMove& move : moves) owned_.at(move.partition).fence = move.next;
  if (in_hand_) in_hand_->plan.reset();
}

}  // namespace signalbox
