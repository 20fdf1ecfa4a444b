#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "adapters/sqlite_database.hpp"
#include "ports/pipeline_store.hpp"

namespace signalbox {

/// Pipelines in a file of our own (sqlite_platform.hpp). Hears of changes, also of other
/// processes, within a tenth of a second. One thread owns it.
class SqlitePipelines final : public PipelineStore {
 public:
  /// Opens the file at the first call.
  explicit SqlitePipelines(SqliteOptions options);
  ~SqlitePipelines() override;

  LoadedPipelines load() override;
  bool wait_for_change(std::chrono::milliseconds wait, std::stop_token stop) override;

 private:
  SqliteDatabase& database();
  std::int64_t revision();

  SqliteOptions options_;
  std::unique_ptr<SqliteDatabase> database_;
  std::optional<std::int64_t> seen_;  ///< the revision that the last answer was about
};

}  // namespace signalbox
