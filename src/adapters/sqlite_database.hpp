#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ports/io_error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace signalbox {

/// SQLite refused or failed; `code` is its extended result code.
class SqliteError : public IoError {
 public:
  SqliteError(int code, const std::string& what) : IoError("sqlite", what), code_(code) {}

  int code() const { return code_; }

  /// A CHECK, NOT NULL, type or uniqueness rule refused the values of one row.
  bool is_constraint() const;

  /// No more room on the disk (or above the page limit), or somebody else writes for too long.
  bool is_full_or_locked() const;

 private:
  int code_;
};

/// What a commit waits for. Both keep the file whole, and both survive the death of the process.
enum class SqliteSync : std::uint8_t {
  Normal,  ///< a power cut may undo the last commits; for what can be filled in again
  Full,    ///< an fsync a commit; for what nobody else has
};

struct SqliteOptions {
  std::filesystem::path file;  ///< its folder is made when it is missing
  SqliteSync sync = SqliteSync::Full;
  std::chrono::milliseconds busy_timeout{2'000};  ///< how long to wait for another writer
};

/// Bytes for a BLOB column. data() == nullptr is NULL; an empty view with data() is an empty blob.
struct SqliteBlob {
  std::string_view bytes;
};

enum class Visit : std::uint8_t { Continue, Stop };

/// A compiled statement. Belongs to the thread of its database, which must outlive it. Bound texts
/// and blobs are borrowed until the statement has run.
class SqliteStatement {
 public:
  /// Runs to the end, ignoring rows.
  template <typename... Values>
  void run(const Values&... values) {
    const Resetter resetter{*this};
    bind_all(values...);
    while (step()) {
    }
  }

  /// Calls `visit(*this)` for each row until it returns Visit::Stop. Texts and blobs of a row live
  /// until the next one.
  template <typename Visitor, typename... Values>
  void each(Visitor&& visit, const Values&... values) {
    const Resetter resetter{*this};
    bind_all(values...);
    while (step() && visit(std::as_const(*this)) == Visit::Continue) {
    }
  }

  /// The first column of the first row; nullopt without a row or for NULL.
  template <typename... Values>
  std::optional<std::int64_t> integer(const Values&... values) {
    std::optional<std::int64_t> found;
    each(
        [&](const SqliteStatement& row) {
          if (!row.is_null(0)) found = row.int64(0);
          return Visit::Stop;
        },
        values...);
    return found;
  }

  bool is_null(int column) const;
  std::int64_t int64(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;
  std::string_view blob(int column) const;  ///< data() == nullptr for NULL only

 private:
  friend class SqliteDatabase;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Resetter {
    explicit Resetter(SqliteStatement& target) : statement(target) {}
    ~Resetter() { statement.reset(); }
    Resetter(const Resetter&) = delete;
    Resetter& operator=(const Resetter&) = delete;
    SqliteStatement& statement;
  };

  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  template <typename... Values>
  void bind_all(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
  }
  void bind(int index, std::int64_t value);
  void bind(int index, std::int32_t value) { bind(index, std::int64_t{value}); }
  void bind(int index, double value);
  void bind(int index, std::string_view text);
  void bind(int index, SqliteBlob blob);
  void bind(int index, std::nullptr_t);
  template <typename T>
  void bind(int index, const std::optional<T>& value) {
    value ? bind(index, *value) : bind(index, nullptr);
  }
  void bind(int index, const std::string& text) { bind(index, std::string_view{text}); }
  void check(int result) const;
  bool step();
  void reset();

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection to one file in WAL mode: readers never wait for the writer. One thread at a time.
class SqliteDatabase {
 public:
  /// Throws SqliteError when the file cannot be opened.
  explicit SqliteDatabase(const SqliteOptions& options);

  SqliteStatement prepare(const std::string& sql);

  /// Runs statements that return nothing we want.
  void execute(const std::string& sql);

  /// Rows that the last INSERT, UPDATE or DELETE touched.
  std::int64_t changes() const;

  bool in_transaction() const;

  /// Undoes the open transaction. Where that fails, whoever met the error before it closes the
  /// connection, which undoes it too.
  void roll_back() noexcept;

  /// Throws SqliteError when the path names another file by now, or none: what is written here
  /// would vanish with this connection.
  void require_file() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  /// Which file the path named when it was opened.
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const Identity&) const = default;
  };
  Identity identity() const;

  std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> database_;
  Identity opened_;
};

enum class SqliteAccess : std::uint8_t { Read, Write };

/// From BEGIN to COMMIT; rolled back when it ends without commit(). A reading one sees the file as
/// it was at its first statement.
class SqliteTransaction {
 public:
  SqliteTransaction(SqliteDatabase& database, SqliteAccess access);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  void commit();

 private:
  SqliteDatabase& database_;
};

}  // namespace signalbox
