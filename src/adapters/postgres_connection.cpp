#include "adapters/postgres_connection.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr const char* kDependency = "postgresql";

/// libpq's messages end with a line break, sometimes after several lines; what is indented is
/// advice for a person at a prompt.
std::string trimmed(std::string_view text) {
  text = text.substr(0, text.find("\n\t"));
  const std::size_t last = text.find_last_not_of(" \n\r\t");
  std::string line{text.substr(0, last == std::string_view::npos ? 0 : last + 1)};
  std::ranges::replace(line, '\n', ' ');
  return line;
}

std::string field_of(const pg_result* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text ? text : "";
}

bool is_error(ExecStatusType status) {
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
         status == PGRES_NONFATAL_ERROR;
}

PostgresRows rows_of(const pg_result* result) {
  PostgresRows rows;
  const int fields = PQnfields(result);
  for (int row = 0; row < PQntuples(result); ++row) {
    auto& values = rows.rows.emplace_back();
    for (int field = 0; field < fields; ++field) {
      if (PQgetisnull(result, row, field)) {
        values.emplace_back(std::nullopt);
      } else {
        values.emplace_back(std::string(PQgetvalue(result, row, field),
                                        static_cast<std::size_t>(PQgetlength(result, row, field))));
      }
    }
  }
  // PQcmdTuples takes a non-const pointer but only reads.
  const char* affected = PQcmdTuples(const_cast<pg_result*>(result));
  if (affected && *affected) rows.affected = std::stoull(affected);
  return rows;
}

struct FileDescriptor {
  explicit FileDescriptor(int opened) : number(opened) {}
  ~FileDescriptor() {
    if (number >= 0) ::close(number);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int number;
};

void ignore_notice(void*, const pg_result*) {}

}  // namespace

std::string PostgresError::text() const {
  std::string line = message;
  if (!detail.empty()) line += " (" + detail + ")";
  if (!sqlstate.empty()) line += " [SQLSTATE " + sqlstate + "]";
  return line;
}

std::string PostgresRows::value() const {
  return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or("");
}

void PostgresConnection::Closer::operator()(pg_conn* connection) const { PQfinish(connection); }
void PostgresConnection::Clearer::operator()(pg_result* result) const { PQclear(result); }

PostgresConnection::PostgresConnection(PostgresOptions options) : options_(std::move(options)) {}
PostgresConnection::~PostgresConnection() = default;

std::expected<void, PostgresError> PostgresConnection::ensure_connected() {
  if (connection_ && is_alive()) return {};
  close();
  auto connected = connect();
  if (connected) connected = configure_session();
  if (!connected) close();
  return connected;
}

void PostgresConnection::close() {
  connection_.reset();
  prepared_.clear();
}

int PostgresConnection::backend_pid() const {
  return connection_ ? PQbackendPID(connection_.get()) : 0;
}

std::expected<void, PostgresError> PostgresConnection::connect() {
  std::vector<std::pair<std::string, std::string>> settings{
      {"host", options_.host},       {"port", std::to_string(options_.port)},
      {"user", options_.user},       {"password", options_.password},
      {"dbname", options_.database}, {"application_name", options_.application_name},
      {"client_encoding", "UTF8"},   {"keepalives", "1"},
      {"keepalives_idle", "10"},     {"keepalives_interval", "5"},
      {"keepalives_count", "3"},     {"tcp_user_timeout", "20000"}};
  settings.insert(settings.end(), options_.extra.begin(), options_.extra.end());
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : settings) {
    if (value.empty()) continue;
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);

  const Deadline deadline = std::chrono::steady_clock::now() + options_.connect_timeout;
  // With a keyword twice libpq takes the last one; "dbname" is not expanded as a URL.
  connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  ++generation_;
  if (!connection_) return std::unexpected(lost("out of memory"));
  if (PQstatus(connection_.get()) == CONNECTION_BAD) return std::unexpected(lost("connect"));
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) return std::unexpected(lost("connect"));
    const auto events = static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT);
    if (!wait_for(events, deadline)) return std::unexpected(lost("no answer while connecting"));
    state = PQconnectPoll(connection_.get());
  }
  PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
  if (PQsetnonblocking(connection_.get(), 1) != 0) return std::unexpected(lost("set non-blocking"));
  return {};
}

