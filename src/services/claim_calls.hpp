#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "ports/sink.hpp"
#include "ports/task_queue.hpp"

namespace signalbox {

/// One signal of a batch and its part of the batch's requests and settled pairs.
struct SignalPairs {
  const Routed* routed = nullptr;
  std::size_t first_request = 0;
  std::size_t requests = 0;
  std::size_t first_settled = 0;
  std::size_t settled = 0;
  std::size_t bytes_a_task = 0;  ///< about
};

/// What one call of TaskQueue::claim() carries: ranges of the batch's lists, and its fences. A
/// signal that is cut belongs to the call with its last part.
struct ClaimCall {
  std::size_t first_signal = 0;
  std::size_t signals = 0;
  std::size_t first_request = 0;
  std::size_t requests = 0;
  std::size_t first_settled = 0;
  std::size_t settled = 0;
  std::vector<FenceMove> moves;
  std::optional<Cut> cut{};
};

struct CallLimits {
  std::size_t tasks = 500;  ///< a quarter of what a call may carry: Redis is quicker at small ones
  std::size_t bytes = kMaxBytesPerCall;
  std::size_t settled = 20'000;
};

/// Cuts a batch into calls that the queue takes, each with the fences up to its last signal. A
/// signal with too many tasks for one call is cut itself: its fence then stands before it, with the
/// number of parts done, and its requests must be in order of (pipeline, ticker); those of its
/// later parts are marked as no repeats. There is always at least one call; the last one carries
/// the moves of the batch.
std::vector<ClaimCall> split_into_calls(const WriteBatch& batch,
                                        std::span<const SignalPairs> signals,
                                        std::span<TaskRequest> requests, const CallLimits& limits);

/// `pipeline|ticker`, in the order of the requests of a signal that is cut.
std::string pair_name(const TaskRequest& request);

}  // namespace signalbox
