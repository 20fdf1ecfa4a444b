#include "services/claim_calls.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace signalbox {
namespace {

/// How far a partition's fence has come: in the queue, and by the signals handled since.
struct Progress {
  Fence written;
  Fence reached;
};

class Splitter {
 public:
  Splitter(const WriteBatch& batch, std::span<TaskRequest> requests, const CallLimits& limits)
      : batch_(batch), requests_(requests), limits_(limits) {
    for (const FenceMove& move : batch.moves) {
      if (move.expected)
        progress_.emplace(move.partition, Progress{*move.expected, *move.expected});
    }
  }

  void add(const SignalPairs& signal) {
    const std::size_t bytes = signal.requests * signal.bytes_a_task;
    const bool is_full = call_.requests + signal.requests > limits_.tasks ||
                         bytes_ + bytes > limits_.bytes ||
                         call_.settled + signal.settled > limits_.settled;
    if ((is_full || is_behind_a_gap(signal)) && (call_.requests > 0 || call_.settled > 0)) {
      close(signal);
    }
    if (call_.requests == 0 && call_.settled == 0) {
      call_.first_request = signal.first_request;
      call_.first_settled = signal.first_settled;
    }
    call_.settled += signal.settled;
    std::size_t left = signal.requests;
    const std::size_t at_once = most_tasks(signal);
    for (; left > at_once; left -= at_once) {
      call_.requests = at_once;
      close_part(signal);
    }
    call_.requests += left;
    ++call_.signals;
    bytes_ += left * signal.bytes_a_task;
    Fence& reached = progress_.at(*signal.routed->read_from).reached;
    reached.next = next_offset(signal.routed->message->offset);
    reached.last_timestamp = signal.routed->message->timestamp;
    reached.seq = signal.routed->seq;
    reached.part = 0;
  }

  std::vector<ClaimCall> finish() && {
    for (const FenceMove& move : batch_.moves) {
      const auto progress = progress_.find(move.partition);
      call_.moves.push_back(progress == progress_.end()
                                ? move
                                : FenceMove{move.partition, progress->second.written, move.next});
    }
    calls_.push_back(std::move(call_));
    return std::move(calls_);
  }

 private:
  /// What an earlier run has done of a signal stands in the lists and belongs to no call.
  bool is_behind_a_gap(const SignalPairs& signal) const {
    return signal.first_request != call_.first_request + call_.requests ||
           signal.first_settled != call_.first_settled + call_.settled;
  }

  std::size_t most_tasks(const SignalPairs& signal) const {
    const std::size_t by_bytes = limits_.bytes / std::max<std::size_t>(1, signal.bytes_a_task);
    return std::clamp<std::size_t>(by_bytes, 1, limits_.tasks);
  }

  /// Ends the call before `next`.
  void close(const SignalPairs& next) {
    for (auto& [partition, progress] : progress_) {
      if (progress.written == progress.reached) continue;
      call_.moves.push_back({partition, progress.written, progress.reached});
      progress.written = progress.reached;
    }
    const std::size_t first_settled = call_.first_settled + call_.settled;
    calls_.push_back(std::exchange(call_, {}));
    call_.first_signal = calls_.back().first_signal + calls_.back().signals;
    call_.first_request = next.first_request;
    call_.first_settled = first_settled;
    bytes_ = 0;
  }

  /// Ends the call inside `signal`: its fence stays before it and counts the part.
  void close_part(const SignalPairs& signal) {
    const TopicPartition& partition = *signal.routed->read_from;
    Fence& reached = progress_.at(partition).reached;
    reached.next = signal.routed->message->offset;
    ++reached.part;
    const TaskRequest& last = requests_[call_.first_request + call_.requests - 1];
    call_.cut = Cut{.partition = partition,
                    .pairs_done = static_cast<std::uint64_t>(call_.first_request + call_.requests -
                                                             signal.first_request),
                    .last_pair = pair_name(last)};
    const std::size_t next_request = call_.first_request + call_.requests;
    close(signal);
    call_.first_request = next_request;
    const std::size_t end = signal.first_request + signal.requests;
    for (std::size_t i = next_request; i < end; ++i) requests_[i].is_repeat_checked = false;
  }

  const WriteBatch& batch_;
  std::span<TaskRequest> requests_;
  const CallLimits& limits_;
  std::map<TopicPartition, Progress> progress_;
  std::vector<ClaimCall> calls_;
  ClaimCall call_;
  std::size_t bytes_ = 0;
};

}  // namespace

std::vector<ClaimCall> split_into_calls(const WriteBatch& batch,
                                        std::span<const SignalPairs> signals,
                                        std::span<TaskRequest> requests, const CallLimits& limits) {
  Splitter splitter{batch, requests, limits};
  for (const SignalPairs& signal : signals) splitter.add(signal);
  return std::move(splitter).finish();
}

std::string pair_name(const TaskRequest& request) {
  std::string name = to_text(request.pipeline);
  name += '|';
  name += request.signal->tickers[request.ticker].ticker;
  return name;
}

}  // namespace signalbox
