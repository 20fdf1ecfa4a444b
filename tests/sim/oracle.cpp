#include "sim/oracle.hpp"

#include <algorithm>

#include "sim/world.hpp"

namespace signalbox::sim {
namespace {

/// A message that still asks for something.
bool is_pending(const SimMessage& message) {
  return !message.is_removed && !message.is_excused && message.letters == 0 &&
         message.published == 0;
}

/// Whether a lane went on by time. A jump may lead to where the fence was.
bool is_jump(const FenceMove& move) {
  if (move.next.gap != move.expected->gap) return true;
  return move.next.next == move.expected->next && move.next.last_timestamp == EventTime{};
}

std::string text_of(const TopicPartition& partition) {
  return partition.topic + "/" + std::to_string(partition.partition);
}

}  // namespace

void Oracle::landing(const Call& call, StoreState& state) {
  world_.trace("write lands", call.process, -1, static_cast<std::int64_t>(call.rows.size()));
  for (const Move& move : call.moves) {
    if (move.fence.partition == kGroupStarted) continue;
    const PartitionId partition = *world_.log().find(move.fence.partition);
    world_.trace("fence moves", call.process, static_cast<int>(partition),
                 move.fence.expected ? move.fence.expected->next.value : -1,
                 move.fence.next.next.value);
    if (!move.fence.expected) {
      check_placement(call, move, state, partition);
    } else if (is_jump(move.fence)) {
      check_jump(move, state, partition);
    } else {
      check_data(call, move, state, partition);
    }
  }
  for (const Row& row : call.rows) publish(row, state);
  for (const Move& move : call.moves) {
    if (move.fence.partition == kGroupStarted) continue;
    state.position[*world_.log().find(move.fence.partition)] = move.fence.next.next.value;
  }
}

void Oracle::check_data(const Call& call, const Move& move, StoreState&, PartitionId partition) {
  const Fence& from = *move.fence.expected;
  const Fence& to = move.fence.next;
  const std::string where = text_of(move.fence.partition);
  std::uint64_t seq = from.seq;
  Offset at = from.next;
  for (const Row& row : call.rows) {
    if (row.partition != partition) continue;
    if (row.seq != ++seq) world_.fail("seq has a gap in " + where);
    if (row.epoch != from.epoch) world_.fail("a message carries another epoch in " + where);
    if (row.offset < at || row.offset >= to.next) {
      world_.fail("a message outside of its fence's step in " + where);
    }
    at = next_offset(row.offset);
  }
  if (seq > 0) world_.log().partition(partition).epochs[from.epoch].has_messages = true;
  if (to.seq != seq) world_.fail("the fence counts other messages than it carries in " + where);
  if (to.epoch != from.epoch) world_.fail("the epoch changes without a loss in " + where);
  if (to.next < from.next) world_.fail("the fence goes backwards in " + where);
  check_passed(call, move, partition);
}

void Oracle::check_passed(const Call& call, const Move& move, PartitionId id) {
  const SimPartition& partition = world_.log().partition(id);
  // A truncated log gives its offsets to new messages; whether those arrive is asked at the end.
  if (move.incarnation != partition.incarnation || partition.is_truncated) return;
  const std::int64_t to = std::min(move.fence.next.next.value, partition.end());
  for (std::int64_t offset = move.fence.expected->next.value; offset < to; ++offset) {
    const auto slot = partition.slots[static_cast<std::size_t>(offset)];
    if (!slot || !is_pending(world_.log().message(*slot))) continue;
    const bool is_carried =
        std::ranges::any_of(call.rows, [&](const Row& row) { return row.message == *slot; });
    if (!is_carried) {
      world_.fail("a fence passes " + describe(world_.log().message(*slot)) +
                  ", which is neither in the write nor a letter");
    }
  }
}

void Oracle::publish(const Row& row, StoreState& state) {
  SimMessage& message = world_.log().message(row.message);
  if (message.content != Content::Good) {
    world_.fail(describe(message) + " was to be rejected and is delivered");
  }
  bool is_repeat = false;
  if (message.in_content > 0) {
    if (state.may_repeat.erase(message.id) == 0) {
      world_.fail(describe(message) + " is delivered twice");
    }
    is_repeat = true;
  }
  if (!is_repeat && row.offset.value < state.position[row.partition]) {
    world_.fail(describe(message) + " is delivered after one that came later");
  }
  state.position[row.partition] = row.offset.value + 1;
  state.content[row.partition].push_back(message.id);
  ++message.in_content;
  ++message.published;
}

/// A fence that jumps over messages or back must have a reason in the log, and time must excuse
/// what it passes over.
void Oracle::check_jump(const Move& move, StoreState& state, PartitionId id) {
  const Fence& from = *move.fence.expected;
  const Fence& to = move.fence.next;
  const SimPartition& partition = world_.log().partition(id);
  const std::string where = text_of(move.fence.partition);
  const std::int64_t distance = to.next.value - from.next.value;
  if (distance == 0 && to.last_timestamp == from.last_timestamp) {
    if (to.gap != 0) world_.fail("a gap is neither made nor acknowledged in " + where);
    return;
  }
  if (to.gap - from.gap != distance) world_.fail("the gap is counted wrongly in " + where);
  const auto stored = state.fences.find(move.fence.partition);
  const bool is_of_another_log =
      stored != state.fences.end() && (stored->second.incarnation != partition.incarnation ||
                                       partition.broken_at >= stored->second.set_at);
  // A write that was on its way when the log was truncated leaves a fence of messages that are no
  // more, later than the truncation.
  const bool has_reason = from.next.value < partition.begin || from.next.value > partition.end() ||
                          is_of_another_log || partition.is_truncated;
  if (!has_reason) world_.fail("the fence jumps without a reason in " + where);
  if (move.incarnation != partition.incarnation) return excuse_below(id, to.next);

  const EventTime from_time = resume_by_time(from).time;
  for (std::int64_t offset = partition.begin; offset < partition.end(); ++offset) {
    const auto slot = partition.slots[static_cast<std::size_t>(offset)];
    if (!slot) continue;
    SimMessage& message = world_.log().message(*slot);
    const bool is_missing = !message.is_excused && message.letters == 0 &&
                            message.in_content == 0 &&
                            (message.published == 0 || offset >= state.start[id]);
    if (offset < to.next.value && is_missing) {
      if (message.timestamp >= from_time) {
        world_.fail("the fence jumps over " + describe(message));
      }
      message.is_excused = true;
    }
    if (offset >= to.next.value && offset < from.next.value && message.in_content > 0) {
      state.may_repeat.insert(message.id);
    }
  }
}

/// The first fence of a partition, or the first after the sink forgot it.
void Oracle::check_placement(const Call& call, const Move& move, StoreState& state,
                             PartitionId id) {
  SimPartition& partition = world_.log().partition(id);
  const Fence& fence = move.fence.next;
  const std::string where = text_of(move.fence.partition);
  if (fence.seq != 0) world_.fail("an epoch does not begin with seq 0 in " + where);
  // A copy that lands after the sink was emptied begins the epoch of its original again; and two
  // machines' clocks may show the same millisecond.
  const auto [epoch, is_new] = partition.epochs.try_emplace(fence.epoch);
  if (!is_new && epoch->second.has_messages && epoch->second.process == call.process &&
      !call.is_copy) {
    world_.fail("an epoch is used twice in " + where);
  }
  epoch->second.process = call.process;
  state.start[id] = fence.next.value;
  state.content[id].clear();
  // The log broke and the sink forgot: nothing is left that could tell.
  if (move.incarnation != partition.incarnation || partition.broken_at >= 0) {
    return excuse_below(id, fence.next);
  }
  const bool starts_group = std::ranges::any_of(
      call.moves, [](const Move& other) { return other.fence.partition == kGroupStarted; });
  // A group without any trace begins, to whoever looks, for the first time.
  const Process& writer = world_.process(call.process);
  const bool may_skip = starts_group && world_.first_start() == StartAt::Latest &&
                        !writer.knows_group_started && !writer.source.was_told_of_a_commit();
  if (may_skip) return excuse_below(id, fence.next);
  const std::int64_t to = std::min(fence.next.value, partition.end());
  for (std::int64_t offset = partition.begin; offset < to; ++offset) {
    const auto slot = partition.slots[static_cast<std::size_t>(offset)];
    if (slot && is_pending(world_.log().message(*slot))) {
      world_.fail("a partition starts behind " + describe(world_.log().message(*slot)) +
                  ", which nobody has delivered");
    }
  }
}

void Oracle::excuse_below(PartitionId id, Offset offset) {
  const SimPartition& partition = world_.log().partition(id);
  const std::int64_t to = std::min(offset.value, partition.end());
  for (std::int64_t at = partition.begin; at < to; ++at) {
    const auto slot = partition.slots[static_cast<std::size_t>(at)];
    if (slot) world_.log().message(*slot).is_excused = true;
  }
}

void Oracle::produced(SimMessage& message) {
  const SimPartition& partition = world_.log().partition(message.partition);
  const auto& fences = world_.store().state().fences;
  const auto stored = fences.find(partition.name);
  if (stored == fences.end() || message.offset >= stored->second.fence.next) return;
  const Fence& fence = stored->second.fence;
  const bool has_evidence =
      fence.last_timestamp != EventTime{} && fence.next.value > partition.begin;
  if (!has_evidence) message.is_excused = true;
}

void Oracle::restored() {
  for (SimMessage& message : world_.log().messages()) {
    const SimPartition& partition = world_.log().partition(message.partition);
    if (is_pending(message) && partition.broken_at >= 0) produced(message);
  }
}

void Oracle::letter_put(SimMessage& message) {
  if (message.content == Content::Good) {
    world_.fail(describe(message) + " is good and becomes a letter");
  }
  ++message.letters;
}

void Oracle::check_status(Process& process) {
  const LaneStatus status = process.lane->status();
  const LaneCounters& counters = status.counters;
  if (!counters.balanced()) world_.fail("the counters do not add up");
  if (counters.in_flight != 0 && !process.is_writing)
    world_.fail("a lane polls with a batch in hand");
  const std::uint64_t told = counters.delivered + counters.superseded;
  if (told > process.rows_landed + process.rows_of_others) {
    world_.fail("a lane counts messages as delivered that it never wrote");
  }
  if (told < process.rows_known) {
    world_.fail("a lane does not count messages that it knows to be delivered");
  }
}

const SimMessage* Oracle::owed() const {
  StoreState& state = world_.store().state();
  for (const SimMessage& message : world_.log().messages()) {
    if (message.is_removed || message.is_excused || message.letters > 0) continue;
    // What a sink forgot with its fence is not owed a second time.
    const bool has_fence = state.fences.contains(world_.log().partition(message.partition).name);
    const bool is_forgotten = !has_fence || message.offset.value < state.start[message.partition];
    const int copies = is_forgotten ? message.published : message.in_content;
    if (copies == 0) return &message;
  }
  return nullptr;
}

std::string Oracle::describe(const SimMessage& message) const {
  return "message " + std::to_string(message.id) + " (" +
         text_of(world_.log().partition(message.partition).name) + " offset " +
         std::to_string(message.offset.value) + ")";
}

}  // namespace signalbox::sim
