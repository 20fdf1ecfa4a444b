#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/postgres_connection.hpp"
#include "domain/comparison.hpp"

namespace signalbox {

/// A dead letter of a shadow's lane, with its payload as it came.
struct ShadowLetter {
  std::string lane;
  std::string topic;
  std::string reason;
  std::string payload;
};

/// What `compare` reads in PostgreSQL. One thread; every call may throw IoError.
class PostgresComparison {
 public:
  /// The connection must outlive this.
  explicit PostgresComparison(PostgresConnection& connection) : connection_(connection) {}

  /// The server's clock, milliseconds.
  EventTime now();

  /// Candles that the shadow wrote between two times of the server, `limit` at most.
  std::vector<CandleKey> shadow_candles(EventTime from, EventTime until, std::int32_t limit);

  /// Each candle as it is in public.market_data and in the shadow's table.
  std::vector<CandlePair> read_candles(const std::vector<CandleKey>& keys);

  /// What shadow lanes refused since then, the newest first; letters with a payload only.
  std::vector<ShadowLetter> letters_since(EventTime from, std::int32_t limit);

 private:
  PostgresConnection& connection_;
};

}  // namespace signalbox
