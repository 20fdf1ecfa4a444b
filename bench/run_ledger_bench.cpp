/// What the running check costs: the product's ledger beside the original's statement, against one
/// PostgreSQL (PGHOST, PGPORT, PGUSER, PGPASSWORD), in one run.
///
/// 10,000 pipelines with 20 ended runs each and an active one each tenth; 20, 200 and 2,000 ids a
/// question. The original casts the status to text, and asks within a transaction behind a ping.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "adapters/postgres_connection.hpp"
#include "adapters/postgres_runs.hpp"

namespace signalbox {
namespace {

constexpr int kPipelines = 10'000;
constexpr int kQuestions = 300;
constexpr const char* kDatabase = "signalbox_bench_runs";

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

PostgresOptions options_for(const std::string& database) {
  PostgresOptions options;
  options.host = variable("PGHOST", "127.0.0.1");
  options.port = static_cast<std::uint16_t>(std::stoi(variable("PGPORT", "5432")));
  options.user = variable("PGUSER", "signalbox");
  options.password = variable("PGPASSWORD", "signalbox");
  options.database = database;
  options.statement_timeout = std::chrono::minutes{10};  // for the filling
  return options;
}

void fill(PostgresConnection& connection) {
  std::ifstream file{SIGNALBOX_SOURCE_DIR "/tests/stack/platform.sql"};
  connection.run_script(std::string(std::istreambuf_iterator<char>{file}, {}));
  connection.run_script(
      "INSERT INTO public.users (id, email) VALUES (gen_random_uuid(), 'bench');"
      "INSERT INTO public.pipelines (id, user_id, name) SELECT gen_random_uuid(), u.id, 'p'"
      " FROM public.users u, generate_series(1, " +
      std::to_string(kPipelines) +
      ");"
      "INSERT INTO public.executions (id, pipeline_id, user_id, status, symbol, started_at,"
      " created_at) SELECT gen_random_uuid(), p.id, p.user_id,"
      " (CASE WHEN n = 1 AND get_byte(uuid_send(p.id), 0) < 26 THEN 'RUNNING' ELSE 'COMPLETED'"
      " END)::executionstatus, 'AAPL', t.utc - n * interval '1 minute',"
      " t.utc - n * interval '1 minute'"
      " FROM public.pipelines p, generate_series(1, 21) n,"
      " (SELECT now() AT TIME ZONE 'UTC' AS utc) t");
  connection.run_script("VACUUM ANALYZE public.executions");
}

std::vector<Uuid> pipelines_of(PostgresConnection& connection) {
  std::vector<Uuid> ids;
  for (const auto& row : connection.execute("SELECT id::text FROM public.pipelines").rows) {
    ids.push_back(parse_uuid(row.at(0).value_or("")).value());
  }
  return ids;
}

/// As the original asks.
std::size_t ask_as_the_original(PostgresConnection& connection, std::span<const Uuid> ids) {
  std::string list = "{";
  for (const Uuid& id : ids) list += (list.size() > 1 ? "," : "") + to_text(id);
  connection.execute("BEGIN");
  connection.execute("SELECT 1");
  const PostgresRows rows = connection.execute(
      "SELECT id, pipeline_id, symbol, status, created_at, started_at FROM public.executions"
      " WHERE pipeline_id = ANY($1::uuid[]) AND status::text = ANY('{PENDING,RUNNING,MONITORING,"
      "COMMUNICATION_ERROR,NEEDS_RECONCILIATION}')",
      {list + "}"});
  connection.execute("ROLLBACK");
  return rows.rows.size();
}

template <typename Ask>
void measure(const char* who, std::span<const Uuid> all, std::size_t count, Ask&& ask) {
  std::mt19937 random{7};
  std::vector<Uuid> ids{all.begin(), all.end()};
  std::vector<double> times_ms;
  std::size_t found = 0;
  for (int question = 0; question < kQuestions; ++question) {
    std::ranges::shuffle(ids, random);
    const auto begin = std::chrono::steady_clock::now();
    found += ask(std::span<const Uuid>{ids.data(), count});
    times_ms.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  std::ranges::sort(times_ms);
  std::printf("%5zu ids  %-10s p50 %7.3f ms  p99 %7.3f ms  found %zu\n", count, who,
              times_ms[times_ms.size() / 2], times_ms[times_ms.size() * 99 / 100], found);
}

int run() {
  PostgresConnection server{options_for(variable("PGDATABASE", "postgres"))};
  server.execute(std::string("DROP DATABASE IF EXISTS ") + kDatabase);
  server.execute(std::string("CREATE DATABASE ") + kDatabase);
  {
    PostgresConnection connection{options_for(kDatabase)};
    fill(connection);
    const std::vector<Uuid> all = pipelines_of(connection);
    PostgresRuns ledger{{.postgres = options_for(kDatabase)}};
    for (const std::size_t count : {20U, 200U, 2'000U}) {
      measure("signalbox", all, count,
              [&](std::span<const Uuid> ids) { return ledger.active(ids).runs.size(); });
      measure("original", all, count,
              [&](std::span<const Uuid> ids) { return ask_as_the_original(connection, ids); });
    }
  }
  server.execute(std::string("DROP DATABASE ") + kDatabase);
  return 0;
}

}  // namespace
}  // namespace signalbox

int main() { return signalbox::run(); }
