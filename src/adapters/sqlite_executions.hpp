#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/sqlite_database.hpp"
#include "domain/message.hpp"
#include "domain/uuid.hpp"

namespace signalbox {

/// What is known of a run when it begins.
struct RunStart {
  std::string
      task_id;  ///< names the run too, so that a task has one run whoever takes it how often
  Uuid pipeline;
  std::string ticker;
  std::string signal_id;
  std::string arguments;  ///< the task's keyword arguments as JSON
};

/// A run as it stands in the table.
struct RunRow {
  std::string task_id;
  std::string signal_id;
  std::string pipeline_id;
  std::string pipeline;  ///< its name; empty when the pipeline is gone
  std::string ticker;
  std::string status;
  std::int64_t starts = 0;  ///< 2 when its first worker was killed
  std::optional<ReceivedAt> started_at;
  std::optional<ReceivedAt> completed_at;
};

enum class RunBegun : std::uint8_t { First, Again, EndedBefore };

/// Writes and lists runs in the embedded platform's `executions`, as the platform's own workers do
/// in theirs. One thread owns it.
class SqliteExecutions {
 public:
  /// Opens the file at the first call. Every call throws IoError.
  explicit SqliteExecutions(SqliteOptions options);
  ~SqliteExecutions();

  RunBegun begin(const RunStart& run, ReceivedAt now);
  void complete(std::string_view task_id, ReceivedAt now);

  /// The newest first.
  std::vector<RunRow> last(std::size_t limit);
  std::string pipeline_name(const Uuid& pipeline);

 private:
  SqliteDatabase& database();

  SqliteOptions options_;
  std::unique_ptr<SqliteDatabase> database_;
};

}  // namespace signalbox
