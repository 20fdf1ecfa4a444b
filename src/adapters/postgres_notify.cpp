#include "adapters/postgres_notify.hpp"

#include <array>
#include <stop_token>

#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr const char* kTrigger = "signalbox_notify";
constexpr std::array kTables{"public.pipelines", "public.scanners"};

/// Not tied to columns: the platform could not alter those any more. The owner of the table need
/// not have rights on our schema when the trigger fires.
constexpr const char* kFunction = R"sql(
CREATE OR REPLACE FUNCTION signalbox.notify_pipelines() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM pg_notify('signalbox_pipelines', '');
  RETURN NULL;
END $body$)sql";

bool has_trigger(PostgresConnection& connection, const std::string& table) {
  return connection
             .execute(
                 "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND "
                 "tgname = $2 AND NOT tgisinternal)",
                 {table, kTrigger})
             .value() == "t";
}

bool has_function(PostgresConnection& connection) {
  return connection.execute("SELECT to_regprocedure('signalbox.notify_pipelines()') IS NOT NULL")
             .value() == "t";
}

}  // namespace

std::vector<std::string> install_notify(PostgresConnection& connection) {
  std::vector<std::string> done;
  // Statements sent together are one transaction.
  std::string script;
  if (!has_function(connection)) {
    script += std::string(kFunction) + ";\n";
    done.emplace_back("signalbox.notify_pipelines(): created");
  }
  for (const std::string table : kTables) {
    if (has_trigger(connection, table)) continue;
    script += std::string("CREATE TRIGGER ") + kTrigger +
              " AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON " + table +
              " FOR EACH STATEMENT EXECUTE FUNCTION signalbox.notify_pipelines();\n";
    done.push_back(table + ": trigger " + kTrigger + " created");
  }
  if (!script.empty()) connection.run_script(script);
  return done;
}

std::vector<std::string> remove_notify(PostgresConnection& connection) {
  std::vector<std::string> done;
  std::string script;
  for (const std::string table : kTables) {
    if (!has_trigger(connection, table)) continue;
    script += std::string("DROP TRIGGER ") + kTrigger + " ON " + table + ";\n";
    done.push_back(table + ": trigger " + kTrigger + " removed");
  }
  if (has_function(connection)) {
    script += "DROP FUNCTION signalbox.notify_pipelines();\n";
    done.emplace_back("signalbox.notify_pipelines(): removed");
  }
  if (!script.empty()) connection.run_script(script);
  return done;
}

bool has_notify(PostgresConnection& connection) {
  for (const std::string table : kTables) {
    if (!has_trigger(connection, table)) return false;
  }
  return true;
}

std::expected<void, std::string> try_notifications(const PostgresOptions& options,
                                                   std::chrono::milliseconds patience) {
  PostgresConnection listener{options};
  PostgresConnection speaker{options};
  const std::string channel = "signalbox_check";
  listener.execute("LISTEN " + channel);
  // A pooler puts the connection back here, and gives it to the next one who asks.
  listener.execute("SELECT 1");
  speaker.execute("SELECT pg_notify($1, '')", {channel});
  const auto told = listener.wait_for_notification(patience, std::stop_token{});
  if (!told) throw IoError{"postgresql", told.error().text()};
  if (*told) return {};
  return std::unexpected(
      "a NOTIFY is not heard: LISTEN needs a direct connection, not one of a pooler in transaction "
      "mode; until then changes of pipelines are seen every CACHE_REFRESH_INTERVAL_SECONDS only");
}

}  // namespace signalbox