/// By SET and not by start-up options, which connection poolers refuse.
std::expected<void, PostgresError> PostgresConnection::configure_session() {
  const std::string settings =
      "SET statement_timeout = " + std::to_string(options_.statement_timeout.count()) +
      "; SET lock_timeout = " + std::to_string(options_.lock_timeout.count()) +
      "; SET idle_in_transaction_session_timeout = 10000"
      "; SET default_transaction_isolation = 'read committed'"
      "; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET bytea_output = 'hex'"
      "; SET client_min_messages = warning";
  if (!PQsendQuery(connection_.get(), settings.c_str())) return std::unexpected(lost("send"));
  std::vector<Result> results;
  if (auto error = collect(results, reply_deadline())) return std::unexpected(*std::move(error));
  return {};
}

std::expected<PostgresRows, PostgresError> PostgresConnection::try_execute(
    const std::string& sql, const std::vector<std::optional<std::string>>& parameters) {
  if (auto connected = ensure_connected(); !connected) return std::unexpected(connected.error());
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& value : parameters) values.push_back(value ? value->c_str() : nullptr);
  if (!PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                         values.data(), nullptr, nullptr, 0)) {
    return std::unexpected(lost("send"));
  }
  std::vector<Result> results;
  if (auto error = collect(results, reply_deadline())) return std::unexpected(*std::move(error));
  return results.empty() ? PostgresRows{} : rows_of(results.back().get());
}

PostgresRows PostgresConnection::execute(
    const std::string& sql, const std::vector<std::optional<std::string>>& parameters) {
  auto rows = try_execute(sql, parameters);
  if (!rows) throw IoError{kDependency, rows.error().text()};
  return *std::move(rows);
}

void PostgresConnection::run_script(const std::string& sql) {
  if (auto connected = ensure_connected(); !connected) {
    throw IoError{kDependency, connected.error().text()};
  }
  if (!PQsendQuery(connection_.get(), sql.c_str())) throw IoError{kDependency, lost("send").text()};
  std::vector<Result> results;
  if (auto error = collect(results, reply_deadline())) throw IoError{kDependency, error->text()};
}

/// Reads until the server is ready again; the first error counts.
std::optional<PostgresError> PostgresConnection::collect(std::vector<Result>& results,
                                                         Deadline deadline) {
  if (auto error = flush(deadline)) return error;
  std::optional<PostgresError> first;
  for (;;) {
    auto result = next_result(deadline);
    if (!result) return first ? first : std::move(result.error());
    if (!*result) break;
    if (is_error(PQresultStatus(result->get()))) {
      if (!first) first = error_of(result->get());
    } else {
      results.push_back(*std::move(result));
    }
  }
  if (first) close_if_ended(*first);
  return first;
}

std::expected<void, PostgresFailure> PostgresConnection::transact(
    std::span<const PostgresCall> calls) {
  using enum PostgresFailure::Certainty;
  const auto failed = [](PostgresFailure::Certainty certainty, PostgresError error) {
    return std::unexpected(PostgresFailure{certainty, std::move(error), std::nullopt});
  };
  auto ready = ensure_connected();
  if (ready) ready = prepare_missing(calls);
  if (!ready) return failed(RolledBack, std::move(ready.error()));

  // Without its Sync the server ends nothing: until then every failure is a roll-back.
  PGconn* connection = connection_.get();
  const Deadline deadline = reply_deadline();
  if (!PQenterPipelineMode(connection)) return failed(RolledBack, lost("pipeline mode"));
  for (const PostgresCall& call : calls) {
    if (!PQsendQueryPrepared(connection, call.statement->name,
                             static_cast<int>(call.parameters.size()), call.parameters.data(),
                             nullptr, nullptr, 0)) {
      return failed(RolledBack, lost("send"));
    }
  }
  if (!PQpipelineSync(connection)) return failed(Unknown, lost("send"));
  if (auto error = flush(deadline)) return failed(Unknown, *std::move(error));
  return read_transaction(calls.size(), deadline);
}

