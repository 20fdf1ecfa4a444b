#include "services/delivery_lane.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/log.hpp"
#include "domain/routing_note.hpp"
#include "ports/io_error.hpp"
#include "services/planted_bugs.hpp"

namespace signalbox {
namespace {

std::vector<TopicPartition> partitions_of(const std::vector<FenceMove>& moves) {
  std::vector<TopicPartition> partitions;
  partitions.reserve(moves.size());
  for (const FenceMove& move : moves) partitions.push_back(move.partition);
  return partitions;
}

std::uint64_t count_messages(const MessageBatch& batch) {
  std::uint64_t count = 0;
  for (const Run& run : batch.runs) count += run.messages.size();
  return count;
}

/// Whether the sink holds exactly what a write of these moves would have left.
bool landed(const FenceMap& actual, const std::vector<FenceMove>& moves) {
  return std::ranges::all_of(moves, [&](const FenceMove& move) {
    const auto fence = actual.find(move.partition);
    return fence != actual.end() && fence->second == move.next;
  });
}

}  // namespace

DeliveryLane::DeliveryLane(Io io, LaneOptions options) : io_(io), options_(std::move(options)) {
  if (options_.label.empty()) options_.label = options_.name;
  status_.name = options_.label;
  publish_status();
}

void DeliveryLane::run(std::stop_token stop) {
  Backoff backoff{options_.backoff, options_.seed};
  while (!stop.stop_requested()) {
    if (step() == Step::Failed) {
      io_.clock.wait(backoff.next(), stop);
    } else {
      backoff.reset();
    }
  }
  drain();
}

/// After a stop nothing more is polled; what is in hand is finished if the sink lets us. If not,
/// nothing is lost: its fence has not moved.
void DeliveryLane::drain() {
  is_draining_ = true;
  ahead_.reset();
  Backoff backoff{options_.backoff, options_.seed};
  const auto deadline = io_.clock.steady_now() + options_.drain;
  while (in_hand_ && io_.clock.steady_now() < deadline) {
    if (step() == Step::Failed) io_.clock.wait(backoff.next(), std::stop_token{});
  }
}

Step DeliveryLane::step() {
  Step result = Step::Failed;
  try {
    result = guarded_step();
  } catch (const IoError& error) {
    mark_down(*talking_to_.load(), error.what());
    // What the sink holds when it comes back may be older than what we believe.
    const bool recheck_next = talking_to_ == &status_.sink;
    if (recheck_next && !planted(PlantedBug::ForgetsToRecheck)) must_recheck_ = true;
  }
  publish_status();
  return result;
}

/// poll → route → write → commit. The batch stays in hand until the sink has it.
Step DeliveryLane::guarded_step() {
  if (!log_at_start_) log_at_start_ = log().ranges(log().all_partitions());
  if (in_hand_ && in_hand_->is_doubtful) return settle_doubt();
  if (must_recheck_ || is_recheck_due()) recheck();
  if (acknowledge_) clear_gaps();
  if (in_hand_) return deliver();
  if (!waiting_.empty()) place_waiting();
  take_next();
  mark_up(status_.log);
  if (in_hand_) return deliver();
  stay_awake();
  return waiting_.empty() ? Step::Idle : Step::Done;
}

MessageSource& DeliveryLane::log() {
  talking_to_ = &status_.log;
  return io_.source;
}

Sink& DeliveryLane::sink() {
  talking_to_ = &status_.sink;
  return io_.sink;
}

/// What was polled ahead, or else what the log has now.
void DeliveryLane::take_next() {
  if (!ahead_) {
    Polled polled = log().poll(options_.poll, options_.poll_wait);
    return take(std::move(polled), io_.clock.now());
  }
  Ahead ahead = *std::exchange(ahead_, std::nullopt);
  take(std::move(ahead.polled), ahead.taken_at);
  if (!in_hand_ || !ahead.plan || !still_fits(*ahead.plan, in_hand_->batch)) return;
  in_hand_->plan = std::move(ahead.plan);
  in_hand_->is_verified = true;
}

/// While the sink works on the batch in hand: polls the next one and plans it as if that landed.
/// Nothing is believed before it did: see still_fits().
void DeliveryLane::look_ahead() {
  if (ahead_ || is_draining_) return;
  Polled polled;
  try {
    polled = io_.source.poll(options_.poll, std::chrono::milliseconds{0});
  } catch (const IoError&) {
    return;  // the next step asks again, and tells
  }
  const bool has_changes =
      !polled.lost.empty() || !polled.assigned.empty() || !polled.out_of_range.empty();
  if (polled.batch.empty() && !has_changes) return;
  ahead_.emplace(Ahead{.polled = std::move(polled), .taken_at = io_.clock.now()});
  const MessageBatch& batch = ahead_->polled.batch;
  const auto ready = [this](const Run& run) { return is_ready(run); };
  if (has_changes || !std::ranges::all_of(batch.runs, ready)) return;
  ahead_->plan = plan_batch(batch, {.lane = options_.name,
                                    .owned = owned_,
                                    .refused_rows = {},
                                    .reader = io_.reader,
                                    .route_of = options_.route_of,
                                    .now = ahead_->taken_at,
                                    .landing = in_hand_->plan->moves});
}

/// Whether its messages can be planned: ours, and of a log that was found to be the one we read.
bool DeliveryLane::is_ready(const Run& run) const {
  const auto owned = owned_.find(run.partition);
  return owned != owned_.end() && owned->second.fetch == run.fetch && !owned->second.is_unverified;
}

/// Whether a plan that was made ahead is the one that would be made now.
bool DeliveryLane::still_fits(const LanePlan& plan, const MessageBatch& batch) const {
  const auto ready = [this](const Run& run) { return is_ready(run); };
  const auto expected = [this](const FenceMove& move) {
    return owned_.at(move.partition).fence == move.expected;
  };
  return std::ranges::all_of(batch.runs, ready) && std::ranges::all_of(plan.moves, expected);
}

void DeliveryLane::take(Polled polled, ReceivedAt taken_at) {
  for (const TopicPartition& partition : polled.lost) lose(partition);
  for (const TopicPartition& partition : polled.assigned) start_over(partition);
  for (const TopicPartition& partition : polled.out_of_range) {
    if (owned_.erase(partition) > 0) waiting_.push_back(partition);
  }
  if (polled.batch.empty()) return;
  const std::uint64_t messages = count_messages(polled.batch);
  in_hand_.emplace(
      InHand{.batch = std::move(polled.batch), .messages = messages, .taken_at = taken_at});
  status_.counters.received += messages;
  status_.counters.in_flight = messages;
}

void DeliveryLane::lose(const TopicPartition& partition) {
  owned_.erase(partition);
  std::erase(waiting_, partition);
}

/// The partition waits until its fence is read again; what we hold of it is dropped.
void DeliveryLane::start_over(const TopicPartition& partition) {
  lose(partition);
  waiting_.push_back(partition);
}

/// A partition begins one message before its fence where that message still exists: if it is not
/// the one that was delivered last, the log was replaced under us.
void DeliveryLane::verify_first_messages() {
  for (const Run& run : in_hand_->batch.runs) {
    const auto owned = owned_.find(run.partition);
    if (owned == owned_.end() || !owned->second.is_unverified) continue;
    if (owned->second.fetch != run.fetch || run.messages.empty()) continue;
    const Message& first = run.messages.front();
    const Fence& fence = owned->second.fence;
    const bool is_the_one_before = next_offset(first.offset) == fence.next;
    if (is_the_one_before && first.timestamp != fence.last_timestamp) {
      replace_by_time(run.partition);
    } else {
      owned->second.is_unverified = false;
      log().commit(run.partition, fence.next);
    }
  }
  in_hand_->is_verified = true;
}

Step DeliveryLane::deliver() {
  if (!in_hand_->is_verified) verify_first_messages();
  if (!in_hand_->plan) {
    in_hand_->plan = plan_batch(in_hand_->batch, {.lane = options_.name,
                                                  .owned = owned_,
                                                  .refused_rows = in_hand_->refused_rows,
                                                  .reader = io_.reader,
                                                  .route_of = options_.route_of,
                                                  .now = in_hand_->taken_at});
  }
  const LanePlan& plan = *in_hand_->plan;
  if (plan.moves.empty()) return finish(Committed{});
  const bool letters_first = !planted(PlantedBug::LettersAfterFence);
  if (letters_first && !in_hand_->letters_are_put) put_letters();
  return write();
}

/// Letters go first: once the fence has passed a message nobody looks at it again.
void DeliveryLane::put_letters() {
  talking_to_ = &status_.log;
  if (!in_hand_->plan->letters.empty()) io_.dead_letters.put(in_hand_->plan->letters);
  in_hand_->letters_are_put = true;
}

Step DeliveryLane::write() {
  const LanePlan& plan = *in_hand_->plan;
  WriteOutcome outcome = sink().write({.messages = plan.routed,
                                       .moves = plan.moves,
                                       .received_at = io_.clock.now(),
                                       .meanwhile = [this] { look_ahead(); }});
  last_contact_ = io_.clock.steady_now();

  if (const auto* committed = std::get_if<Committed>(&outcome)) return finish(*committed);
  if (std::holds_alternative<Refused>(outcome)) return settle_doubt();
  if (auto* rejected = std::get_if<RowsRejected>(&outcome)) return set_aside(*rejected);
  if (!planted(PlantedBug::ForgetsToRecheck)) must_recheck_ = true;
  write_failed_ = true;
  if (const auto* unknown = std::get_if<Unknown>(&outcome)) {
    mark_down(status_.sink, unknown->why);
    if (planted(PlantedBug::UnknownDropped)) return finish(unknown->if_landed);
    in_hand_->is_doubtful = !planted(PlantedBug::UnknownResent);
    in_hand_->if_landed = unknown->if_landed;
    return Step::Failed;
  }
  mark_down(status_.sink, std::get<Unavailable>(outcome).why);
  return Step::Failed;
}

/// Rows that the sink can never take become letters; the batch is planned anew without them.
Step DeliveryLane::set_aside(RowsRejected& rejected) {
  for (RejectedRow& row : rejected.rows) {
    const Message* message = in_hand_->plan->routed[row.index].message;
    const auto run = std::ranges::find_if(in_hand_->batch.runs, [&](const Run& candidate) {
      return !candidate.messages.empty() && &candidate.messages.front() <= message &&
             message <= &candidate.messages.back();
    });
    in_hand_->refused_rows.insert_or_assign({run->partition, message->offset},
                                            std::move(row.reject));
  }
  in_hand_->plan.reset();
  in_hand_->letters_are_put = false;
  return Step::Done;
}

/// The sink has the batch: now, and only now, the lane and the group move on.
Step DeliveryLane::finish(const Committed& committed) {
  const LanePlan& plan = *in_hand_->plan;
  write_worked();
  for (const FenceMove& move : plan.moves) {
    const auto owned = owned_.find(move.partition);
    if (owned != owned_.end()) owned->second.fence = move.next;
    log().commit(move.partition, move.next.next);
  }
  if (planted(PlantedBug::LettersAfterFence)) put_letters();
  LaneCounters& counters = status_.counters;
  counters.delivered += plan.routed.size() - committed.superseded;
  counters.superseded += committed.superseded;
  counters.rejected += plan.letters.size();
  counters.skipped += plan.skipped;
  counters.in_flight = 0;
  counters.publishes += committed.publishes;
  counters.receivers += committed.receivers;
  for (const DeadLetter& letter : plan.letters) {
    ++counters.rejected_by_reason[static_cast<std::size_t>(letter.reject.reason)];
    log_warn_limited(options_.label, "message_rejected",
                     {{"lane", options_.label},
                      {"topic", letter.source.topic},
                      {"partition", letter.source.partition},
                      {"offset", letter.offset.value},
                      {"reason", name_of(letter.reject.reason)},
                      {"detail", letter.reject.detail}});
  }
  const ReceivedAt now = io_.clock.now();
  if (!plan.routed.empty()) status_.last_delivery = now;
  record_delays(plan, now);
  in_hand_.reset();
  return Step::Done;
}

/// Neighbours in a backlog share a log timestamp, and so a place in the summary.
void DeliveryLane::record_delays(const LanePlan& plan, ReceivedAt now) {
  const std::vector<Routed>& routed = plan.routed;
  for (auto first = routed.begin(); first != routed.end();) {
    const EventTime timestamp = first->message->timestamp;
    const auto last = std::find_if(first, routed.end(), [&](const Routed& candidate) {
      return candidate.message->timestamp != timestamp;
    });
    io_.delays.record(now - timestamp, static_cast<std::uint64_t>(last - first));
    status_.counters.urgent += static_cast<std::uint64_t>(std::count_if(
        first, last, [](const Routed& one) { return is_urgent(*one.route, one.facts); }));
    first = last;
  }
}

/// A reply was lost, or a fence was not as we believed (which a write of ours that landed late
/// brings about too). The fences tell.
Step DeliveryLane::settle_doubt() {
  const std::vector<FenceMove>& moves = in_hand_->plan->moves;
  const std::vector<TopicPartition> partitions = partitions_of(moves);
  const FenceMap actual = sink().read_fences(partitions);
  in_hand_->is_doubtful = false;
  if (in_hand_->if_landed && landed(actual, moves)) return finish(*in_hand_->if_landed);
  adopt(actual, partitions);
  return Step::Done;
}

/// Takes the sink's fences for true and plans the batch in hand anew. A refusal is no reason to
/// resign: a zombie's late write refuses its rightful successor too. Where somebody else moved the
/// fence, or the sink forgot it, we start over from what the sink holds: whoever moved it may have
/// read another log than we did, before it was truncated or made anew, and only a begin() looks.
void DeliveryLane::adopt(const FenceMap& actual, std::span<const TopicPartition> partitions) {
  for (const TopicPartition& partition : partitions) {
    const auto owned = owned_.find(partition);
    if (owned == owned_.end()) continue;
    const auto fence = actual.find(partition);
    const bool is_ours = fence != actual.end() && fence->second == owned->second.fence;
    const bool resigns = planted(PlantedBug::VictimResigns) && !is_ours;
    if (resigns || !log().owns(partition)) {
      lose(partition);
    } else if (!is_ours) {
      start_over(partition);
    }
  }
  if (in_hand_) {
    in_hand_->plan.reset();
    in_hand_->letters_are_put = false;
  }
}

bool DeliveryLane::is_recheck_due() const {
  if (planted(PlantedBug::ForgetsToRecheck)) return false;
  return !owned_.empty() && io_.clock.steady_now() - last_recheck_ >= options_.inspect_every;
}

/// After an outage, and now and then: the sink may hold older fences than we believe, or none.
void DeliveryLane::recheck() {
  std::vector<TopicPartition> partitions;
  partitions.reserve(owned_.size());
  for (const auto& [partition, owned] : owned_) partitions.push_back(partition);
  if (partitions.empty()) {
    sink().ping();
  } else {
    adopt(sink().read_fences(partitions), partitions);
  }
  must_recheck_ = false;
  last_recheck_ = last_contact_ = io_.clock.steady_now();
  read_worked();
}

/// While nothing arrives the sink is still asked whether it is there, so that /health tells the
/// truth before the next message needs it.
void DeliveryLane::stay_awake() {
  const auto now = io_.clock.steady_now();
  if (waiting_.empty()) write_failed_ = false;  // what it would not take is another member's now
  if (now - last_contact_ >= options_.idle_ping) {
    last_contact_ = now;
    sink().ping();
    read_worked();
  }
  if (now - last_inspection_ >= options_.inspect_every) {
    last_inspection_ = now;
    status_.warnings = sink().inspect();
  }
}

/// A sink that answers, but takes no writes (read-only, out of memory), is still down: told
/// otherwise, it would go down again with every try.
void DeliveryLane::read_worked() {
  if (!write_failed_) mark_up(status_.sink);
}

void DeliveryLane::write_worked() {
  write_failed_ = false;
  mark_up(status_.sink);
}

void DeliveryLane::mark_up(DependencyState& state) {
  if (state.is_up) return;
  state.is_up = true;
  state.since = io_.clock.now();
  log_info(&state == &status_.sink ? "sink_up" : "log_up", {{"lane", options_.label}});
}

/// Said once; the repeats of the same outage only show in the state. Another reason is news.
void DeliveryLane::mark_down(DependencyState& state, const std::string& why) {
  const bool is_sink = &state == &status_.sink;
  const bool is_another_reason = std::exchange(state.last_error, why) != why;
  if (!state.is_up && state.since != ReceivedAt{}) {
    if (!is_another_reason) return;
    log_warn_limited(options_.label, is_sink ? "sink_still_down" : "log_still_down",
                     {{"lane", options_.label}, {"error", why}});
    return;
  }
  state.is_up = false;
  state.since = io_.clock.now();
  log_error(is_sink ? "sink_down" : "log_down", {{"lane", options_.label}, {"error", why}});
}

void DeliveryLane::alarm(ResumeCase resume_case, const TopicPartition& partition,
                         const std::string& detail) {
  ++status_.alarms;
  status_.last_alarm = std::string(name_of(resume_case)) + " " + partition.topic + "/" +
                       std::to_string(partition.partition) + ": " + detail;
  log_error_limited(options_.label + name_of(resume_case).data(), "fence_alarm",
                    {{"lane", options_.label},
                     {"case", name_of(resume_case)},
                     {"topic", partition.topic},
                     {"partition", partition.partition},
                     {"detail", detail}});
}

void DeliveryLane::publish_status() {
  status_.partitions = owned_.size();
  status_.waiting_partitions = waiting_.size();
  const auto now = io_.clock.steady_now();
  if (now - last_fences_published_ >= std::chrono::milliseconds{500}) {
    last_fences_published_ = now;
    status_.fences.clear();
    status_.lost_to_retention = 0;
    for (const auto& [partition, owned] : owned_) {
      status_.fences.emplace(partition, owned.fence);
      status_.lost_to_retention += std::abs(owned.fence.gap);
    }
    published_.set(status_);
    return;
  }
  published_.with([&](LaneStatus& published) {
    published.counters = status_.counters;
    published.sink = status_.sink;
    published.log = status_.log;
    published.partitions = status_.partitions;
    published.waiting_partitions = status_.waiting_partitions;
    published.last_delivery = status_.last_delivery;
  });
}

}  // namespace signalbox
