#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "adapters/sqlite_tables.hpp"
#include "ports/sink.hpp"

namespace signalbox {

struct SqliteSinkOptions {
  std::filesystem::path file;
  std::string group;  ///< whose fences these are: the consumer group's whole name
  SqliteTables::Limits limits{};
  std::chrono::milliseconds busy_timeout{2'000};
};

/// Rows of market_data, signals, orders, executions and dead_letters in one SQLite file, with the
/// fences in the same transaction: what PostgreSQL's sink is for the embedded set.
///
/// Durable across the death of the process. A power cut may take the last transactions away, rows
/// and fences together; the lane then fills them in again from the log.
class SqliteSink final : public Sink {
 public:
  explicit SqliteSink(SqliteSinkOptions options);
  ~SqliteSink() override;

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  WriteOutcome write(const WriteBatch& batch) override;
  void ping() override;
  std::vector<SinkWarning> inspect() override;

 private:
  struct Connection;
  struct Rows;
  Connection& connection();
  Rows put_rows(Connection& file, const WriteBatch& batch);

  const SqliteSinkOptions options_;
  std::unique_ptr<Connection> connection_;  ///< absent until needed, and after a failure
};

}  // namespace signalbox
