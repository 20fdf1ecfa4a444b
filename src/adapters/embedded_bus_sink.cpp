#include "adapters/embedded_bus_sink.hpp"

#include <map>
#include <string_view>
#include <utility>

#include "adapters/sqlite_fences.hpp"
#include "domain/routing_note.hpp"

namespace signalbox {
namespace {

/// Entries of one channel are neighbours in the file: 2^40 each.
constexpr int kEntryBits = 40;

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS channels (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  first_entry INTEGER NOT NULL DEFAULT 0,
  next_entry INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS entries (
  position INTEGER PRIMARY KEY,
  payload TEXT NOT NULL);
)sql";

struct Channel {
  std::int64_t id = 0;
  std::int64_t first = 0;
  std::int64_t next = 0;

  std::int64_t position(std::int64_t entry) const { return (id << kEntryBits) + entry; }
};

SqliteDatabase opened(const EmbeddedBusSinkOptions& options) {
  SqliteDatabase database{
      {.file = options.file, .sync = SqliteSync::Normal, .busy_timeout = options.busy_timeout}};
  database.execute(kSchema);
  return database;
}

/// The copies that subscribers will get, one a channel.
std::vector<BusMessage> bus_messages(const WriteBatch& batch) {
  const std::string received_at = iso_utc(batch.received_at);
  std::vector<BusMessage> messages;
  for (const Routed& routed : batch.messages) {
    if (routed.route->channels.empty()) continue;
    std::string text;
    append_with_routing(text, routed, batch.received_at, received_at);
    const auto payload = std::make_shared<const std::string>(std::move(text));
    for (const std::string& channel : routed.route->channels)
      messages.push_back({channel, payload});
  }
  return messages;
}

}  // namespace

struct EmbeddedBusSink::Connection {
  explicit Connection(const EmbeddedBusSinkOptions& options)
      : database(opened(options)), fences(database, options.group) {}

  SqliteDatabase database;
  SqliteFences fences;
  SqliteStatement create =
      database.prepare("INSERT INTO channels (name) VALUES (?) ON CONFLICT DO NOTHING");
  SqliteStatement find =
      database.prepare("SELECT id, first_entry, next_entry FROM channels WHERE name = ?");
  SqliteStatement advance =
      database.prepare("UPDATE channels SET first_entry = ?, next_entry = ? WHERE id = ?");
  SqliteStatement append = database.prepare("INSERT INTO entries VALUES (?, ?)");
  SqliteStatement trim =
      database.prepare("DELETE FROM entries WHERE position >= ? AND position < ?");
  SqliteStatement read = database.prepare(
      "SELECT payload FROM entries WHERE position >= ? AND position < ? ORDER BY position");
  SqliteStatement last = database.prepare(
      "SELECT c.name, e.payload FROM channels c"
      " JOIN entries e ON e.position = (c.id << 40) + c.next_entry - 1");

  Channel channel(const std::string& name) {
    Channel channel;
    find.each(
        [&](const SqliteStatement& row) {
          channel = {.id = row.int64(0), .first = row.int64(1), .next = row.int64(2)};
          return Visit::Stop;
        },
        name);
    return channel;
  }

  void put(const std::vector<BusMessage>& messages, std::int64_t entries_max) {
    std::map<std::string_view, Channel> touched;
    for (const BusMessage& message : messages) {
      const auto [entry, is_new] = touched.try_emplace(message.channel);
      if (is_new) {
        create.run(message.channel);
        entry->second = channel(message.channel);
      }
      Channel& channel = entry->second;
      append.run(channel.position(channel.next), *message.payload);
      ++channel.next;
    }
    for (auto& [name, channel] : touched) {
      // In larger steps than one by one: what goes are whole pages then.
      const std::int64_t excess = channel.next - channel.first - entries_max;
      if (excess > entries_max / 8) {
        trim.run(channel.position(channel.first), channel.position(channel.first + excess));
        channel.first += excess;
      }
      advance.run(channel.first, channel.next, channel.id);
    }
  }
};

EmbeddedBusSink::EmbeddedBusSink(EmbeddedBus& bus, EmbeddedBusSinkOptions options)
    : bus_(bus), options_(std::move(options)) {}
EmbeddedBusSink::~EmbeddedBusSink() = default;

/// A connection that failed is not used again. A new one first settles what the old one left open,
/// so that nothing overtakes it.
EmbeddedBusSink::Connection& EmbeddedBusSink::connection() {
  if (!connection_) {
    auto file = std::make_unique<Connection>(options_);
    std::vector<BusMessage> last;
    file->last.each([&](const SqliteStatement& row) {
      last.push_back({std::string(row.text(0)), std::make_shared<const std::string>(row.text(1))});
      return Visit::Continue;
    });
    settle(*file);
    bus_.remember(last);
    connection_ = std::move(file);
  }
  connection_->database.require_file();
  return *connection_;
}

void EmbeddedBusSink::settle(Connection& file) {
  if (!doubtful_) return;
  std::vector<TopicPartition> partitions;
  for (const FenceMove& move : doubtful_->moves) partitions.push_back(move.partition);
  if (fences_are_moved(file.fences.read(partitions), doubtful_->moves)) {
    bus_.publish(doubtful_->messages);
  }
  doubtful_.reset();
}

FenceMap EmbeddedBusSink::read_fences(std::span<const TopicPartition> partitions) {
  try {
    return connection().fences.read(partitions);
  } catch (const SqliteError&) {
    connection_.reset();
    throw;
  }
}

WriteOutcome EmbeddedBusSink::write(const WriteBatch& batch) {
  std::vector<BusMessage> messages = bus_messages(batch);
  Committed committed{.publishes = messages.size()};
  bool was_tried = false;  // to commit
  const auto turn = bus_.turn();
  try {
    Connection& file = connection();
    SqliteTransaction transaction{file.database, SqliteAccess::Write};
    if (file.fences.move(batch.moves) == SqliteFences::Moved::Refused) return Refused{};
    file.put(messages, options_.entries_per_channel_max);
    was_tried = true;
    transaction.commit();
  } catch (const IoError& error) {
    connection_.reset();
    const auto* sqlite = dynamic_cast<const SqliteError*>(&error);
    if (was_tried && !(sqlite && sqlite->is_full_or_locked())) {
      doubtful_ = Doubtful{{batch.moves.begin(), batch.moves.end()}, std::move(messages)};
      return Unknown{error.what(), committed};
    }
    return Unavailable{error.what()};
  }
  committed.receivers = bus_.publish(messages);
  return committed;
}

void EmbeddedBusSink::ping() { static_cast<void>(read_fences(std::vector{kGroupStarted})); }

std::vector<SinkWarning> EmbeddedBusSink::inspect() {
  ping();
  return {};
}

std::vector<std::string> EmbeddedBusSink::entries(const std::string& channel) {
  try {
    Connection& file = connection();
    const Channel found = file.channel(channel);
    std::vector<std::string> entries;
    file.read.each(
        [&](const SqliteStatement& row) {
          entries.emplace_back(row.text(0));
          return Visit::Continue;
        },
        found.position(found.first), found.position(found.next));
    return entries;
  } catch (const SqliteError&) {
    connection_.reset();
    throw;
  }
}

}  // namespace signalbox
