#include "adapters/sqlite_fences.hpp"

#include <algorithm>
#include <utility>

namespace signalbox {
namespace {

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS fences (
  group_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  fence TEXT NOT NULL,
  PRIMARY KEY (group_id, topic, partition)) WITHOUT ROWID;
)sql";

SqliteDatabase& with_table(SqliteDatabase& database) {
  database.execute(kSchema);
  return database;
}

}  // namespace

SqliteFences::SqliteFences(SqliteDatabase& database, std::string group)
    : database_(with_table(database)),
      group_(std::move(group)),
      select_(database.prepare(
          "SELECT fence FROM fences WHERE group_id = ? AND topic = ? AND partition = ?")),
      insert_(database.prepare("INSERT INTO fences VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")),
      update_(database.prepare("UPDATE fences SET fence = ?"
                               " WHERE group_id = ? AND topic = ? AND partition = ?"
                               " AND fence = ?")) {}

FenceMap SqliteFences::read(std::span<const TopicPartition> partitions) {
  FenceMap fences;
  for (const TopicPartition& partition : partitions) {
    select_.each(
        [&](const SqliteStatement& row) {
          auto fence = decode_fence(row.text(0));
          if (!fence) throw IoError("sqlite", fence.error());
          fences.emplace(partition, *std::move(fence));
          return Visit::Stop;
        },
        group_, partition.topic, partition.partition);
  }
  return fences;
}

SqliteFences::Moved SqliteFences::move(std::span<const FenceMove> moves) {
  for (const FenceMove& move : moves) {
    const std::string next = encode(move.next);
    const TopicPartition& partition = move.partition;
    if (move.expected) {
      update_.run(next, group_, partition.topic, partition.partition, encode(*move.expected));
    } else {
      insert_.run(group_, partition.topic, partition.partition, next);
    }
    if (database_.changes() != 1) return Moved::Refused;
  }
  return Moved::All;
}

bool fences_are_moved(const FenceMap& fences, std::span<const FenceMove> moves) {
  return std::ranges::all_of(moves, [&](const FenceMove& move) {
    const auto found = fences.find(move.partition);
    return found != fences.end() && found->second == move.next;
  });
}

}  // namespace signalbox
