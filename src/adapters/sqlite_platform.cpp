#include "adapters/sqlite_platform.hpp"

#include <array>
#include <string_view>

namespace signalbox {
namespace {

/// The revision grows with every statement's row, so that a reader in another process sees that
/// something changed without reading it all.
constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS pipelines (
  id TEXT PRIMARY KEY,
  user_id TEXT,
  name TEXT NOT NULL,
  is_active INTEGER NOT NULL DEFAULT 1,
  trigger_mode TEXT NOT NULL DEFAULT 'signal' CHECK (trigger_mode IN ('signal', 'periodic')),
  config TEXT NOT NULL DEFAULT '{}',
  signal_subscriptions TEXT,
  scanner_tickers TEXT,
  scanner_config TEXT);

CREATE TABLE IF NOT EXISTS pipelines_revision (id INTEGER PRIMARY KEY CHECK (id = 1),
                                               revision INTEGER NOT NULL);
INSERT INTO pipelines_revision VALUES (1, 0) ON CONFLICT DO NOTHING;
CREATE TRIGGER IF NOT EXISTS pipelines_inserted AFTER INSERT ON pipelines BEGIN
  UPDATE pipelines_revision SET revision = revision + 1; END;
CREATE TRIGGER IF NOT EXISTS pipelines_updated AFTER UPDATE ON pipelines BEGIN
  UPDATE pipelines_revision SET revision = revision + 1; END;
CREATE TRIGGER IF NOT EXISTS pipelines_deleted AFTER DELETE ON pipelines BEGIN
  UPDATE pipelines_revision SET revision = revision + 1; END;

CREATE TABLE IF NOT EXISTS executions (
  id TEXT PRIMARY KEY,
  pipeline_id TEXT NOT NULL,
  user_id TEXT,
  status TEXT NOT NULL,
  mode TEXT NOT NULL DEFAULT 'paper',
  symbol TEXT,
  result TEXT,
  started_at_us INTEGER,
  completed_at_us INTEGER,
  created_at_us INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS executions_pipeline_status ON executions (pipeline_id, status);
)sql";

struct Seed {
  std::string_view id;
  std::string_view name;
  std::string_view config;
  std::string_view subscriptions;  ///< empty: every signal
  std::string_view scanner;
};

constexpr std::string_view kSeedUser = "5eed0000-0000-4000-8000-000000000000";

/// The tickers of the recording; between them the kinds of answer that a signal can get.
constexpr std::array kSeeds{
    Seed{"5eed0000-0000-4000-8000-000000000001", "Ether swing", "{}",
         R"([{"signal_type": "golden_cross", "timeframe": "5m", "min_confidence": 60},
             {"signal_type": "death_cross", "timeframe": "5m", "min_confidence": 60}])",
         R"({"tickers": ["ETHBTC", "ETCBTC"]})"},
    Seed{"5eed0000-0000-4000-8000-000000000002", "Everything on Monero", "{}", "",
         R"({"tickers": ["XMRBTC"]})"},
    Seed{"5eed0000-0000-4000-8000-000000000003", "Oversold coins, newest first",
         R"({"signalbox": {"when_busy": "keep_latest"}})",
         R"([{"signal_type": "rsi_oversold", "timeframe": "5", "min_confidence": null}])",
         R"({"tickers": ["ADABTC", "TRXBTC", "XLMBTC", "NXTBTC"]})"},
    Seed{"5eed0000-0000-4000-8000-000000000004", "Broad, one after the other",
         R"({"signalbox": {"when_busy": {"queue": 3}}})",
         R"([{"signal_type": "golden_cross"}, {"signal_type": "rsi_overbought"}])",
         R"({"tickers": ["ADABTC", "DASHBTC", "ETCBTC", "ETHBTC", "LTCBTC", "NXTBTC", "TRXBTC",
                         "XLMBTC", "XMRBTC", "ZECBTC"]})"},
    Seed{"5eed0000-0000-4000-8000-000000000005", "Hourly only (these signals are of 5 minutes)",
         "{}", R"([{"signal_type": "golden_cross", "timeframe": "1h"}])",
         R"({"tickers": ["ETHBTC", "LTCBTC"]})"},
};

}  // namespace

void make_platform(SqliteDatabase& database) { database.execute(kSchema); }

bool seed_pipelines(SqliteDatabase& database) {
  SqliteTransaction transaction{database, SqliteAccess::Write};
  if (database.prepare("SELECT EXISTS (SELECT 1 FROM pipelines)").integer() != 0) return false;
  SqliteStatement insert = database.prepare(
      "INSERT INTO pipelines (id, user_id, name, config, signal_subscriptions, scanner_config)"
      " VALUES (?, ?, ?, ?, nullif(?, ''), ?)");
  for (const Seed& seed : kSeeds) {
    insert.run(seed.id, kSeedUser, seed.name, seed.config, seed.subscriptions, seed.scanner);
  }
  transaction.commit();
  return true;
}

}  // namespace signalbox
