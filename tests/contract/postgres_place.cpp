#include "contract/postgres_place.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>

#include "ports/io_error.hpp"

namespace signalbox {
namespace {

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

std::string unique_name() {
  static std::atomic<int> count{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return "signalbox_test_" + std::to_string(getpid()) + "_" + std::to_string(now % 1'000'000'000) +
         "_" + std::to_string(count++);
}

PostgresOptions in_database(const std::string& name) {
  PostgresOptions options = test_postgres();
  options.database = name;
  return options;
}

}  // namespace

PostgresOptions test_postgres() {
  PostgresOptions options;
  options.host = variable("PGHOST", "127.0.0.1");
  options.port = static_cast<std::uint16_t>(std::stoi(variable("PGPORT", "15432")));
  options.user = variable("PGUSER", "signalbox");
  options.password = variable("PGPASSWORD", "signalbox");
  options.database = variable("PGDATABASE", "postgres");
  options.application_name = "signalbox_test";
  return options;
}

TestDatabase::TestDatabase() : name_(unique_name()), connection_(in_database(name_)) {
  PostgresConnection server{test_postgres()};
  server.execute("CREATE DATABASE " + name_);
}

TestDatabase::~TestDatabase() {
  connection_.close();
  PostgresConnection server{test_postgres()};
  const auto dropped = server.try_execute("DROP DATABASE " + name_ + " WITH (FORCE)");
  if (!dropped) std::cerr << "left behind: " << dropped.error().text() << '\n';
  if (has_guest_ && !server.try_execute("DROP ROLE " + name_ + "_guest")) {
    std::cerr << "left behind: role " << name_ << "_guest\n";
  }
}

PostgresOptions TestDatabase::options() const { return in_database(name_); }

PostgresOptions TestDatabase::options_of_guest() {
  PostgresOptions guest = options();
  guest.user = name_ + "_guest";
  guest.password = "guest";
  if (!has_guest_) {
    connection_.execute("CREATE ROLE " + guest.user + " LOGIN PASSWORD 'guest'");
    has_guest_ = true;
  }
  return guest;
}

std::vector<std::string> TestDatabase::sql(const std::string& statement) {
  std::vector<std::string> values;
  for (const auto& row : connection_.execute(statement).rows) {
    values.push_back(row.empty() ? "" : row.front().value_or("null"));
  }
  return values;
}

std::string TestDatabase::value(const std::string& statement) {
  const std::vector<std::string> values = sql(statement);
  return values.empty() ? "no row" : values.front();
}

const char* const kOriginalMarketData = R"sql(
CREATE TABLE public.market_data (
  time timestamptz NOT NULL, symbol varchar(20) NOT NULL, timeframe varchar(5) NOT NULL,
  open numeric(20,8) NOT NULL, high numeric(20,8) NOT NULL, low numeric(20,8) NOT NULL,
  close numeric(20,8) NOT NULL, volume numeric(28,8) NOT NULL,
  quote_asset_volume numeric(28,8), number_of_trades integer,
  taker_buy_base_asset_volume numeric(28,8), taker_buy_quote_asset_volume numeric(28,8),
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
  CONSTRAINT market_data_pkey PRIMARY KEY (time, symbol, timeframe),
  CONSTRAINT market_data_symbol_check CHECK (symbol ~ '^[A-Z0-9]+$'),
  CONSTRAINT market_data_timeframe_check
    CHECK (timeframe IN ('1m', '3m', '5m', '15m', '1h', '1d')),
  CONSTRAINT market_data_ohlc_check
    CHECK (high >= low AND high >= open AND high >= close AND low <= open AND low <= close)
);
CREATE INDEX idx_market_data_symbol_time ON public.market_data (symbol, time DESC);
CREATE INDEX idx_market_data_timeframe_time ON public.market_data (timeframe, time DESC);
CREATE INDEX idx_market_data_all ON public.market_data (symbol, timeframe, time DESC);
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS
  $body$ BEGIN NEW.updated_at = now(); RETURN NEW; END $body$;
CREATE TRIGGER touch BEFORE UPDATE ON public.market_data
  FOR EACH ROW EXECUTE FUNCTION public.touch();
CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM pg_notify('market_data_change', json_build_object('symbol', NEW.symbol, 'timeframe',
    NEW.timeframe, 'time', extract(epoch FROM NEW.time), 'action', TG_OP)::text);
  RETURN NEW;
END $body$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON public.market_data
  FOR EACH ROW EXECUTE FUNCTION public.tell();
)sql";

}  // namespace signalbox
