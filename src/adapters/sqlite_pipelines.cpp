#include "adapters/sqlite_pipelines.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

#include "adapters/pipeline_row.hpp"
#include "adapters/sqlite_platform.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::milliseconds kLookEvery{100};

constexpr const char* kSelect =
    "SELECT id, user_id, name, config, signal_subscriptions, scanner_tickers, scanner_config"
    " FROM pipelines WHERE is_active AND trigger_mode = 'signal' ORDER BY id";

std::optional<std::string> text_of(const SqliteStatement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return std::string(row.text(column));
}

}  // namespace

SqlitePipelines::SqlitePipelines(SqliteOptions options) : options_(std::move(options)) {}
SqlitePipelines::~SqlitePipelines() = default;

/// A file that was replaced is opened anew by the next call.
SqliteDatabase& SqlitePipelines::database() {
  if (!database_) {
    auto opened = std::make_unique<SqliteDatabase>(options_);
    make_platform(*opened);
    database_ = std::move(opened);
  }
  try {
    database_->require_file();
  } catch (const SqliteError&) {
    database_.reset();
    throw;
  }
  return *database_;
}

std::int64_t SqlitePipelines::revision() {
  return database().prepare("SELECT revision FROM pipelines_revision").integer().value_or(0);
}

LoadedPipelines SqlitePipelines::load() {
  const std::int64_t before = revision();
  LoadedPipelines loaded;
  database().prepare(kSelect).each([&](const SqliteStatement& row) {
    PipelineRow read{.id = std::string(row.text(0)),
                     .user = text_of(row, 1),
                     .name = std::string(row.text(2)),
                     .subscriptions = text_of(row, 4),
                     .scanner_tickers = text_of(row, 5),
                     .scanner_config = text_of(row, 6),
                     .signalbox = {}};
    auto ours = signalbox_key(row.text(3));
    if (!ours) {
      loaded.malformed.push_back({read.id, std::move(ours.error())});
      return Visit::Continue;
    }
    read.signalbox = *std::move(ours);
    auto pipeline = read_pipeline(read);
    if (!pipeline) {
      loaded.malformed.push_back({read.id, std::move(pipeline.error())});
    } else if (*pipeline) {
      loaded.pipelines.push_back(**std::move(pipeline));
    }
    return Visit::Continue;
  });
  seen_ = before;
  return loaded;
}

bool SqlitePipelines::wait_for_change(std::chrono::milliseconds wait, std::stop_token stop) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock{mutex};
  while (!stop.stop_requested()) {
    const std::int64_t now = revision();
    if (seen_ && std::exchange(seen_, now) != now) return true;
    seen_ = now;
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return false;
    wake.wait_for(lock, stop, std::min<std::chrono::nanoseconds>(left, kLookEvery),
                  [] { return false; });
  }
  return false;
}

}  // namespace signalbox