/// Committed only when the Sync was answered and no error came before it.
std::expected<void, PostgresFailure> PostgresConnection::read_transaction(std::size_t calls,
                                                                          Deadline deadline) {
  using enum PostgresFailure::Certainty;
  std::optional<PostgresFailure> failure;
  std::size_t call = 0;
  for (;;) {
    auto result = next_result(deadline);
    if (!result) {
      // What the server told before the connection went says more than the loss.
      if (failure) return std::unexpected(*std::move(failure));
      return std::unexpected(PostgresFailure{Unknown, std::move(result.error()), std::nullopt});
    }
    if (!*result) {  // the end of one call's results
      ++call;
      continue;
    }
    const ExecStatusType status = PQresultStatus(result->get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (!is_error(status) || failure) continue;
    PostgresError error = error_of(result->get());
    // A FATAL may come after the commit, while the session is being ended.
    const auto certainty = error.ends_connection ? Unknown : RolledBack;
    failure = PostgresFailure{certainty, std::move(error),
                              call < calls ? std::optional{call} : std::nullopt};
  }
  PQexitPipelineMode(connection_.get());
  if (!failure) return {};
  close_if_ended(failure->error);
  return std::unexpected(*std::move(failure));
}

std::expected<void, PostgresError> PostgresConnection::prepare_missing(
    std::span<const PostgresCall> calls) {
  for (const PostgresCall& call : calls) {
    if (std::ranges::find(prepared_, call.statement) != prepared_.end()) continue;
    if (!PQsendPrepare(connection_.get(), call.statement->name, call.statement->sql.c_str(), 0,
                       nullptr)) {
      return std::unexpected(lost("send"));
    }
    std::vector<Result> results;
    if (auto error = collect(results, reply_deadline())) return std::unexpected(*std::move(error));
    prepared_.push_back(call.statement);
  }
  return {};
}

std::expected<PostgresRows, PostgresError> PostgresConnection::try_query(const PostgresCall& call) {
  auto ready = ensure_connected();
  if (ready) ready = prepare_missing({&call, 1});
  if (!ready) return std::unexpected(std::move(ready.error()));
  if (!PQsendQueryPrepared(connection_.get(), call.statement->name,
                           static_cast<int>(call.parameters.size()), call.parameters.data(),
                           nullptr, nullptr, 0)) {
    return std::unexpected(lost("send"));
  }
  std::vector<Result> results;
  if (auto error = collect(results, reply_deadline())) return std::unexpected(*std::move(error));
  return results.empty() ? PostgresRows{} : rows_of(results.back().get());
}

/// Forgets the notifications that have come; whether there were any.
bool PostgresConnection::take_notifications() {
  struct Free {
    void operator()(PGnotify* notification) const { PQfreemem(notification); }
  };
  bool found = false;
  while (std::unique_ptr<PGnotify, Free>{PQnotifies(connection_.get())}) found = true;
  return found;
}

std::expected<bool, PostgresError> PostgresConnection::wait_for_notification(
    std::chrono::milliseconds wait, std::stop_token stop) {
  if (!connection_) return std::unexpected(lost("not connected"));
  // A stop must end the wait from another thread.
  const FileDescriptor wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  const std::stop_callback on_stop{stop, [&wake] { ::eventfd_write(wake.number, 1); }};
  const Deadline deadline = std::chrono::steady_clock::now() + wait;
  while (!stop.stop_requested()) {
    if (!PQconsumeInput(connection_.get())) return std::unexpected(lost("connection lost"));
    if (take_notifications()) return true;
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      return std::unexpected(lost("connection lost"));
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    std::array<pollfd, 2> events{pollfd{PQsocket(connection_.get()), POLLIN, 0},
                                 pollfd{wake.number, POLLIN, 0}};
    const int ready = ::poll(events.data(), events.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return std::unexpected(lost("poll"));
  }
  return false;
}

/// nullptr ends the results of one call.
std::expected<PostgresConnection::Result, PostgresError> PostgresConnection::next_result(
    Deadline deadline) {
  while (PQisBusy(connection_.get())) {
    if (!wait_for(POLLIN, deadline)) return std::unexpected(lost("no answer in time"));
    if (!PQconsumeInput(connection_.get())) return std::unexpected(lost("connection lost"));
  }
  Result result{PQgetResult(connection_.get())};
  // libpq reports the loss of a connection as a result of its own making, without a SQLSTATE.
  if (PQstatus(connection_.get()) == CONNECTION_BAD &&
      (!result || field_of(result.get(), PG_DIAG_SQLSTATE).empty())) {
    return std::unexpected(lost("connection lost"));
  }
  return result;
}

/// Hands everything to the kernel, reading meanwhile: a server that waits for us to read would
/// otherwise never read what we send.
std::optional<PostgresError> PostgresConnection::flush(Deadline deadline) {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left == 0) return std::nullopt;
    if (left < 0) return lost("connection lost");
    if (!wait_for(POLLIN | POLLOUT, deadline)) return lost("no answer in time");
    if (!PQconsumeInput(connection_.get())) return lost("connection lost");
  }
}

