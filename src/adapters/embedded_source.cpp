#include "adapters/embedded_source.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/log.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::milliseconds kCommitEvery{500};

/// Headers are read for topics of our own only.
constexpr std::string_view kOwnTopics = "signalbox.";

/// Keeps the bytes of a batch where they are until the batch dies.
class ByteArena final : public MessageBatch::Storage {
 public:
  /// A copy of `bytes`; the copy of an empty view that has an address has one too.
  std::string_view keep(std::string_view bytes) {
    if (!bytes.data()) return {};
    if (bytes.size() > room_) {
      room_ = std::max(bytes.size(), kBlock);
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(room_));
      at_ = blocks_.back().get();
    }
    if (bytes.empty()) return "";
    std::memcpy(at_, bytes.data(), bytes.size());
    const std::string_view kept{at_, bytes.size()};
    at_ += bytes.size();
    room_ -= bytes.size();
    return kept;
  }

 private:
  static constexpr std::size_t kBlock = 65'536;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  std::size_t room_ = 0;
};

std::chrono::milliseconds in_milliseconds(std::chrono::steady_clock::time_point time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
}

bool has_something(const Polled& polled) {
  return !polled.lost.empty() || !polled.assigned.empty() || !polled.out_of_range.empty() ||
         !polled.batch.empty();
}

EmbeddedGroup::Member member_of(const EmbeddedSourceOptions& options, const std::string& id) {
  return {.group = options.group, .id = id, .expiry = options.member_expiry};
}

}  // namespace

/// Heartbeats and commits may be lost in a power cut: the connection does not wait for the disk.
class EmbeddedSource::Connection {
 public:
  Connection(const EmbeddedLog& log, const EmbeddedSourceOptions& options,
             const std::string& member, const TopicFilter& filter)
      : database(log.open(SqliteSync::Normal)),
        group(database, member_of(options, member), filter) {}

  SqliteDatabase database;
  EmbeddedGroup group;
  SqliteStatement range_of =
      database.prepare("SELECT first_offset, next_offset FROM partitions WHERE id = ?");

  struct Range {
    std::int64_t first = 0;
    std::int64_t end = 0;
  };
  Range range(std::int64_t partition_id) {
    Range range;
    range_of.each(
        [&](const SqliteStatement& row) {
          range = {row.int64(0), row.int64(1)};
          return Visit::Stop;
        },
        partition_id);
    return range;
  }

  SqliteStatement messages = database.prepare(
      "SELECT position, timestamp_ms, key, payload, headers FROM messages"
      " WHERE position >= ? AND position < ? ORDER BY position");
  SqliteStatement ranges = database.prepare(
      "SELECT p.id, p.first_offset, p.next_offset, c.next_offset FROM partitions p"
      " LEFT JOIN commits c ON c.partition_id = p.id AND c.group_id = ?"
      " WHERE p.topic = ? AND p.partition = ?");
  SqliteStatement first_since = database.prepare(
      "SELECT position FROM messages WHERE position >= ? AND position < ? AND timestamp_ms >= ?"
      " ORDER BY position LIMIT 1");
  SqliteStatement commit = database.prepare(
      "INSERT INTO commits SELECT ?, id, ? FROM partitions WHERE topic = ? AND partition = ?"
      " ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset");
};

EmbeddedSource::EmbeddedSource(EmbeddedLog& log, const Clock& clock, EmbeddedSourceOptions options)
    : log_(log),
      clock_(clock),
      options_(std::move(options)),
      member_(random_id()),
      filter_(options_.topics) {
  if (options_.heartbeats == Heartbeats::OwnThread) {
    heartbeat_ = std::jthread{[this](std::stop_token stop) { keep_alive(std::move(stop)); }};
  }
}

EmbeddedSource::~EmbeddedSource() {
  if (heartbeat_.joinable()) {
    heartbeat_.request_stop();
    heartbeat_.join();
  }
  leave();
}

/// Runs `action` on the connection. One that failed is not used again.
template <typename Action>
auto EmbeddedSource::with_file(Action&& action) const {
  try {
    if (!connection_) connection_ = std::make_unique<Connection>(log_, options_, member_, filter_);
    connection_->database.require_file();
    return action(*connection_);
  } catch (const IoError&) {
    connection_.reset();
    throw;
  }
}

Polled EmbeddedSource::poll(const PollLimits& limits, std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const std::uint64_t heard = log_.rings();
    Polled polled = poll_once(limits);
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (has_something(polled) || left.count() <= 0) return polled;
    log_.wait_for_ring(heard, std::min(left, options_.look_every));
  }
}

