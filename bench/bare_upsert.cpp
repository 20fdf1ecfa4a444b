// The limit of the candle table: 1,000 rows an upsert with UNNEST, one connection, no fences.
//
// usage: bare_upsert ROWS [SYMBOLS (100)]     rows of the table public.market_data, all new
//
// PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE name the server. The rows are made while the
// clock runs, as a reader of a log would; the last line is the result as JSON.

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "bare.hpp"

namespace {

using namespace bare;

constexpr int kRowsAWrite = 1'000;

constexpr const char* kUpsert =
    "INSERT INTO public.market_data (time, symbol, timeframe, open, high, low, close, volume, "
    "quote_asset_volume, number_of_trades, taker_buy_base_asset_volume, "
    "taker_buy_quote_asset_volume) SELECT to_timestamp(t.ms / 1000.0), s, f, o, h, l, c, v, q, n, "
    "b, k FROM unnest($1::bigint[], $2::text[], $3::text[], $4::numeric[], $5::numeric[], "
    "$6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[], $10::integer[], $11::numeric[], "
    "$12::numeric[]) AS t(ms, s, f, o, h, l, c, v, q, n, b, k) "
    "ON CONFLICT (time, symbol, timeframe) DO UPDATE SET open = excluded.open, "
    "high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, "
    "quote_asset_volume = excluded.quote_asset_volume, "
    "number_of_trades = excluded.number_of_trades, "
    "taker_buy_base_asset_volume = excluded.taker_buy_base_asset_volume, "
    "taker_buy_quote_asset_volume = excluded.taker_buy_quote_asset_volume, updated_at = now()";

class Columns {
 public:
  void add(int symbol, int minute) {
    add_text(0, std::to_string(1'600'000'020'000 + minute * 60'000LL));
    add_text(1, "U" + std::to_string(symbol) + "USDC");
    add_text(2, "1m");
    const std::string cents = "." + std::to_string(10 + minute % 90);
    const std::array<std::string, 9> numbers{"115000" + cents,
                                             "116100.5",
                                             "114900.25",
                                             "115001" + cents,
                                             "3" + cents,
                                             "356794.11",
                                             std::to_string(418 + minute % 100),
                                             "1.66",
                                             "190904.2"};
    for (std::size_t i = 0; i < numbers.size(); ++i) add_text(3 + i, numbers[i]);
  }

  const std::array<const char*, 12>& finish() {
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      texts_[i].back() = '}';
      values_[i] = texts_[i].c_str();
    }
    return values_;
  }

  void clear() {
    for (std::string& text : texts_) text.clear();
  }

 private:
  void add_text(std::size_t column, const std::string& text) {
    if (texts_[column].empty()) texts_[column] = "{";
    texts_[column].append(text).append(",");
  }

  std::array<std::string, 12> texts_;
  std::array<const char*, 12> values_{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) fail("usage: bare_upsert ROWS [SYMBOLS]");
  const int rows = std::atoi(argv[1]);
  const int symbols = argc > 2 ? std::atoi(argv[2]) : 100;
  PGconn* connection = PQconnectdb("");
  if (PQstatus(connection) != CONNECTION_OK) fail(PQerrorMessage(connection));
  PQclear(PQprepare(connection, "upsert", kUpsert, 0, nullptr));
  Columns columns;
  const Clock::time_point start = Clock::now();
  const double cpu_start = cpu_seconds();
  std::puts("first");
  std::fflush(stdout);
  for (int row = 0; row < rows;) {
    columns.clear();
    const int end = std::min(rows, row + kRowsAWrite);
    // Runs of 100 minutes of one symbol, as the backlog of a topic gives them.
    for (; row < end; ++row) {
      const int round = row / (100 * symbols);
      columns.add(row / 100 % symbols, round * 100 + row % 100);
    }
    PGresult* result =
        PQexecPrepared(connection, "upsert", 12, columns.finish().data(), nullptr, nullptr, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(PQresultErrorMessage(result));
    PQclear(result);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::printf("{\"messages\": %d, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"peak_bytes\": %ld}\n",
              rows, seconds, cpu_seconds() - cpu_start, peak_bytes());
  PQfinish(connection);
}
