#include "sim/store.hpp"

#include <algorithm>
#include <utility>

#include "services/planted_bugs.hpp"
#include "sim/world.hpp"

namespace signalbox::sim {
namespace {

constexpr std::size_t kSnapshotsMax = 4;

}  // namespace

void Store::send(const std::shared_ptr<Call>& call, const NetFault& fault) {
  if (fault.is_lost_before) return;
  Random& random = world_.random();
  const Micros delay = fault.is_late ? random.between(2 * kSecond, 30 * kSecond)
                                     : random.between(100, world_.latency_max());
  const bool wants_reply = !fault.is_lost_after;
  world_.scheduler().at(world_.now() + delay,
                        [this, call, wants_reply] { deliver(call, wants_reply); });
  if (fault.is_doubled) repeat(call, delay + random.between(0, 3 * kSecond));
}

void Store::repeat(const std::shared_ptr<Call>& call, Micros delay) {
  auto copy = std::make_shared<Call>(*call);
  copy->is_copy = true;
  world_.scheduler().at(world_.now() + delay, [this, copy] { deliver(copy, false); });
}

void Store::deliver(const std::shared_ptr<Call>& call, bool wants_reply) {
  if (call->boot != boot_) {  // the connection died with the server
    call->is_cut = true;
    if (wants_reply) answer(call);
    return;
  }
  if (stalled_until_ > world_.now()) {
    const Micros later = stalled_until_ + world_.random().between(0, 2 * kMillisecond);
    world_.scheduler().at(later, [this, call, wants_reply] { deliver(call, wants_reply); });
    return;
  }
  execute(*call);
  if (!wants_reply) return;
  const Micros back = world_.now() + world_.random().between(100, world_.latency_max());
  world_.scheduler().at(back, [this, call] {
    if (call->boot != boot_) call->is_cut = true;
    answer(call);
  });
}

void Store::answer(const std::shared_ptr<Call>& call) {
  call->is_answered = true;
  world_.scheduler().wake(call->waiter, world_.now());
}

void Store::execute(Call& call) {
  fit();
  if (call.kind == Call::Kind::Write) {
    call.outcome = write(call);
    return;
  }
  if (is_unavailable()) {
    call.is_cut = true;  // to a reader an error is an error
    return;
  }
  for (const TopicPartition& partition : call.wanted) {
    const auto found = state_.fences.find(partition);
    if (found != state_.fences.end()) call.fences.emplace(partition, found->second.fence);
  }
}

WriteOutcome Store::write(Call& call) {
  if (is_unavailable()) return Unavailable{"OOM command not allowed"};
  const auto fits = [&](const Move& move) {
    const auto found = state_.fences.find(move.fence.partition);
    if (found == state_.fences.end()) return !move.fence.expected;
    return move.fence.expected == found->second.fence;
  };
  if (!planted(PlantedBug::FenceNotCompared) && !std::ranges::all_of(call.moves, fits)) {
    world_.trace("refused", call.process);
    return Refused{};
  }
  RowsRejected rejected;
  for (std::size_t i = 0; i < call.rows.size(); ++i) {
    if (world_.log().message(call.rows[i].message).content == Content::RefusedBySink) {
      rejected.rows.push_back({i, {RejectReason::RefusedBySink, "22003"}});
    }
  }
  if (!rejected.rows.empty()) return rejected;
  world_.oracle().landing(call, state_);
  for (const Move& move : call.moves) {
    state_.fences.insert_or_assign(
        move.fence.partition,
        StoreState::StoredFence{move.fence.next, world_.now(), move.incarnation});
  }
  call.has_landed = true;
  world_.process(call.process).rows_landed += call.rows.size();
  return Committed{.superseded = call.superseded, .receivers = 0, .publishes = call.rows.size()};
}

void Store::take_snapshot() {
  fit();
  if (snapshots_.size() == kSnapshotsMax) snapshots_.erase(snapshots_.begin());
  snapshots_.push_back(state_);
  world_.trace("snapshot");
}

void Store::restart() {
  ++boot_;
  stalled_until_ = 0;
  world_.trace("sink restarts");
}

void Store::empty() {
  // What is on its way to the old server does not reach the new one. A sink that is emptied in
  // place keeps its connections.
  if (world_.random().chance(50)) restart();
  become(StoreState{});
  world_.trace("sink emptied");
}

void Store::restore() {
  restart();
  become(snapshots_.empty() ? StoreState{} : snapshots_[world_.random().below(snapshots_.size())]);
  world_.trace("sink restored");
}

void Store::become(StoreState state) {
  state_ = std::move(state);
  fit();
  for (SimMessage& message : world_.log().messages()) message.in_content = 0;
  for (const auto& partition : state_.content) {
    for (const MessageId id : partition) ++world_.log().message(id).in_content;
  }
  world_.oracle().restored();
}

void Store::stall(Micros duration) {
  stalled_until_ = std::max(stalled_until_, world_.now() + duration);
  world_.trace("sink stalls", -1, -1, duration);
}

void Store::make_unavailable(Micros duration) {
  unavailable_until_ = std::max(unavailable_until_, world_.now() + duration);
  world_.trace("sink unavailable", -1, -1, duration);
}

bool Store::is_unavailable() const { return unavailable_until_ > world_.now(); }

void Store::fit() {
  state_.content.resize(world_.log().size());
  state_.position.resize(world_.log().size());
  state_.start.resize(world_.log().size());
}

}  // namespace signalbox::sim