Polled EmbeddedSource::poll_once(const PollLimits& limits) {
  return with_file([&](Connection& file) {
    const auto now = clock_.steady_now();
    const bool is_due = !last_balance_ || now - *last_balance_ >= options_.heartbeat_every;
    if (is_due || file.group.topology() != topology_) balance(file);
    if (!last_commit_ || now - *last_commit_ >= kCommitEvery) write_commits(file);
    MessageBatch batch = fetch(file, limits);
    // From here on nothing fails: what is told now is not told again.
    Polled polled = std::exchange(news_, {});
    polled.batch = std::move(batch);
    return polled;
  });
}

/// The owners' rows change first, then what we believe: a failure leaves both as they were.
void EmbeddedSource::balance(Connection& file) {
  const auto now = clock_.steady_now();
  const auto share = file.group.balance(in_milliseconds(now), is_member_);
  last_balance_ = now;
  is_member_ = true;
  topology_ = share.topology;
  std::erase_if(assigned_, [&](const auto& entry) {
    const bool is_lost = share.was_expelled || !share.partitions.contains(entry.first);
    if (!is_lost) return false;
    std::erase(news_.assigned, entry.first);
    std::erase(news_.out_of_range, entry.first);
    news_.lost.push_back(entry.first);
    return true;
  });
  for (const auto& [partition, id] : share.partitions) {
    if (assigned_.try_emplace(partition, Assigned{.id = id}).second) {
      news_.assigned.push_back(partition);
    }
  }
}

/// What one poll has found so far, and how much more it may bring.
struct EmbeddedSource::Fetch {
  const PollLimits& limits;
  std::unique_ptr<ByteArena> arena = std::make_unique<ByteArena>();
  std::vector<Run> runs{};
  std::vector<TopicPartition> out_of_range{};
  std::size_t messages = 0;
  std::size_t bytes = 0;

  bool is_full() const {
    return messages >= limits.messages || bytes >= limits.bytes || runs.size() >= limits.partitions;
  }
};

MessageBatch EmbeddedSource::fetch(Connection& file, const PollLimits& limits) {
  Fetch fetch{.limits = limits};
  {
    // One snapshot: a pruning between the range and the messages would look like a gap.
    const SqliteTransaction snapshot{file.database, SqliteAccess::Read};
    // Round robin: the poll begins with the partition after the one that was served last.
    const auto start = assigned_.upper_bound(served_last_);
    for (auto at = start; at != assigned_.end() && !fetch.is_full(); ++at) {
      read(file, at->first, at->second, fetch);
    }
    for (auto at = assigned_.begin(); at != start && !fetch.is_full(); ++at) {
      read(file, at->first, at->second, fetch);
    }
  }
  for (const TopicPartition& partition : fetch.out_of_range) {
    assigned_.at(partition).next.reset();
    news_.out_of_range.push_back(partition);
  }
  if (fetch.runs.empty()) return {};
  for (const Run& run : fetch.runs) {
    assigned_.at(run.partition).next = next_offset(run.messages.back().offset).value;
  }
  served_last_ = fetch.runs.back().partition;
  return {std::move(fetch.runs), std::move(fetch.arena)};
}

void EmbeddedSource::read(Connection& file, const TopicPartition& partition,
                          const Assigned& assigned, Fetch& fetch) {
  if (!assigned.next) return;
  const auto [first, end] = file.range(assigned.id);
  if (*assigned.next < first || *assigned.next > end) {
    fetch.out_of_range.push_back(partition);
    return;
  }
  Run run{.partition = partition, .fetch = assigned.fetch, .messages = {}};
  const bool with_headers = partition.topic.starts_with(kOwnTopics);
  file.messages.each(
      [&](const SqliteStatement& row) {
        const std::size_t size = row.blob(2).size() + row.blob(3).size();
        // The first of a poll is taken whatever its size.
        if (fetch.messages > 0 && fetch.bytes + size > fetch.limits.bytes) return Visit::Stop;
        Message message{.offset = Offset{row.int64(0) - log_position(assigned.id, 0)},
                        .timestamp = EventTime{std::chrono::milliseconds{row.int64(1)}},
                        .key = fetch.arena->keep(row.blob(2)),
                        .payload = fetch.arena->keep(row.blob(3))};
        if (with_headers) message.headers = unpack_headers(row.blob(4));
        run.messages.push_back(std::move(message));
        fetch.bytes += size;
        ++fetch.messages;
        return fetch.is_full() ? Visit::Stop : Visit::Continue;
      },
      log_position(assigned.id, *assigned.next), log_position(assigned.id, end));
  if (!run.messages.empty()) fetch.runs.push_back(std::move(run));
}

