#include "contract/platform_place.hpp"

#include <fstream>
#include <iterator>

namespace signalbox {

PlatformDatabase::PlatformDatabase() {
  std::ifstream file{SIGNALBOX_SOURCE_DIR "/tests/stack/platform.sql"};
  connection().run_script(std::string(std::istreambuf_iterator<char>{file}, {}));
  connection().execute("INSERT INTO users (id, email) VALUES ($1, 'owner')",
                       {to_text(pipeline_owner())});
}

void PlatformDatabase::put(const StoredPipeline& pipeline) {
  const std::string id = to_text(pipeline_id(pipeline.number));
  const std::string owner = to_text(pipeline_owner());
  std::optional<std::string> scanner;
  if (pipeline.scanner_config) {
    scanner = id;
    connection().execute(
        "INSERT INTO scanners (id, user_id, name, config) VALUES ($1, $2, 'scanner', $3)"
        " ON CONFLICT (id) DO UPDATE SET config = excluded.config",
        {id, owner, pipeline.scanner_config});
  }
  connection().execute(
      "INSERT INTO pipelines (id, user_id, name, is_active, trigger_mode, config,"
      " signal_subscriptions, scanner_tickers, scanner_id)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
      " ON CONFLICT (id) DO UPDATE SET name = excluded.name, is_active = excluded.is_active,"
      " trigger_mode = excluded.trigger_mode, config = excluded.config,"
      " signal_subscriptions = excluded.signal_subscriptions,"
      " scanner_tickers = excluded.scanner_tickers, scanner_id = excluded.scanner_id",
      {id, owner, pipeline.name, pipeline.is_active ? "t" : "f", pipeline.trigger_mode,
       pipeline.config, pipeline.subscriptions, pipeline.scanner_tickers, scanner});
}

void PlatformDatabase::remove(int number) {
  connection().execute("DELETE FROM pipelines WHERE id = $1", {to_text(pipeline_id(number))});
}

void PlatformDatabase::break_connections(const std::string& application) {
  connection().execute(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = "
      "current_database() AND application_name = $1",
      {application});
}

}  // namespace signalbox
