#include "sim/group.hpp"

#include <algorithm>

#include "sim/ground.hpp"
#include "sim/member.hpp"

namespace signalbox::sim {
namespace {

constexpr Micros kSession = 10 * kSecond;

}  // namespace

void Group::join(Member& process) {
  members_.push_back({.process = &process, .last_seen = ground_.now()});
  must_deal_ = true;
  ground_.trace("joins", process.id);
}

void Group::leave(Member& process) {
  std::erase_if(members_, [&](const Seat& member) { return member.process == &process; });
  std::erase_if(owners_, [&](const auto& entry) { return entry.second == &process; });
  must_deal_ = true;
  ground_.trace("leaves", process.id);
}

bool Group::has(const Member& process) const {
  return std::ranges::any_of(
      members_, [&](const Seat& member) { return member.process == &process && member.is_in; });
}

void Group::tick() {
  std::vector<Member*> gone;
  for (Seat& member : members_) {
    look_at(member);
    if (member.process->is_dead && !member.is_in) gone.push_back(member.process);
  }
  for (Member* process : gone) {
    std::erase_if(members_, [&](const Seat& member) { return member.process == process; });
  }
  std::size_t visible = 0;
  for (PartitionId id = 0; id < ground_.log().size(); ++id) {
    if (ground_.log().partition(id).visible_at <= ground_.now()) ++visible;
  }
  if (visible != dealt_partitions_ || must_deal_ || must_shuffle_) deal();
  dealt_partitions_ = visible;
  for (PartitionId id = 0; id < ground_.log().size(); ++id) {
    if (ground_.random().chance(70)) reconcile(id);
  }
}

void Group::look_at(Seat& member) {
  Member& process = *member.process;
  const bool answers = !process.is_dead && !process.is_paused();
  if (!answers) {
    if (member.is_in && ground_.now() - member.last_seen > kSession) {
      member.is_in = false;
      std::erase_if(owners_, [&](const auto& entry) { return entry.second == &process; });
      must_deal_ = true;
      ground_.trace("expelled", process.id);
    }
    return;
  }
  member.last_seen = ground_.now();
  // An expelled member learns it with its next heartbeat, and joins again.
  if (!member.is_in && ground_.random().chance(15)) {
    process.source.on_lost_all();
    member.is_in = true;
    must_deal_ = true;
    ground_.trace("joins again", process.id);
  }
  if (member.is_in && ground_.random().chance(50)) process.source.flush_commits();
}

void Group::deal() {
  std::vector<Member*> present;
  for (const Seat& member : members_) {
    if (member.is_in) present.push_back(member.process);
  }
  if (present.empty()) return;
  std::vector<PartitionId> free;
  const std::size_t fair = (ground_.log().size() + present.size() - 1) / present.size();
  std::map<Member*, std::size_t> counts;
  for (PartitionId id = 0; id < ground_.log().size(); ++id) {
    Member* owner = owner_of(id);
    const bool stays = !must_shuffle_ && owner != nullptr && counts[owner] < fair;
    if (stays) {
      ++counts[owner];
      targets_[id] = owner;
    } else {
      free.push_back(id);
    }
  }
  if (must_shuffle_) ground_.random().shuffle(std::span{present});
  for (const PartitionId id : free) {
    Member* least =
        *std::ranges::min_element(present, {}, [&](Member* process) { return counts[process]; });
    ++counts[least];
    targets_[id] = least;
  }
  must_deal_ = false;
  must_shuffle_ = false;
  ground_.trace("dealt", -1, -1, static_cast<std::int64_t>(present.size()));
}

void Group::reconcile(PartitionId id) {
  if (ground_.log().partition(id).visible_at > ground_.now()) return;
  Member* owner = owner_of(id);
  const auto target = targets_.find(id);
  if (target == targets_.end() || owner == target->second) return;
  const auto answers = [](const Member& process) {
    return !process.is_dead && !process.is_paused();
  };
  if (owner != nullptr) {
    if (!answers(*owner)) return;
    owners_.erase(id);
    owner->source.on_lost(id);
    if (ground_.random().chance(50)) return;
  }
  if (!has(*target->second)) {
    must_deal_ = true;
    return;
  }
  if (!answers(*target->second)) return;
  owners_[id] = target->second;
  target->second->source.on_assigned(id);
}

void Group::forget(PartitionId id) {
  Member* owner = owner_of(id);
  owners_.erase(id);
  if (owner != nullptr) owner->source.on_lost(id);
}

Member* Group::owner_of(PartitionId partition) const {
  const auto found = owners_.find(partition);
  return found == owners_.end() ? nullptr : found->second;
}

}  // namespace signalbox::sim
