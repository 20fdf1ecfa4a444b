#include "adapters/postgres_pipelines.hpp"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "adapters/pipeline_row.hpp"
#include "adapters/postgres_notify.hpp"

namespace signalbox {
namespace {

/// The mode is compared as what it is: a cast of the column would keep its index out.
constexpr const char* kSelect =
    "SELECT p.id::text, p.user_id::text, p.name, p.signal_subscriptions::text,"
    " p.scanner_tickers::text, s.config::text, (p.config -> 'signalbox')::text"
    " FROM public.pipelines p LEFT JOIN public.scanners s ON s.id = p.scanner_id"
    " WHERE p.is_active AND p.trigger_mode = 'signal'";

PostgresOptions listening(PostgresOptions options) {
  options.application_name += "-listen";
  return options;
}

PipelineRow row_of(std::vector<std::optional<std::string>>& values) {
  return {.id = std::move(values[0]).value_or(""),
          .user = std::move(values[1]),
          .name = std::move(values[2]).value_or(""),
          .subscriptions = std::move(values[3]),
          .scanner_tickers = std::move(values[4]),
          .scanner_config = std::move(values[5]),
          .signalbox = std::move(values[6])};
}

/// For the time that no connection can tell anything.
void wait_for_stop(std::chrono::milliseconds wait, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock{mutex};
  changed.wait_for(lock, stop, wait, [] { return false; });
}

}  // namespace

PostgresPipelines::PostgresPipelines(PostgresOptions options)
    : connection_(options), listener_(listening(std::move(options))) {}

LoadedPipelines PostgresPipelines::load() {
  // Before the question, so that no change falls between its answer and the first wait.
  listen();
  PostgresRows rows = connection_.execute(kSelect);
  LoadedPipelines loaded;
  loaded.pipelines.reserve(rows.rows.size());
  for (auto& values : rows.rows) {
    const PipelineRow row = row_of(values);
    auto pipeline = read_pipeline(row);
    if (!pipeline) {
      loaded.malformed.push_back({row.id, std::move(pipeline.error())});
    } else if (*pipeline) {
      loaded.pipelines.push_back(**std::move(pipeline));
    }
  }
  return loaded;
}

bool PostgresPipelines::wait_for_change(std::chrono::milliseconds wait, std::stop_token stop) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  if (!is_listening() && listen()) return true;
  if (is_listening()) {
    const auto told = listener_.wait_for_notification(wait, stop);
    if (told) return *told;
    listener_generation_.reset();
    if (listen()) return true;
  }
  const auto left = deadline - std::chrono::steady_clock::now();
  if (left > left.zero()) {
    wait_for_stop(std::chrono::ceil<std::chrono::milliseconds>(left), stop);
  }
  return false;
}

/// Whether LISTEN holds on the connection that is there, after asking for it where needed.
bool PostgresPipelines::listen() {
  if (!listener_.ensure_connected()) {
    listener_generation_.reset();
    return false;
  }
  if (listener_generation_ == listener_.generation()) return true;
  listener_generation_.reset();
  if (!listener_.try_execute(std::string("LISTEN ") + kPipelinesChannel)) return false;
  listener_generation_ = listener_.generation();
  return true;
}

}  // namespace signalbox
