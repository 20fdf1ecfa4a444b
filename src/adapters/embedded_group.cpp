#include "adapters/embedded_group.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "adapters/embedded_log.hpp"

namespace signalbox {

TopicFilter::TopicFilter(const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) {
    if (!topic.starts_with('^')) {
      names_.push_back(topic);
      continue;
    }
    auto pattern = std::make_unique<regex_t>();
    if (regcomp(pattern.get(), topic.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
      throw std::invalid_argument("`" + topic + "` is no regular expression");
    }
    patterns_.emplace_back(pattern.release());
  }
}

void TopicFilter::Free::operator()(regex_t* pattern) const {
  regfree(pattern);
  std::default_delete<regex_t>{}(pattern);
}

bool TopicFilter::matches(const std::string& topic) const {
  if (std::ranges::find(names_, topic) != names_.end()) return true;
  return std::ranges::any_of(patterns_, [&](const auto& pattern) {
    return regexec(pattern.get(), topic.c_str(), 0, nullptr, 0) == 0;
  });
}

EmbeddedGroup::EmbeddedGroup(SqliteDatabase& database, Member member, const TopicFilter& filter)
    : database_(database),
      member_(std::move(member)),
      filter_(filter),
      topology_(database.prepare("SELECT value FROM meta WHERE name = 'topology'")),
      partitions_(database.prepare("SELECT id, topic, partition FROM partitions")),
      beat_(database.prepare("UPDATE members SET beat_ms = ? WHERE group_id = ? AND member = ?")),
      join_(database.prepare("INSERT INTO members VALUES (?, ?, ?)")),
      members_(database.prepare(
          "SELECT member, beat_ms FROM members WHERE group_id = ? ORDER BY member")),
      owners_(database.prepare("SELECT partition_id, member FROM owners WHERE group_id = ?")),
      claim_(database.prepare("INSERT INTO owners VALUES (?, ?, ?)")),
      give_up_(database.prepare(
          "DELETE FROM owners WHERE group_id = ? AND partition_id = ? AND member = ?")) {}

EmbeddedGroup::Share EmbeddedGroup::balance(Milliseconds now, bool is_member) {
  SqliteTransaction transaction{database_, SqliteAccess::Write};
  Share share;
  beat_.run(std::int64_t{now.count()}, member_.group, member_.id);
  if (database_.changes() == 0) {
    share.was_expelled = is_member;
    join_.run(member_.group, member_.id, std::int64_t{now.count()});
    touch_topology(database_);
  }
  bury_the_dead(now);
  const auto matching = matching_partitions();
  move_towards(fair_share(matching.size()), matching, share.partitions);
  share.topology = topology();
  transaction.commit();
  return share;
}

void EmbeddedGroup::beat(Milliseconds now) {
  beat_.run(std::int64_t{now.count()}, member_.group, member_.id);
}

void EmbeddedGroup::leave() {
  SqliteTransaction transaction{database_, SqliteAccess::Write};
  for (const char* table : {"owners", "members"}) {
    database_.prepare("DELETE FROM " + std::string(table) + " WHERE group_id = ? AND member = ?")
        .run(member_.group, member_.id);
  }
  touch_topology(database_);
  transaction.commit();
}

std::int64_t EmbeddedGroup::topology() { return topology_.integer().value_or(0); }

bool EmbeddedGroup::owns(std::int64_t partition_id) {
  bool found = false;
  owners_.each(
      [&](const SqliteStatement& row) {
        found = row.int64(0) == partition_id && row.text(1) == member_.id;
        return found ? Visit::Stop : Visit::Continue;
      },
      member_.group);
  return found;
}

std::map<TopicPartition, std::int64_t> EmbeddedGroup::matching_partitions() {
  std::map<std::string, bool, std::less<>> known;  // a topic has several partitions
  std::map<TopicPartition, std::int64_t> matching;
  partitions_.each([&](const SqliteStatement& row) {
    const std::string topic{row.text(1)};
    const auto [entry, is_new] = known.try_emplace(topic, false);
    if (is_new) entry->second = filter_.matches(topic);
    if (entry->second) {
      matching.emplace(TopicPartition{topic, static_cast<std::int32_t>(row.int64(2))},
                       row.int64(0));
    }
    return Visit::Continue;
  });
  return matching;
}

/// A heartbeat from the future is one from before the machine was started anew.
void EmbeddedGroup::bury_the_dead(Milliseconds now) {
  std::vector<std::string> dead;
  members_.each(
      [&](const SqliteStatement& row) {
        const Milliseconds silence = now - Milliseconds{row.int64(1)};
        if (silence > member_.expiry || silence < -member_.expiry) dead.emplace_back(row.text(0));
        return Visit::Continue;
      },
      member_.group);
  for (const std::string& member : dead) {
    database_.prepare("DELETE FROM members WHERE group_id = ? AND member = ?")
        .run(member_.group, member);
    database_.prepare("DELETE FROM owners WHERE group_id = ? AND member = ?")
        .run(member_.group, member);
  }
  if (!dead.empty()) touch_topology(database_);
}

/// The shares of all members add up to the number of partitions: who comes first in the order of
/// ids takes one of the remainder.
std::size_t EmbeddedGroup::fair_share(std::size_t partitions) {
  std::size_t members = 0;
  std::size_t rank = 0;
  members_.each(
      [&](const SqliteStatement& row) {
        if (row.text(0) == member_.id) rank = members;
        ++members;
        return Visit::Continue;
      },
      member_.group);
  if (members == 0) return 0;  // our own row has expired: nothing is ours until we join again
  return partitions / members + (rank < partitions % members ? 1 : 0);
}

void EmbeddedGroup::move_towards(std::size_t share,
                                 const std::map<TopicPartition, std::int64_t>& matching,
                                 std::map<TopicPartition, std::int64_t>& ours) {
  std::set<std::int64_t> taken;
  std::set<std::int64_t> held;
  owners_.each(
      [&](const SqliteStatement& row) {
        (row.text(1) == member_.id ? held : taken).insert(row.int64(0));
        return Visit::Continue;
      },
      member_.group);
  for (const auto& [partition, id] : matching) {
    if (held.contains(id)) ours.emplace(partition, id);
  }
  bool gave_up = false;
  while (ours.size() > share) {
    give_up_.run(member_.group, std::prev(ours.end())->second, member_.id);
    ours.erase(std::prev(ours.end()));
    gave_up = true;
  }
  // Not even the first look tells whoever waits for these that they are free.
  if (gave_up) touch_topology(database_);
  for (const auto& [partition, id] : matching) {
    if (ours.size() >= share || gave_up) break;
    if (taken.contains(id) || held.contains(id)) continue;
    claim_.run(member_.group, id, member_.id);
    ours.emplace(partition, id);
  }
}

}  // namespace signalbox
