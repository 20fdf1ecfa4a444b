// Rows a second into the original's public.market_data, its NOTIFY trigger included: a bare program
// that upserts 1,000 rows with UNNEST and knows no rules, our sink with fences, and both on two
// connections. Rounds take turns, so that what else the machine does hits all alike; the figures
// are medians. Server: PGHOST, PGPORT, PGUSER, PGPASSWORD; makes and drops a database of its own.
//
// usage: postgres_sink_bench [ROUNDS (5)] [BATCHES A ROUND (20)]

#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "adapters/postgres_array.hpp"
#include "adapters/postgres_schema.hpp"
#include "adapters/postgres_sink.hpp"

namespace signalbox {
namespace {

constexpr int kRowsABatch = 1'000;
constexpr int kSymbols = 20;
constexpr int kRowsASymbol = kRowsABatch / kSymbols;

constexpr const char* kOriginalTable = R"sql(
CREATE TABLE public.market_data (
  time timestamptz NOT NULL, symbol varchar(20) NOT NULL CHECK (symbol ~ '^[A-Z0-9]+$'),
  timeframe varchar(5) NOT NULL CHECK (timeframe IN ('1m', '3m', '5m', '15m', '1h', '1d')),
  open numeric(20,8) NOT NULL, high numeric(20,8) NOT NULL, low numeric(20,8) NOT NULL,
  close numeric(20,8) NOT NULL, volume numeric(28,8) NOT NULL,
  quote_asset_volume numeric(28,8), number_of_trades integer,
  taker_buy_base_asset_volume numeric(28,8), taker_buy_quote_asset_volume numeric(28,8),
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
  PRIMARY KEY (time, symbol, timeframe),
  CHECK (high >= low AND high >= open AND high >= close AND low <= open AND low <= close)
);
CREATE INDEX ON public.market_data (symbol, time DESC);
CREATE INDEX ON public.market_data (timeframe, time DESC);
CREATE INDEX ON public.market_data (symbol, timeframe, time DESC);
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
INSERT INTO public.market_data (time, symbol, timeframe, open, high, low, close, volume)
SELECT '2020-01-01'::timestamptz + i * interval '1 minute', 'S' || s || 'USDC', '1m',
       100.5, 101.5, 99.5, 100.25, 3.1
FROM generate_series(1, 5000) i, generate_series(0, 39) s;
)sql";

constexpr const char* kBareUpsert =
    "INSERT INTO public.market_data (time, symbol, timeframe, open, high, low, close, volume, "
    "quote_asset_volume, number_of_trades, taker_buy_base_asset_volume, "
    "taker_buy_quote_asset_volume) SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], "
    "$4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[], "
    "$10::integer[], $11::numeric[], $12::numeric[]) ON CONFLICT (time, symbol, timeframe) "
    "DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, "
    "close = excluded.close, volume = excluded.volume, "
    "quote_asset_volume = excluded.quote_asset_volume, "
    "number_of_trades = excluded.number_of_trades, "
    "taker_buy_base_asset_volume = excluded.taker_buy_base_asset_volume, "
    "taker_buy_quote_asset_volume = excluded.taker_buy_quote_asset_volume, updated_at = now()";

const std::array<const char*, 9> kNumbers{"114980.01", "115020.0", "114955.5",
                                          "115001.37", "3.10254",  "356794.11",
                                          "418",       "1.66",     "190904.2"};

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

PostgresOptions server(const std::string& database) {
  PostgresOptions options;
  options.host = variable("PGHOST", "127.0.0.1");
  options.port = static_cast<std::uint16_t>(std::stoi(variable("PGPORT", "15432")));
  options.user = variable("PGUSER", "signalbox");
  options.password = variable("PGPASSWORD", "signalbox");
  options.database = database;
  return options;
}

/// Batch `number` of a writer: kSymbols symbols of its own, kRowsASymbol minutes each.
EventTime open_time(int number, int row) {
  const EventTime first{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}};
  return first + std::chrono::minutes{number * kRowsASymbol + row};
}

class Writer {
 public:
  virtual ~Writer() = default;
  virtual void write(int number) = 0;
};

class BareWriter final : public Writer {
 public:
  BareWriter(const PostgresOptions& options, int first_symbol) : first_symbol_(first_symbol) {
    const std::string settings = "host=" + options.host + " port=" + std::to_string(options.port) +
                                 " user=" + options.user + " password=" + options.password +
                                 " dbname=" + options.database;
    connection_.reset(PQconnectdb(settings.c_str()));
    PQclear(PQprepare(connection_.get(), "upsert", kBareUpsert, 0, nullptr));
  }

  void write(int number) override {
    std::array<PostgresArray, 12> columns;
    for (int symbol = 0; symbol < kSymbols; ++symbol) {
      const std::string name = "S" + std::to_string(first_symbol_ + symbol) + "USDC";
      for (int row = 0; row < kRowsASymbol; ++row) {
        columns[0].add_time(open_time(number, row));
        columns[1].add_text(name);
        columns[2].add_text("1m");
        for (std::size_t i = 0; i < kNumbers.size(); ++i) columns[3 + i].add_number(kNumbers[i]);
      }
    }
    std::array<const char*, 12> values{};
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = columns[i].literal();
    PGresult* result =
        PQexecPrepared(connection_.get(), "upsert", 12, values.data(), nullptr, nullptr, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
      std::fprintf(stderr, "bare: %s", PQresultErrorMessage(result));
      std::exit(1);
    }
    PQclear(result);
  }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  int first_symbol_;
  std::unique_ptr<PGconn, Finish> connection_;
};

