#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "adapters/postgres_array.hpp"
#include "adapters/postgres_connection.hpp"
#include "ports/sink.hpp"

namespace signalbox {

/// Rows that are written by one statement.
enum class RowKind : std::uint8_t {
  Candle,        ///< into a table with a column is_closed
  ShadowCandle,  ///< into signalbox.shadow_market_data
  ClosedCandle,  ///< into a table without it; the side table forgets the candle
  OpenCandle,    ///< into a table without it, where the side table allows
  Signal,
  Order,
  Execution,
  DeadLetter,
};

inline constexpr std::size_t kRowKindCount = 8;

/// The statement that inserts or updates rows of a kind, one array parameter a column.
const PostgresStatement& statement_for(RowKind kind);

/// Moves all fences of a batch or raises SB001.
const PostgresStatement& move_fences_statement();

/// Raises SB002, so that everything before it in the transaction is rolled back.
const PostgresStatement& abandon_statement();

/// Writes the newest candle again as it is: shows whether public.market_data takes anything.
const PostgresStatement& rewrite_newest_candle_statement();

/// The parameters of one call, and the memory that they point into. Not copyable: it is pointed
/// into.
class PostgresParameters {
 public:
  PostgresParameters() = default;
  PostgresParameters(const PostgresParameters&) = delete;
  PostgresParameters& operator=(const PostgresParameters&) = delete;

  void add_scalar(std::string text) { scalars_.push_back(std::move(text)); }

  /// All arrays so far, `count` new and empty ones included; they stay where they are.
  std::deque<PostgresArray>& add_arrays(std::size_t count);

  /// Ends the arrays; valid as long as this lives and nothing is added.
  std::span<const char* const> get();

 private:
  std::deque<std::string> scalars_;  ///< come before the arrays
  std::deque<PostgresArray> arrays_;
  std::vector<const char*> pointers_;
};

/// Fills in the columns of `rows` (indices into the batch's messages) in the statement's order.
void encode_rows(PostgresParameters& parameters, RowKind kind, const WriteBatch& batch,
                 std::span<const std::size_t> rows);

void encode_moves(PostgresParameters& parameters, const std::string& group,
                  std::span<const FenceMove> moves);

}  // namespace signalbox