std::optional<FetchId> EmbeddedSource::begin(const TopicPartition& partition, Offset offset) {
  const auto assigned = assigned_.find(partition);
  if (assigned == assigned_.end()) return std::nullopt;
  assigned->second.next = offset.value;
  assigned->second.fetch = FetchId{++fetches_};
  return assigned->second.fetch;
}

/// Asks the file too: whoever was stopped for long learns here that it was taken for dead.
bool EmbeddedSource::owns(const TopicPartition& partition) const {
  const auto assigned = assigned_.find(partition);
  if (assigned == assigned_.end()) return false;
  return with_file([&](Connection& file) { return file.group.owns(assigned->second.id); });
}

std::map<TopicPartition, LogRange> EmbeddedSource::ranges(
    std::span<const TopicPartition> partitions) {
  return with_file([&](Connection& file) {
    write_commits(file);
    std::map<TopicPartition, LogRange> found;
    for (const TopicPartition& partition : partitions) {
      file.ranges.each(
          [&](const SqliteStatement& row) {
            LogRange range{.begin = Offset{row.int64(1)},
                           .end = Offset{row.int64(2)},
                           .committed = std::nullopt};
            if (!row.is_null(3)) range.committed = Offset{row.int64(3)};
            found.emplace(partition, range);
            return Visit::Stop;
          },
          options_.group, partition.topic, partition.partition);
    }
    return found;
  });
}

/// Looks at each message from the oldest on: seldom asked, and bounded by what the log keeps.
Offset EmbeddedSource::offset_at(const TopicPartition& partition, EventTime time) {
  return with_file([&](Connection& file) {
    const SqliteTransaction snapshot{file.database, SqliteAccess::Read};
    std::array<std::int64_t, 3> range{};
    file.ranges.each(
        [&](const SqliteStatement& row) {
          range = {row.int64(0), row.int64(1), row.int64(2)};
          return Visit::Stop;
        },
        options_.group, partition.topic, partition.partition);
    const auto [id, first, end] = range;
    const auto position = file.first_since.integer(log_position(id, first), log_position(id, end),
                                                   std::int64_t{time.time_since_epoch().count()});
    return Offset{position ? *position - log_position(id, 0) : end};
  });
}

std::vector<TopicPartition> EmbeddedSource::all_partitions() {
  return with_file([](Connection& file) {
    std::vector<TopicPartition> partitions;
    for (const auto& [partition, id] : file.group.matching_partitions()) {
      partitions.push_back(partition);
    }
    return partitions;
  });
}

void EmbeddedSource::commit(const TopicPartition& partition, Offset next) {
  commits_.insert_or_assign(partition, next);
}

void EmbeddedSource::write_commits(Connection& file) {
  last_commit_ = clock_.steady_now();
  if (commits_.empty()) return;
  SqliteTransaction transaction{file.database, SqliteAccess::Write};
  for (const auto& [partition, next] : commits_) {
    file.commit.run(options_.group, next.value, partition.topic, partition.partition);
  }
  transaction.commit();
  commits_.clear();
}

std::string EmbeddedSource::lineage() {
  return with_file([](Connection& file) {
    std::string lineage;
    file.database.prepare("SELECT value FROM meta WHERE name = 'lineage'")
        .each([&](const SqliteStatement& row) {
          lineage = row.text(0);
          return Visit::Stop;
        });
    return lineage;
  });
}

/// The others need not wait for our silence to end. Where the file does not answer they will.
void EmbeddedSource::leave() {
  if (!is_member_) return;
  try {
    with_file([&](Connection& file) {
      write_commits(file);
      file.group.leave();
    });
    log_.ring();
  } catch (const IoError& error) {
    log_warn("embedded_group_not_left", {{"group", options_.group}, {"error", error.what()}});
  }
}

/// Has a connection of its own and never waits for whoever owns the source.
void EmbeddedSource::keep_alive(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_ptr<Connection> file;
  std::unique_lock lock{mutex};
  while (!stopped.wait_for(lock, stop, options_.heartbeat_every,
                           [&] { return stop.stop_requested(); })) {
    try {
      if (!file) file = std::make_unique<Connection>(log_, options_, member_, filter_);
      file->group.beat(in_milliseconds(clock_.steady_now()));
    } catch (const IoError& error) {
      file.reset();
      log_warn_limited(options_.group, "embedded_heartbeat_failed",
                       {{"group", options_.group}, {"error", error.what()}});
    }
  }
}

}  // namespace signalbox