class OurWriter final : public Writer {
 public:
  OurWriter(const PostgresOptions& options, int first_symbol)
      : sink_({.postgres = options, .group = unique_group()}) {
    for (int symbol = 0; symbol < kSymbols; ++symbol) {
      const std::string name = "s" + std::to_string(first_symbol + symbol) + "usdc";
      sources_.push_back({"market.data." + name + ".1m", 0});
      routes_.push_back(*route_for(sources_.back().topic));
    }
  }

  /// Fences go on from batch to batch, whatever its number.
  void write(int number) override {
    std::vector<Message> messages(kRowsABatch);
    std::vector<Routed> routed;
    std::vector<FenceMove> moves;
    routed.reserve(kRowsABatch);
    for (int i = 0; i < kRowsABatch; ++i) {
      const auto symbol = static_cast<std::size_t>(i / kRowsASymbol);
      const int row = i % kRowsASymbol;
      Message& message = messages[static_cast<std::size_t>(i)];
      message.offset = Offset{written_ + row};
      message.payload = "{}";
      routed.push_back({.message = &message,
                        .route = &routes_[symbol],
                        .source = &sources_[symbol],
                        .source_offset = message.offset,
                        .facts = {}});
      routed.back().facts.record = candle(symbol, number, row);
    }
    for (const TopicPartition& source : sources_) {
      const auto expected = written_ == 0 ? std::nullopt : std::optional{fence(written_)};
      moves.push_back({source, expected, fence(written_ + kRowsASymbol)});
    }
    const WriteOutcome outcome =
        sink_.write({.messages = routed, .moves = moves, .received_at = open_time(number, 0)});
    if (!std::holds_alternative<Committed>(outcome)) {
      std::fprintf(stderr, "ours: outcome %zu\n", outcome.index());
      std::exit(1);
    }
    written_ += kRowsASymbol;
  }

 private:
  CandleFields candle(std::size_t symbol, int number, int row) const {
    CandleFields fields;
    fields.symbol = routes_[symbol].symbol;
    for (char& c : fields.symbol) c = (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
    fields.timeframe = Timeframe::M1;
    fields.open_time = open_time(number, row);
    const std::array targets{&fields.open,
                             &fields.high,
                             &fields.low,
                             &fields.close,
                             &fields.volume,
                             &fields.quote_asset_volume,
                             &fields.number_of_trades,
                             &fields.taker_buy_base_asset_volume,
                             &fields.taker_buy_quote_asset_volume};
    for (std::size_t i = 0; i < targets.size(); ++i) *targets[i] = kNumbers[i];
    fields.is_closed = true;
    return fields;
  }

  static std::string unique_group() {
    static int count = 0;
    return "bench-" + std::to_string(count++);
  }

  static Fence fence(std::int64_t next) {
    return {.next = Offset{next}, .seq = static_cast<std::uint64_t>(next), .lineage = "bench"};
  }

  PostgresSink sink_;
  std::vector<TopicPartition> sources_;
  std::vector<Route> routes_;
  std::int64_t written_ = 0;
};

double rows_a_second(std::span<const std::unique_ptr<Writer>> writers, int first, int batches) {
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (const auto& writer : writers) {
      threads.emplace_back([&writer, first, batches] {
        for (int i = 0; i < batches; ++i) writer->write(first + i);
      });
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return static_cast<double>(writers.size()) * batches * kRowsABatch / took.count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Contender {
  const char* name;
  std::vector<std::unique_ptr<Writer>> writers{};
  std::vector<double> inserts{};
  std::vector<double> updates{};
};

template <typename Kind>
Contender contender(const char* name, const PostgresOptions& options, int connections) {
  Contender made{.name = name};
  for (int i = 0; i < connections; ++i) {
    made.writers.push_back(std::make_unique<Kind>(options, i * kSymbols));
  }
  return made;
}

void run(const PostgresOptions& options, int rounds, int batches) {
  PostgresConnection connection{options};
  connection.run_script(kOriginalTable);
  migrate(connection);
  connection.execute("VACUUM ANALYZE public.market_data");
  std::array contenders{contender<BareWriter>("bare, 1 connection", options, 1),
                        contender<OurWriter>("sink, 1 connection", options, 1),
                        contender<BareWriter>("bare, 2 connections", options, 2),
                        contender<OurWriter>("sink, 2 connections", options, 2)};
  int next = 0;
  for (int round = 0; round <= rounds; ++round) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      Contender& now = contenders[(i + static_cast<std::size_t>(round)) % contenders.size()];
      const double inserts = rows_a_second(now.writers, next, batches);
      const double updates = rows_a_second(now.writers, next, batches);
      next += batches;
      if (round == 0) continue;  // connects, prepares, warms up
      now.inserts.push_back(inserts);
      now.updates.push_back(updates);
    }
  }
  const double bare_inserts = median(contenders[0].inserts);
  const double bare_updates = median(contenders[0].updates);
  std::printf("%-22s %12s %8s %12s %8s\n", "rows/s", "insert", "ratio", "update", "ratio");
  for (const Contender& one : contenders) {
    const double inserts = median(one.inserts);
    const double updates = median(one.updates);
    std::printf("%-22s %12.0f %8.2f %12.0f %8.2f\n", one.name, inserts, inserts / bare_inserts,
                updates, updates / bare_updates);
  }
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) {
  using namespace signalbox;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  const int batches = argc > 2 ? std::atoi(argv[2]) : 20;
  const std::string database = "signalbox_bench_" + std::to_string(getpid());
  PostgresConnection admin{server(variable("PGDATABASE", "postgres"))};
  admin.execute("CREATE DATABASE " + database);
  run(server(database), rounds, batches);
  admin.execute("DROP DATABASE " + database + " WITH (FORCE)");
}
