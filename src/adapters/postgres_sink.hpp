#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/postgres_connection.hpp"
#include "adapters/postgres_rows.hpp"
#include "adapters/postgres_schema.hpp"
#include "ports/sink.hpp"

namespace signalbox {

/// Where candles go: a shadow writes nothing outside schema `signalbox`.
enum class CandleTable : std::uint8_t { MarketData, Shadow };

struct PostgresSinkOptions {
  PostgresOptions postgres;
  std::string group;  ///< whose fences these are: the consumer group's whole name
  CandleTable candle_table = CandleTable::MarketData;
  /// How long the search for rows that the database refuses may take, besides one statement.
  std::chrono::milliseconds fault_search_max{20'000};
};

/// Candles into public.market_data, signals, orders, executions and dead letters into tables of
/// ours, with the fences in the same transaction.
///
/// A batch is one request and one implicit transaction: first the conditional move of all fences,
/// then one statement a table, then a single Sync. A stopped process thus never holds a lock. A
/// row that the server refuses for its content is found by trials that are rolled back; any other
/// error is Unavailable. A database or schema that is missing is Unavailable too, with a text that
/// says what to run.
class PostgresSink final : public Sink {
 public:
  explicit PostgresSink(PostgresSinkOptions options);

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  WriteOutcome write(const WriteBatch& batch) override;
  void ping() override;
  std::vector<SinkWarning> inspect() override;

  /// Every fence of the group: for operators, not for lanes. Throws IoError.
  FenceMap list_fences();

 private:
  /// The rows of one statement.
  struct Group {
    RowKind kind;
    std::vector<std::size_t> rows{};
  };
  struct Plan {
    std::vector<Group> groups;
    std::vector<RejectedRow> incomplete;
    std::uint64_t superseded = 0;
  };

  void make_ready();
  std::expected<Plan, std::string> plan(const WriteBatch& batch);
  std::expected<void, std::string> add_candles(Plan& plan, const WriteBatch& batch,
                                               std::span<const std::size_t> candles);
  std::expected<void, PostgresFailure> send(const WriteBatch& batch, const Plan& plan);
  WriteOutcome after_failure(const WriteBatch& batch, const Plan& plan,
                             const PostgresFailure& failure);
  WriteOutcome search_faults(const WriteBatch& batch, std::span<const Group> suspects,
                             const PostgresError& error);
  std::expected<void, PostgresFailure> try_rows(const WriteBatch& batch, RowKind kind,
                                                std::span<const std::size_t> rows);
  bool canary_passes(const WriteBatch& batch, RowKind kind, std::size_t row);
  bool candle_canary_passes(const WriteBatch& batch, RowKind kind, const Routed& refused);
  Unavailable unavailable(const PostgresError& error);

  PostgresSinkOptions options_;
  PostgresConnection connection_;
  std::uint64_t ready_generation_ = 0;  ///< of the connection that the two below are true for
  std::optional<ClosedCandles> closed_candles_;
  bool lost_statements_ = false;  ///< a pooler took our prepared statements away
};

}  // namespace signalbox
