#include "app/up_worker.hpp"

#include <utility>

#include "base/log.hpp"
#include "domain/backoff.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::milliseconds kLookEvery{50};
constexpr std::size_t kNewsMax = 50;

EventTime to_ms(ReceivedAt time) { return std::chrono::floor<std::chrono::milliseconds>(time); }

}  // namespace

void UpWorker::run(std::stop_token stop) {
  Backoff backoff{{}, /*seed=*/1};
  while (!stop.stop_requested()) {
    try {
      if (!work_one()) io_.clock.wait(kLookEvery, stop);
      backoff.reset();
    } catch (const IoError& error) {
      log_warn_limited("worker", "worker_failed", {{"error", error.what()}});
      io_.clock.wait(backoff.next(), stop);
    }
  }
}

/// False: nothing waits. A stop waits for the run in hand, which is short.
bool UpWorker::work_one() {
  if (!in_hand_) in_hand_ = io_.tasks.take(to_ms(io_.clock.now()));
  if (!in_hand_) return false;
  const QueuedTask& task = *in_hand_;
  const RunBegun begun = executions_.begin({.task_id = task.task_id,
                                            .pipeline = task.pair.pipeline,
                                            .ticker = task.pair.ticker,
                                            .signal_id = task.signal_key,
                                            .arguments = task.content},
                                           io_.clock.now());
  if (begun != RunBegun::EndedBefore) {
    io_.clock.wait(run_time_, std::stop_token{});
    executions_.complete(task.task_id, io_.clock.now());
    tell(task, begun);
  }
  io_.tasks.finish(task);
  in_hand_.reset();
  return true;
}

void UpWorker::tell(const QueuedTask& task, RunBegun begun) {
  const std::string pipeline = executions_.pipeline_name(task.pair.pipeline);
  log_info("pipeline_run_completed", {{"task_id", task.task_id},
                                      {"signal_id", task.signal_key},
                                      {"pipeline_id", to_text(task.pair.pipeline)},
                                      {"pipeline_name", pipeline},
                                      {"ticker", task.pair.ticker},
                                      {"resumed", begun == RunBegun::Again}});
  io_.done.with([&](WorkDone& done) {
    ++done.runs;
    if (begun == RunBegun::Again) ++done.resumed;
    done.news.push_back("ran \"" + pipeline + "\" on " + task.pair.ticker + " because of " +
                        task.signal_key + (begun == RunBegun::Again ? " (resumed)" : ""));
    if (done.news.size() > kNewsMax) done.news.pop_front();
  });
}

}  // namespace signalbox
