#include "adapters/embedded_producer.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace signalbox {
namespace {

/// So that the first append after a lowered limit does not prune for minutes.
constexpr int kPruneChunksMax = 8;

struct PartitionState {
  std::int64_t id = 0;
  std::int64_t first = 0;
  std::int64_t next = 0;
  bool is_touched = false;
};

using Topic = std::vector<PartitionState>;  // by partition number

/// The same key always finds the same partition, in every process and build (FNV-1a).
std::size_t partition_of(std::string_view key, std::size_t partitions) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : key) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211u;
  }
  return static_cast<std::size_t>(hash % partitions);
}

}  // namespace

struct EmbeddedProducer::Connection {
  explicit Connection(const EmbeddedLog& log) : database(log.open(SqliteSync::Full)) {}

  SqliteDatabase database;
  SqliteStatement select = database.prepare(
      "SELECT id, first_offset, next_offset FROM partitions WHERE topic = ? ORDER BY partition");
  SqliteStatement create =
      database.prepare("INSERT INTO partitions (topic, partition) VALUES (?, ?)");
  SqliteStatement insert = database.prepare("INSERT INTO messages VALUES (?, ?, ?, ?, ?)");
  SqliteStatement advance =
      database.prepare("UPDATE partitions SET first_offset = ?, next_offset = ? WHERE id = ?");
  SqliteStatement prune =
      database.prepare("DELETE FROM messages WHERE position >= ? AND position < ?");

  /// What the file holds now: other processes append too.
  Topic read_topic(std::string_view topic) {
    Topic partitions;
    select.each(
        [&](const SqliteStatement& row) {
          partitions.push_back({.id = row.int64(0), .first = row.int64(1), .next = row.int64(2)});
          return Visit::Continue;
        },
        topic);
    return partitions;
  }

  Topic make_topic(std::string_view topic, std::int32_t partitions) {
    Topic found = read_topic(topic);
    if (!found.empty()) return found;
    for (std::int32_t partition = 0; partition < partitions; ++partition) {
      create.run(topic, partition);
    }
    touch_topology(database);
    return read_topic(topic);
  }

  void append(Topic& topic, const OutgoingMessage& message) {
    const std::size_t index = message.partition ? static_cast<std::size_t>(*message.partition)
                                                : partition_of(message.key, topic.size());
    if (index >= topic.size()) {
      throw IoError("sqlite", "topic " + std::string(message.topic) + " has no partition " +
                                  std::to_string(index));
    }
    PartitionState& partition = topic[index];
    const std::string headers = pack_headers(message.headers);
    const SqliteBlob packed{headers.empty() ? std::string_view{} : headers};
    const SqliteBlob key{message.key.data() ? message.key : ""};
    insert.run(log_position(partition.id, partition.next),
               std::int64_t{message.timestamp.time_since_epoch().count()}, key,
               SqliteBlob{message.payload}, packed);
    ++partition.next;
    partition.is_touched = true;
  }

  void finish(PartitionState& partition, const EmbeddedLogOptions& options) {
    const std::int64_t most = options.messages_per_partition_max + options.prune_chunk;
    for (int i = 0; i < kPruneChunksMax && partition.next - partition.first > most; ++i) {
      const std::int64_t end = partition.first + options.prune_chunk;
      prune.run(log_position(partition.id, partition.first), log_position(partition.id, end));
      partition.first = end;
    }
    advance.run(partition.first, partition.next, partition.id);
  }
};

EmbeddedProducer::EmbeddedProducer(EmbeddedLog& log) : log_(log) {}
EmbeddedProducer::~EmbeddedProducer() = default;

void EmbeddedProducer::produce(std::span<const OutgoingMessage> messages) {
  if (messages.empty()) return;
  try {
    Connection& file = connection();
    SqliteTransaction transaction{file.database, SqliteAccess::Write};
    std::map<std::string_view, Topic> topics;
    for (const OutgoingMessage& message : messages) {
      const auto [topic, is_new] = topics.try_emplace(message.topic);
      if (is_new) {
        topic->second = file.make_topic(message.topic, log_.options().partitions_per_topic);
      }
      file.append(topic->second, message);
    }
    for (auto& [name, topic] : topics) {
      for (PartitionState& partition : topic) {
        if (partition.is_touched) file.finish(partition, log_.options());
      }
    }
    transaction.commit();
  } catch (const IoError&) {
    connection_.reset();
    throw;
  }
  log_.ring();
}

void EmbeddedProducer::create_topic(const std::string& topic, std::int32_t partitions) {
  try {
    Connection& file = connection();
    SqliteTransaction transaction{file.database, SqliteAccess::Write};
    file.make_topic(topic, partitions);
    transaction.commit();
  } catch (const IoError&) {
    connection_.reset();
    throw;
  }
  log_.ring();
}

EmbeddedProducer::Connection& EmbeddedProducer::connection() {
  if (!connection_) connection_ = std::make_unique<Connection>(log_);
  connection_->database.require_file();
  return *connection_;
}

EmbeddedDeadLetters::EmbeddedDeadLetters(EmbeddedLog& log, std::string topic)
    : producer_(log), topic_(std::move(topic)) {}

void EmbeddedDeadLetters::put(std::span<const DeadLetter> letters) {
  std::vector<std::string> keys;
  std::vector<OutgoingMessage> messages;
  keys.reserve(letters.size());  // so that no key moves: the messages point to them
  messages.reserve(letters.size());
  for (const DeadLetter& letter : letters) {
    messages.push_back({.topic = topic_,
                        .key = keys.emplace_back(dead_letter_key(letter)),
                        .payload = letter.payload,
                        .timestamp = letter.rejected_at,
                        .headers = dead_letter_headers(letter)});
  }
  producer_.produce(messages);
}

}  // namespace signalbox
