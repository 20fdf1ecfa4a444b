#pragma once

#include <span>

#include "ports/task_queue.hpp"

namespace signalbox {

/// The log events that the original's users search for, with its fields. Those of a signal are
/// written at Debug, as they were meant to be; none is rate-limited.
void log_signals_received(const WriteBatch& batch);
void log_processing(const WriteBatch& batch);
void log_matched(const TaskRequest& request);
void log_enqueued(const TaskRequest& request, std::string_view task_id);

/// `request.signal` of a task that waited is gone: what is known of it.
void log_enqueued_after_waiting(const HeldTask& held, std::string_view task_id);

/// What the calls of one batch came to.
struct BatchResult {
  std::uint64_t enqueued = 0;
  std::uint64_t skipped_running = 0;
  std::uint64_t total_matched = 0;  ///< pipelines
};
void log_batch_completed(const BatchResult& result);

}  // namespace signalbox
