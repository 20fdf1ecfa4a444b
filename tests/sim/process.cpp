#include "sim/process.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "ports/io_error.hpp"
#include "sim/world.hpp"

namespace signalbox::sim {
namespace {

constexpr Micros kSinkTimeout = 2 * kSecond;

/// Whether a write sets fences only: no batch stands behind it.
bool is_placement(const WriteBatch& batch) {
  if (!batch.messages.empty()) return false;
  return std::ranges::any_of(batch.moves, [](const FenceMove& move) {
    return !move.expected || move.expected->gap != move.next.gap ||
           move.expected->next == move.next.next;
  });
}

}  // namespace

Process::Process(World& world_of_process, int process_id)
    : Member(world_of_process, process_id), world(world_of_process) {}

void Process::before_poll() { world.oracle().check_status(*this); }

NetFault Process::enter(Step step) {
  check_alive();
  pass_time(0, 300);
  const NetFault fault = world.reach(*this, step);
  check_alive();
  return fault;
}

std::shared_ptr<Call> SimSink::make_call(Call::Kind kind) {
  auto call = std::make_shared<Call>();
  call->kind = kind;
  call->process = process_.id;
  return call;
}

SimSink::Answer SimSink::exchange(const std::shared_ptr<Call>& call, const NetFault& fault,
                                  const std::function<void()>& meanwhile) {
  World& world = process_.world;
  if (!connection_) {
    process_.pass_time(100, world.latency_max());
    connection_ = world.store().boot();
  }
  call->boot = *connection_;
  call->waiter = process_.fiber;
  world.store().send(call, fault);
  if (meanwhile) {
    process_.is_writing = true;
    meanwhile();
    process_.is_writing = false;
  }
  const Micros deadline = world.now() + kSinkTimeout;
  while (!call->is_answered && world.now() < deadline) {
    world.scheduler().park(deadline);
    process_.check_alive();
  }
  if (call->is_answered && !call->is_cut) return Answer::Came;
  connection_.reset();
  return call->is_answered ? Answer::Cut : Answer::None;
}

FenceMap SimSink::read_fences(std::span<const TopicPartition> partitions) {
  const bool places = std::ranges::find(partitions, kGroupStarted) != partitions.end();
  const bool settling = !places && settles(partitions);
  const NetFault fault = process_.enter(places     ? Step::ReadFences
                                        : settling ? Step::Settle
                                                   : Step::Recheck);
  const auto call = make_call(Call::Kind::Read);
  call->wanted.assign(partitions.begin(), partitions.end());
  if (exchange(call, fault) != Answer::Came) throw IoError("sink", "no answer");
  process_.knows_group_started |= call->fences.contains(kGroupStarted);
  if (settling) {
    // What the fences say, the lane must know now: its own write has landed.
    const bool is_there = std::ranges::all_of(last_write_->moves, [&](const Move& move) {
      const auto found = call->fences.find(move.fence.partition);
      return found != call->fences.end() && found->second == move.fence.next;
    });
    const std::size_t rows = last_write_->rows.size();
    if (is_there && must_settle_ && last_write_->has_landed) process_.rows_known += rows;
    // Another member may have written the very same messages: no fence tells whose they were.
    if (is_there && !last_write_->has_landed) process_.rows_of_others += rows;
    last_write_.reset();
    must_settle_ = false;
  }
  return call->fences;
}

bool SimSink::settles(std::span<const TopicPartition> partitions) const {
  if (!last_write_) return false;
  return std::ranges::all_of(last_write_->moves, [&](const Move& move) {
    return std::ranges::find(partitions, move.fence.partition) != partitions.end();
  });
}

WriteOutcome SimSink::write(const WriteBatch& batch) {
  World& world = process_.world;
  if (must_settle_) world.fail("a reply was lost, and a write follows without reading the fences");
  const Step step = is_placement(batch) ? Step::PlaceFences : Step::WriteBefore;
  const auto call = make_call(Call::Kind::Write);
  fill(*call, batch);
  if (step == Step::PlaceFences) check_first_fences(*call);
  const NetFault fault = process_.enter(step);
  if (!connection_ && world.store().is_unavailable()) return Unavailable{"connection refused"};
  const Answer answer = exchange(call, fault, batch.meanwhile);
  return outcome_of(call, answer, step);
}

WriteOutcome SimSink::outcome_of(const std::shared_ptr<Call>& call, Answer answer, Step step) {
  const bool is_batch = step == Step::WriteBefore;
  if (is_batch) last_write_ = call;
  bool is_known = answer == Answer::Came;
  if (is_batch && is_known && call->has_landed) {
    const NetFault fault = process_.enter(Step::WriteAfter);
    if (fault.is_doubled) process_.world.store().repeat(call, 0);
    if (fault.is_lost_before || fault.is_lost_after) {
      process_.pass_time(kSinkTimeout, kSinkTimeout);
      connection_.reset();
      is_known = false;
    }
  }
  if (!is_known) {
    must_settle_ = is_batch;
    return Unknown{.why = answer == Answer::Cut ? "connection reset" : "no answer",
                   .if_landed = {.superseded = call->superseded}};
  }
  if (is_batch && std::holds_alternative<Committed>(call->outcome)) {
    process_.rows_known += call->rows.size();
  }
  if (!std::holds_alternative<Refused>(call->outcome)) last_write_.reset();
  return call->outcome;
}

void SimSink::fill(Call& call, const WriteBatch& batch) {
  World& world = process_.world;
  std::set<std::string_view> keys;
  for (const Routed& routed : batch.messages) {
    const SimMessage& message = world.log().message_of(routed.message->payload);
    call.rows.push_back({.message = message.id,
                         .partition = message.partition,
                         .offset = message.offset,
                         .seq = routed.seq,
                         .epoch = routed.epoch});
    if (world.coalesces() && !keys.insert(message.key).second) ++call.superseded;
  }
  const bool starts_group =
      std::ranges::find(batch.moves, kGroupStarted, &FenceMove::partition) != batch.moves.end();
  for (const FenceMove& move : batch.moves) {
    const auto id = world.log().find(move.partition);
    const int incarnation = !id            ? 0
                            : starts_group ? process_.source.first_incarnation_of(*id)
                                           : process_.source.incarnation_of(*id);
    call.moves.push_back({move, incarnation});
  }
}

/// The first fence of a partition must be the one that the amnesia table gives for what the log
/// told this process.
void SimSink::check_first_fences(const Call& call) {
  World& world = process_.world;
  const bool starts_group = std::ranges::any_of(
      call.moves, [](const Move& move) { return move.fence.partition == kGroupStarted; });
  for (const Move& move : call.moves) {
    if (move.fence.expected || move.fence.partition == kGroupStarted) continue;
    const PartitionId id = *world.log().find(move.fence.partition);
    const LogRange* told = starts_group ? process_.source.told_first(id) : process_.source.told(id);
    if (told == nullptr) return world.fail("a fence is placed without asking the log");
    Offset wanted = told->begin;
    if (starts_group) {
      if (world.first_start() == StartAt::Latest) wanted = told->end;
    } else if (told->committed) {
      wanted = std::clamp(*told->committed, told->begin, told->end);
    }
    if (move.fence.next.next != wanted) {
      world.fail("the first fence is at " + std::to_string(move.fence.next.next.value) +
                 " and should be at " + std::to_string(wanted.value));
    }
  }
}

void SimSink::ping() {
  if (must_settle_) process_.world.fail("a reply was lost, and a ping comes before the fences");
  process_.check_alive();
  if (exchange(make_call(Call::Kind::Ping), {}) != Answer::Came) {
    throw IoError("sink", "no answer");
  }
}

void SimDeadLetters::put(std::span<const DeadLetter> letters) {
  World& world = process_.world;
  std::vector<MessageId> ids;
  for (const DeadLetter& letter : letters) ids.push_back(world.log().message_of(letter.payload).id);
  const NetFault fault = process_.enter(Step::PutLetters);
  process_.pass_time(100, world.latency_max());
  const auto put = [&world, ids] {
    for (const MessageId id : ids) world.oracle().letter_put(world.log().message(id));
  };
  if (fault.is_late) {
    world.scheduler().at(world.now() + world.random().between(kSecond, 20 * kSecond), put);
  } else if (!world.is_log_out() && !fault.is_lost_before) {
    put();
    if (fault.is_doubled) put();
    world.trace("letters put", process_.id, -1, static_cast<std::int64_t>(ids.size()));
    if (!fault.is_lost_after) return;
  }
  process_.pass_time(kSinkTimeout, kSinkTimeout);
  throw IoError("kafka", "no answer");
}

std::expected<Facts, Reject> SimReader::read(const Route&, const Message& message, ReceivedAt) {
  if (process_.world.log().message_of(message.payload).content == Content::Poison) {
    return std::unexpected(Reject{RejectReason::NotJson, "simulated"});
  }
  return Facts{};
}

}  // namespace signalbox::sim