/// A connection that the server closed meanwhile is noticed before anything is sent on it.
bool PostgresConnection::is_alive() {
  if (PQstatus(connection_.get()) != CONNECTION_OK) return false;
  if (PQpipelineStatus(connection_.get()) != PQ_PIPELINE_OFF) return false;
  pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
  if (::poll(&socket, 1, 0) <= 0) return true;
  return PQconsumeInput(connection_.get()) == 1 && PQstatus(connection_.get()) == CONNECTION_OK;
}

bool PostgresConnection::wait_for(short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd socket{PQsocket(connection_.get()), events, 0};
    const int ready = ::poll(&socket, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

PostgresConnection::Deadline PostgresConnection::reply_deadline() const {
  return std::chrono::steady_clock::now() + options_.statement_timeout + options_.reply_grace;
}

/// Closes the connection and says why it is useless.
PostgresError PostgresConnection::lost(std::string_view what) {
  const std::string reason = connection_ ? trimmed(PQerrorMessage(connection_.get())) : "";
  close();
  std::string message{what};
  if (!reason.empty()) message += ": " + reason;
  return {.sqlstate = {},
          .message = message + " (" + options_.host + ":" + std::to_string(options_.port) + ")",
          .detail = {},
          .constraint = {},
          .source_function = {},
          .ends_connection = true};
}

PostgresError PostgresConnection::error_of(const pg_result* result) const {
  const std::string severity = field_of(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  std::string message = field_of(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = trimmed(PQresultErrorMessage(result));
  return {.sqlstate = field_of(result, PG_DIAG_SQLSTATE),
          .message = std::move(message),
          .detail = field_of(result, PG_DIAG_MESSAGE_DETAIL),
          .constraint = field_of(result, PG_DIAG_CONSTRAINT_NAME),
          .source_function = field_of(result, PG_DIAG_SOURCE_FUNCTION),
          .ends_connection = severity == "FATAL" || severity == "PANIC"};
}

void PostgresConnection::close_if_ended(const PostgresError& error) {
  if (error.ends_connection || PQstatus(connection_.get()) != CONNECTION_OK) close();
}

}  // namespace signalbox
