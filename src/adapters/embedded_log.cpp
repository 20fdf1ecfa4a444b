#include "adapters/embedded_log.hpp"

#include <random>
#include <utility>

#include "base/check.hpp"
#include "domain/text.hpp"

namespace signalbox {
namespace {

/// 2^40 messages a partition, 2^23 partitions.
constexpr int kOffsetBits = 40;

/// Messages lie by position, see log_position(). `owners` says which member of a group reads a
/// partition; a group's `commits` are advisory.
constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (
  id INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  first_offset INTEGER NOT NULL DEFAULT 0,
  next_offset INTEGER NOT NULL DEFAULT 0,
  UNIQUE (topic, partition));
CREATE TABLE IF NOT EXISTS messages (
  position INTEGER PRIMARY KEY,
  timestamp_ms INTEGER NOT NULL,
  key BLOB NOT NULL,
  payload BLOB,
  headers BLOB);
CREATE TABLE IF NOT EXISTS members (
  group_id TEXT NOT NULL,
  member TEXT NOT NULL,
  beat_ms INTEGER NOT NULL,
  PRIMARY KEY (group_id, member)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (
  group_id TEXT NOT NULL,
  partition_id INTEGER NOT NULL,
  member TEXT NOT NULL,
  PRIMARY KEY (group_id, partition_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commits (
  group_id TEXT NOT NULL,
  partition_id INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  PRIMARY KEY (group_id, partition_id)) WITHOUT ROWID;
)sql";

void make_tables(SqliteDatabase& database) {
  SqliteTransaction transaction{database, SqliteAccess::Write};
  database.execute(kSchema);
  database.prepare("INSERT OR IGNORE INTO meta VALUES ('lineage', ?)").run(random_id());
  database.prepare("INSERT OR IGNORE INTO meta VALUES ('topology', 1)").run();
  transaction.commit();
}

bool has_tables(SqliteDatabase& database) {
  // Written last, in the transaction that makes all of them.
  auto tables = database.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'commits'");
  return tables.integer() == 1;
}

}  // namespace

EmbeddedLog::EmbeddedLog(EmbeddedLogOptions options) : options_(std::move(options)) {
  SB_CHECK(options_.partitions_per_topic > 0);
  SB_CHECK(options_.messages_per_partition_max > 0 && options_.prune_chunk > 0);
}

SqliteDatabase EmbeddedLog::open(SqliteSync sync) const {
  SqliteDatabase database{
      {.file = options_.file, .sync = sync, .busy_timeout = options_.busy_timeout}};
  if (!has_tables(database)) make_tables(database);
  return database;
}

std::uint64_t EmbeddedLog::rings() const {
  const std::lock_guard lock{mutex_};
  return rings_;
}

void EmbeddedLog::ring() {
  {
    const std::lock_guard lock{mutex_};
    ++rings_;
  }
  rung_.notify_all();
}

void EmbeddedLog::wait_for_ring(std::uint64_t heard, std::chrono::milliseconds most) const {
  std::unique_lock lock{mutex_};
  rung_.wait_for(lock, most, [&] { return rings_ > heard; });
}

std::int64_t log_position(std::int64_t partition_id, std::int64_t offset) {
  SB_CHECK(offset >= 0 && offset >> kOffsetBits == 0);
  return (partition_id << kOffsetBits) + offset;
}

std::string random_id() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::random_device device;
  std::uniform_int_distribution<std::size_t> digit{0, kDigits.size() - 1};
  std::string id(32, '0');
  for (char& c : id) c = kDigits[digit(device)];
  return id;
}

void touch_topology(SqliteDatabase& database) {
  database.execute("UPDATE meta SET value = value + 1 WHERE name = 'topology'");
}

// Each header is `length:name` `length:value`.
std::string pack_headers(const std::vector<Header>& headers) {
  std::string packed;
  for (const Header& header : headers) {
    for (const std::string* text : {&header.name, &header.value}) {
      append_integer(packed, text->size());
      packed.append(":").append(*text);
    }
  }
  return packed;
}

std::vector<Header> unpack_headers(std::string_view packed) {
  const auto take = [&packed]() -> std::string {
    const std::size_t colon = packed.find(':');
    const auto size = integer_from<std::size_t>(packed.substr(0, colon));
    if (colon == std::string_view::npos || !size || *size > packed.size() - colon - 1) {
      throw IoError("sqlite", "the headers of a message in the log are damaged");
    }
    std::string text{packed.substr(colon + 1, *size)};
    packed.remove_prefix(colon + 1 + *size);
    return text;
  };
  std::vector<Header> headers;
  while (!packed.empty()) {
    Header header{.name = take(), .value = {}};
    header.value = take();
    headers.push_back(std::move(header));
  }
  return headers;
}

}  // namespace signalbox
