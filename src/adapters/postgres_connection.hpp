#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

extern "C" {
struct pg_conn;
struct pg_result;
}

namespace signalbox {

struct PostgresOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 5432;
  std::string user;
  std::string password;
  std::string database;
  std::string application_name = "signalbox";
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds statement_timeout{30'000};
  std::chrono::milliseconds lock_timeout{5'000};
  /// Beyond the server's own time-out of a statement: how long a silent server is believed.
  std::chrono::milliseconds reply_grace{5'000};
  /// libpq's own keywords ("sslmode", "sslrootcert", …); they win over the ones above.
  std::vector<std::pair<std::string, std::string>> extra{};
};

/// What went wrong, in the server's words or, without a SQLSTATE, in libpq's.
struct PostgresError {
  std::string sqlstate;  ///< five characters; empty when the connection failed
  std::string message;
  std::string detail;
  std::string constraint;        ///< name of the violated constraint
  std::string source_function;   ///< of the server's source; never translated
  bool ends_connection = false;  ///< FATAL, PANIC, or no answer at all

  /// One line for logs and people.
  std::string text() const;
};

/// Rows as text; nullopt is NULL.
struct PostgresRows {
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::uint64_t affected = 0;

  /// First column of the first row; empty when there is none.
  std::string value() const;
};

/// A statement that the server plans once per connection.
struct PostgresStatement {
  const char* name;
  std::string sql;
};

/// One execution of a prepared statement. Borrows; a null parameter is NULL.
struct PostgresCall {
  const PostgresStatement* statement;
  std::span<const char* const> parameters;
};

/// How a transaction ended that was not committed, or may have been.
struct PostgresFailure {
  enum class Certainty : std::uint8_t {
    RolledBack,  ///< nothing was written and nothing will be
    Unknown,     ///< the reply was lost: it may be committed, or be committed yet
  };
  Certainty certainty;
  PostgresError error;
  std::optional<std::size_t> call;  ///< which call failed; absent: COMMIT or the connection
};

/// One connection to PostgreSQL, made when needed and made anew after a failure.
///
/// One thread owns it. No call outlasts its time-out (connect, or statement plus grace). After an
/// error that ends the connection the object is closed and the next call connects again.
class PostgresConnection {
 public:
  explicit PostgresConnection(PostgresOptions options);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  const PostgresOptions& options() const { return options_; }

  /// Connects unless a live connection is there.
  std::expected<void, PostgresError> ensure_connected();
  void close();

  /// Grows with every new connection: what was learnt from an older one may be stale.
  std::uint64_t generation() const { return generation_; }

  /// Process id of the server's backend; 0 when not connected.
  int backend_pid() const;

  /// One statement with text parameters, in a transaction of its own unless one was begun.
  std::expected<PostgresRows, PostgresError> try_execute(
      const std::string& sql, const std::vector<std::optional<std::string>>& parameters = {});

  /// The same; throws IoError.
  PostgresRows execute(const std::string& sql,
                       const std::vector<std::optional<std::string>>& parameters = {});

  /// Several statements separated by semicolons, without parameters. Throws IoError.
  void run_script(const std::string& sql);

  /// All calls in one implicit transaction and one round trip: a single Sync ends it, so that a
  /// process that stops in the middle never holds locks. Statements that this connection has not
  /// prepared yet cost one round trip before it.
  std::expected<void, PostgresFailure> transact(std::span<const PostgresCall> calls);

  /// One execution of a prepared statement in one round trip, without a transaction around it.
  /// Preparing it on a new connection costs one more before.
  std::expected<PostgresRows, PostgresError> try_query(const PostgresCall& call);

  /// Returns true when something was notified on a channel that this connection listens to, now or
  /// since it was asked last; false after `wait` or a stop. Does not connect.
  std::expected<bool, PostgresError> wait_for_notification(std::chrono::milliseconds wait,
                                                           std::stop_token stop);

 private:
  struct Closer {
    void operator()(pg_conn* connection) const;
  };
  struct Clearer {
    void operator()(pg_result* result) const;
  };
  using Result = std::unique_ptr<pg_result, Clearer>;
  using Deadline = std::chrono::steady_clock::time_point;

  std::expected<void, PostgresError> connect();
  std::expected<void, PostgresError> configure_session();
  std::expected<void, PostgresError> prepare_missing(std::span<const PostgresCall> calls);
  std::optional<PostgresError> collect(std::vector<Result>& results, Deadline deadline);
  std::expected<void, PostgresFailure> read_transaction(std::size_t calls, Deadline deadline);
  std::expected<Result, PostgresError> next_result(Deadline deadline);
  std::optional<PostgresError> flush(Deadline deadline);
  bool is_alive();
  bool take_notifications();
  bool wait_for(short events, Deadline deadline);
  Deadline reply_deadline() const;
  PostgresError lost(std::string_view what);
  PostgresError error_of(const pg_result* result) const;
  void close_if_ended(const PostgresError& error);

  PostgresOptions options_;
  std::unique_ptr<pg_conn, Closer> connection_;
  std::uint64_t generation_ = 0;
  std::vector<const PostgresStatement*> prepared_;
};

}  // namespace signalbox
