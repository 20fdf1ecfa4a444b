#include "adapters/sqlite_database.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <system_error>

namespace signalbox {
namespace {

/// The write-ahead log is cut to this size when it has been written back.
constexpr std::string_view kJournalSizeLimit = "33554432";

int size_of(std::string_view bytes) {
  // SQLite refuses texts of more than 10^9 bytes itself; the cast cannot wrap below that.
  if (bytes.size() > 1'000'000'000) throw SqliteError(SQLITE_TOOBIG, "a value of over 1 GB");
  return static_cast<int>(bytes.size());
}

}  // namespace

bool SqliteError::is_constraint() const {
  const int primary = code_ & 0xff;
  return primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH || primary == SQLITE_TOOBIG;
}

bool SqliteError::is_full_or_locked() const {
  const int primary = code_ & 0xff;
  return primary == SQLITE_FULL || primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
}

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void SqliteStatement::check(int result) const {
  if (result == SQLITE_OK) return;
  sqlite3* database = sqlite3_db_handle(statement_.get());
  throw SqliteError(sqlite3_extended_errcode(database), sqlite3_errmsg(database));
}

bool SqliteStatement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) check(result);
  return false;
}

void SqliteStatement::reset() {
  // The result repeats the error of the last step, which was thrown there.
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

void SqliteStatement::bind(int index, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), index, value));
}

void SqliteStatement::bind(int index, double value) {
  check(sqlite3_bind_double(statement_.get(), index, value));
}

void SqliteStatement::bind(int index, std::string_view text) {
  const char* data = text.data() ? text.data() : "";
  check(sqlite3_bind_text(statement_.get(), index, data, size_of(text), nullptr));
}

void SqliteStatement::bind(int index, SqliteBlob blob) {
  check(
      sqlite3_bind_blob(statement_.get(), index, blob.bytes.data(), size_of(blob.bytes), nullptr));
}

void SqliteStatement::bind(int index, std::nullptr_t) {
  check(sqlite3_bind_null(statement_.get(), index));
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t SqliteStatement::int64(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double SqliteStatement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string_view SqliteStatement::text(int column) const { return blob(column); }

std::string_view SqliteStatement::blob(int column) const {
  if (is_null(column)) return {};
  const void* data = sqlite3_column_blob(statement_.get(), column);
  if (!data) return "";  // an empty one has no address
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

void SqliteDatabase::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

SqliteDatabase::SqliteDatabase(const SqliteOptions& options) : file_(options.file) {
  std::error_code ignored;  // when the folder cannot be made, opening says why
  std::filesystem::create_directories(options.file.parent_path(), ignored);
  sqlite3* opened = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int result = sqlite3_open_v2(options.file.c_str(), &opened, kFlags, nullptr);
  database_.reset(opened);
  if (result != SQLITE_OK) {
    throw SqliteError(result, options.file.string() + ": " +
                                  (opened ? sqlite3_errmsg(opened) : sqlite3_errstr(result)));
  }
  sqlite3_extended_result_codes(opened, 1);
  sqlite3_busy_timeout(opened, static_cast<int>(options.busy_timeout.count()));
  execute("PRAGMA journal_mode=WAL");
  execute(options.sync == SqliteSync::Full ? "PRAGMA synchronous=FULL"
                                           : "PRAGMA synchronous=NORMAL");
  execute("PRAGMA journal_size_limit=" + std::string(kJournalSizeLimit));
  opened_ = identity();
}

SqliteDatabase::Identity SqliteDatabase::identity() const {
  struct stat status{};
  if (stat(file_.c_str(), &status) != 0) return {};
  return {.device = status.st_dev, .inode = status.st_ino};
}

void SqliteDatabase::require_file() const {
  if (identity() == opened_) return;
  throw SqliteError(SQLITE_READONLY_DBMOVED,
                    file_.string() + " was removed or replaced while it was open");
}

SqliteStatement SqliteDatabase::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(database_.get(), sql.c_str(), size_of(sql),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) {
    throw SqliteError(sqlite3_extended_errcode(database_.get()), sqlite3_errmsg(database_.get()));
  }
  return SqliteStatement{statement};
}

void SqliteDatabase::execute(const std::string& sql) {
  const int result = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) {
    throw SqliteError(sqlite3_extended_errcode(database_.get()), sqlite3_errmsg(database_.get()));
  }
}

std::int64_t SqliteDatabase::changes() const { return sqlite3_changes64(database_.get()); }

bool SqliteDatabase::in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }

void SqliteDatabase::roll_back() noexcept {
  sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& database, SqliteAccess access)
    : database_(database) {
  database_.execute(access == SqliteAccess::Write ? "BEGIN IMMEDIATE" : "BEGIN");
}

SqliteTransaction::~SqliteTransaction() {
  if (database_.in_transaction()) database_.roll_back();
}

void SqliteTransaction::commit() { database_.execute("COMMIT"); }

}  // namespace signalbox
