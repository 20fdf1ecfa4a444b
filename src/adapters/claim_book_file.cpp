#include "adapters/claim_book_file.hpp"

#include <chrono>
#include <map>
#include <set>
#include <utility>

namespace signalbox {
namespace {

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS claims (
  pipeline TEXT NOT NULL,
  ticker TEXT NOT NULL,
  task_id TEXT NOT NULL,
  deadline_ms INTEGER NOT NULL,
  database_now_us INTEGER NOT NULL,
  enqueued_ms INTEGER NOT NULL,
  has_ended INTEGER NOT NULL,
  PRIMARY KEY (pipeline, ticker)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
  number INTEGER PRIMARY KEY,
  pipeline TEXT NOT NULL,
  ticker TEXT NOT NULL,
  task_id TEXT NOT NULL,
  content TEXT NOT NULL,
  signal_key TEXT NOT NULL,
  logged_ms INTEGER NOT NULL,
  is_backtest INTEGER NOT NULL,
  bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
  place INTEGER PRIMARY KEY,  -- their order, for as long as the file is open
  is_taken INTEGER NOT NULL,
  pipeline TEXT NOT NULL,
  ticker TEXT NOT NULL,
  task_id TEXT NOT NULL,
  signal_key TEXT NOT NULL,
  content TEXT NOT NULL,
  is_backtest INTEGER NOT NULL,
  enqueued_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS fences (
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  fence TEXT NOT NULL,
  cut_fence TEXT,
  cut_pairs INTEGER,
  cut_last TEXT,
  PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
  signal_key TEXT PRIMARY KEY,
  generation INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS book (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  forgotten INTEGER NOT NULL);
)sql";

std::int64_t ms_of(EventTime time) { return time.time_since_epoch().count(); }
std::int64_t us_of(DatabaseTime time) { return time.time_since_epoch().count(); }
EventTime time_of_ms(std::int64_t ms) { return EventTime{std::chrono::milliseconds{ms}}; }
std::int64_t number_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t number_from(std::int64_t value) { return static_cast<std::uint64_t>(value); }

PairKey pair_from(const SqliteStatement& row, int column) {
  const auto pipeline = parse_uuid(row.text(column));
  if (!pipeline) {
    throw IoError("sqlite", "no pipeline's id: " + std::string(row.text(column)));
  }
  return {*pipeline, std::string(row.text(column + 1))};
}

Fence fence_from(std::string_view text) {
  auto fence = decode_fence(text);
  if (!fence) throw IoError("sqlite", fence.error());
  return *std::move(fence);
}

}  // namespace

struct ClaimBookFile::Connection {
  explicit Connection(const SqliteOptions& options)
      : database(opened(options)),
        claim(database->prepare("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?, ?)")),
        drop_claim(database->prepare("DELETE FROM claims WHERE pipeline = ? AND ticker = ?")),
        wait(database->prepare("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")),
        drop_waiting(database->prepare("DELETE FROM waiting WHERE number = ?")),
        task(database->prepare("INSERT OR REPLACE INTO tasks"
                               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")),
        drop_task(database->prepare("DELETE FROM tasks WHERE place = ?")),
        fence(database->prepare("INSERT INTO fences VALUES (?, ?, ?, ?, ?, ?)")),
        see(database->prepare("INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING")),
        forget(database->prepare("DELETE FROM seen WHERE generation <= ?")),
        book(database->prepare("INSERT OR REPLACE INTO book VALUES (1, ?, ?, ?, ?)")) {}

  /// The lock on the file is kept: a second process would go on from a book that is not the last.
  static std::unique_ptr<SqliteDatabase> opened(const SqliteOptions& options) {
    try {
      auto database = std::make_unique<SqliteDatabase>(options);
      database->execute("PRAGMA locking_mode = EXCLUSIVE");
      database->execute(kSchema);
      SqliteTransaction lock{*database, SqliteAccess::Write};
      lock.commit();
      return database;
    } catch (const SqliteError& error) {
      if (!error.is_full_or_locked()) throw;
      throw IoError("sqlite", "another process works with " + options.file.string() +
                                  ", or its disk is full: " + error.what());
    }
  }

  /// Nobody knows what is in the file: the next write replaces all of it.
  void forget_what_is_written() {
    written = {};
    is_known = false;
  }
  void empty() {
    database->execute("DELETE FROM claims; DELETE FROM waiting; DELETE FROM tasks");
    is_known = true;
  }
  void put_claims(const ClaimBook::Memory& memory);
  void put_waiting(const ClaimBook::Memory& memory);
  void put_tasks(std::span<const QueuedTask> taken, const std::deque<QueuedTask>& queue);
  void put_fences(const ClaimBook::Memory& memory);

  /// A task of the same name may be enqueued again when nobody remembers the first one.
  using TaskKey = std::pair<std::string, EventTime>;
  struct Place {
    std::int64_t number = 0;
    bool is_taken = false;
    std::uint64_t present_at = 0;  ///< the last write that it was part of
  };
  struct Written {
    std::map<PairKey, ClaimBook::Claim> claims;
    std::set<std::uint64_t> waiting;
    std::map<TaskKey, Place> tasks;
    std::int64_t last_place = 0;
    std::optional<std::uint64_t> generation;  ///< whose turn has dropped the oldest names
    std::uint64_t writes = 0;
  };

  std::unique_ptr<SqliteDatabase> database;
  SqliteStatement claim;
  SqliteStatement drop_claim;
  SqliteStatement wait;
  SqliteStatement drop_waiting;
  SqliteStatement task;
  SqliteStatement drop_task;
  SqliteStatement fence;
  SqliteStatement see;
  SqliteStatement forget;
  SqliteStatement book;
  Written written;
  bool is_known = false;  ///< whether `written` is what the file holds
};

ClaimBookFile::ClaimBookFile(SqliteOptions options) : options_(std::move(options)) {}
ClaimBookFile::~ClaimBookFile() = default;

/// A file that was replaced is opened anew by the next call.
ClaimBookFile::Connection& ClaimBookFile::connection() {
  if (!connection_) connection_ = std::make_unique<Connection>(options_);
  try {
    connection_->database->require_file();
  } catch (const SqliteError&) {
    connection_.reset();
    throw;
  }
  return *connection_;
}

void ClaimBookFile::Connection::put_claims(const ClaimBook::Memory& memory) {
  for (const auto& [pair, held] : memory.claims) {
    const auto before = written.claims.find(pair);
    if (before != written.claims.end() && before->second == held) continue;
    claim.run(to_text(pair.pipeline), pair.ticker, held.task_id, ms_of(held.deadline),
              us_of(held.database_now), ms_of(held.enqueued_at), held.has_ended ? 1 : 0);
    written.claims.insert_or_assign(pair, held);
  }
  std::erase_if(written.claims, [&](const auto& entry) {
    if (memory.claims.contains(entry.first)) return false;
    drop_claim.run(to_text(entry.first.pipeline), entry.first.ticker);
    return true;
  });
}

void ClaimBookFile::Connection::put_waiting(const ClaimBook::Memory& memory) {
  std::set<std::uint64_t> numbers;
  for (const auto& [pair, line] : memory.lines) {
    for (const ClaimBook::Waiting& waiting : line) {
      numbers.insert(waiting.number);
      if (written.waiting.contains(waiting.number)) continue;
      wait.run(number_of(waiting.number), to_text(pair.pipeline), pair.ticker,
               waiting.draft.task_id, waiting.draft.content, waiting.signal_key,
               ms_of(waiting.logged_at), waiting.is_backtest ? 1 : 0, number_of(waiting.bytes));
    }
  }
  for (const std::uint64_t number : written.waiting) {
    if (!numbers.contains(number)) drop_waiting.run(number_of(number));
  }
  written.waiting = std::move(numbers);
}

/// Tasks only ever come at the end, so the order in which they were first seen is theirs.
void ClaimBookFile::Connection::put_tasks(std::span<const QueuedTask> taken,
                                          const std::deque<QueuedTask>& queue) {
  ++written.writes;
  const auto put = [&](const QueuedTask& queued, bool is_taken) {
    const auto [entry, is_new] = written.tasks.try_emplace({queued.task_id, queued.enqueued_at});
    Place& place = entry->second;
    if (is_new) place.number = ++written.last_place;
    if (is_new || place.is_taken != is_taken) {
      task.run(place.number, is_taken ? 1 : 0, to_text(queued.pair.pipeline), queued.pair.ticker,
               queued.task_id, queued.signal_key, queued.content, queued.is_backtest ? 1 : 0,
               ms_of(queued.enqueued_at), ms_of(queued.expires_at));
    }
    place.is_taken = is_taken;
    place.present_at = written.writes;
  };
  for (const QueuedTask& queued : taken) put(queued, true);
  for (const QueuedTask& queued : queue) put(queued, false);
  std::erase_if(written.tasks, [&](const auto& entry) {
    if (entry.second.present_at == written.writes) return false;
    drop_task.run(entry.second.number);
    return true;
  });
}

void ClaimBookFile::Connection::put_fences(const ClaimBook::Memory& memory) {
  database->execute("DELETE FROM fences");
  for (const auto& [partition, at] : memory.fences) {
    const auto cut = memory.cuts.find(partition);
    if (cut == memory.cuts.end()) {
      fence.run(partition.topic, partition.partition, encode(at), nullptr, nullptr, nullptr);
    } else {
      fence.run(partition.topic, partition.partition, encode(at), encode(cut->second.fence),
                number_of(cut->second.cut.pairs_done), cut->second.cut.last_pair);
    }
  }
}

void ClaimBookFile::write(const ClaimBook::Memory& memory, std::span<const QueuedTask> taken,
                          std::span<const std::string> fresh) {
  Connection& to = connection();
  try {
    SqliteTransaction transaction{*to.database, SqliteAccess::Write};
    if (!to.is_known) to.empty();
    to.put_claims(memory);
    to.put_waiting(memory);
    to.put_tasks(taken, memory.queue);
    to.put_fences(memory);
    if (std::exchange(to.written.generation, memory.generation) != memory.generation) {
      to.forget.run(number_of(memory.generation) - static_cast<std::int64_t>(memory.seen.size()));
    }
    for (const std::string& name : fresh) to.see.run(name, number_of(memory.generation));
    to.book.run(number_of(memory.number), number_of(memory.generation), ms_of(memory.since),
                number_of(memory.forgotten));
    transaction.commit();
  } catch (const IoError&) {
    to.forget_what_is_written();
    throw;
  }
}

namespace {

void read_claims(SqliteDatabase& database, ClaimBook::Memory& memory) {
  database.prepare("SELECT * FROM claims").each([&](const SqliteStatement& row) {
    const DatabaseTime database_now{std::chrono::microseconds{row.int64(4)}};
    memory.claims.emplace(pair_from(row, 0),
                          ClaimBook::Claim{.task_id = std::string(row.text(2)),
                                           .deadline = time_of_ms(row.int64(3)),
                                           .database_now = database_now,
                                           .enqueued_at = time_of_ms(row.int64(5)),
                                           .has_ended = row.int64(6) != 0});
    return Visit::Continue;
  });
  database.prepare("SELECT * FROM waiting ORDER BY number").each([&](const SqliteStatement& row) {
    memory.lines[pair_from(row, 1)].push_back(
        {.number = number_from(row.int64(0)),
         .draft = {std::string(row.text(3)), std::string(row.text(4))},
         .signal_key = std::string(row.text(5)),
         .logged_at = time_of_ms(row.int64(6)),
         .is_backtest = row.int64(7) != 0,
         .bytes = number_from(row.int64(8))});
    return Visit::Continue;
  });
}

void read_fences(SqliteDatabase& database, ClaimBook::Memory& memory) {
  database.prepare("SELECT * FROM fences").each([&](const SqliteStatement& row) {
    const TopicPartition partition{std::string(row.text(0)),
                                   static_cast<std::int32_t>(row.int64(1))};
    memory.fences.emplace(partition, fence_from(row.text(2)));
    if (!row.is_null(3)) {
      memory.cuts.emplace(partition, ClaimBook::CutAt{fence_from(row.text(3)),
                                                      Cut{partition, number_from(row.int64(4)),
                                                          std::string(row.text(5))}});
    }
    return Visit::Continue;
  });
}

void read_seen(SqliteDatabase& database, ClaimBook::Memory& memory) {
  database.prepare("SELECT number, generation, since_ms, forgotten FROM book")
      .each([&](const SqliteStatement& row) {
        memory.number = number_from(row.int64(0));
        memory.generation = number_from(row.int64(1));
        memory.since = time_of_ms(row.int64(2));
        memory.forgotten = number_from(row.int64(3));
        return Visit::Stop;
      });
  database.prepare("SELECT signal_key, generation FROM seen").each([&](const SqliteStatement& row) {
    memory.seen[number_from(row.int64(1)) % memory.seen.size()].emplace(row.text(0));
    return Visit::Continue;
  });
}

}  // namespace

ClaimBookFile::Content ClaimBookFile::read() {
  SqliteDatabase& database = *connection().database;
  Content content;
  SqliteTransaction transaction{database, SqliteAccess::Read};
  read_claims(database, content.memory);
  read_fences(database, content.memory);
  read_seen(database, content.memory);
  database.prepare("SELECT * FROM tasks ORDER BY place").each([&](const SqliteStatement& row) {
    QueuedTask task{.pair = pair_from(row, 2),
                    .task_id = std::string(row.text(4)),
                    .signal_key = std::string(row.text(5)),
                    .content = std::string(row.text(6)),
                    .is_backtest = row.int64(7) != 0,
                    .enqueued_at = time_of_ms(row.int64(8)),
                    .expires_at = time_of_ms(row.int64(9))};
    (row.int64(1) != 0 ? content.taken : content.memory.queue).push_back(std::move(task));
    return Visit::Continue;
  });
  transaction.commit();
  return content;
}

}  // namespace signalbox
