#include "adapters/embedded_task_queue.hpp"

#include <utility>

#include "base/check.hpp"

namespace signalbox {

std::optional<QueuedTask> EmbeddedTasks::take(EventTime now) {
  return book_.with([&](ClaimBook& book) { return book.take(now); });
}

void EmbeddedTasks::finish(const QueuedTask& task) {
  book_.with([&](ClaimBook& book) { book.finish(task.pair, task.task_id); });
}

std::vector<PairOutcome> EmbeddedTasks::outcomes() const {
  return book_.with([](const ClaimBook& book) { return book.outcomes(); });
}

EmbeddedTaskQueue::EmbeddedTaskQueue(EmbeddedTasks& tasks, Clock& clock)
    : tasks_(tasks), clock_(clock), messages_(CeleryOptions{}) {}

EventTime EmbeddedTaskQueue::now() const {
  return std::chrono::floor<std::chrono::milliseconds>(clock_.now());
}

FenceMap EmbeddedTaskQueue::read_fences(std::span<const TopicPartition> partitions) {
  return tasks_.book().with([&](const ClaimBook& book) { return book.fences(partitions); });
}

std::optional<Cut> EmbeddedTaskQueue::read_cut(const TopicPartition& partition) {
  return tasks_.book().with([&](const ClaimBook& book) { return book.cut(partition); });
}

ClaimOutcome EmbeddedTaskQueue::claim(const ClaimBatch& batch) {
  SB_CHECK(batch.requests.size() <= kMaxTasksPerCall);
  std::vector<TaskDraft> drafts;
  drafts.reserve(batch.requests.size());
  for (const TaskRequest& request : batch.requests) {
    const std::string_view ticker = request.signal->tickers[request.ticker].ticker;
    drafts.push_back({messages_.task_id(request.signal_key, request.pipeline, ticker),
                      std::string(messages_.kwargs(request))});
  }
  const EventTime at = now();
  auto claimed = tasks_.book().with([&](ClaimBook& book) { return book.claim(batch, drafts, at); });
  if (!claimed) return Refused{};
  return *std::move(claimed);
}

std::vector<HeldTask> EmbeddedTaskQueue::held(std::size_t limit) {
  const EventTime at = now();
  return tasks_.book().with([&](const ClaimBook& book) { return book.held(limit, at); });
}

Claimed EmbeddedTaskQueue::settle_held(std::span<const HeldDecision> decisions,
                                       DatabaseTime database_now) {
  const EventTime at = now();
  return tasks_.book().with(
      [&](ClaimBook& book) { return book.settle_held(decisions, database_now, at); });
}

std::vector<OpenClaim> EmbeddedTaskQueue::open_claims(std::size_t limit,
                                                      std::chrono::milliseconds older_than) {
  const EventTime at = now();
  return tasks_.book().with(
      [&](ClaimBook& book) { return book.open_claims(limit, older_than, at); });
}

void EmbeddedTaskQueue::release(std::span<const OpenClaim> claims) {
  tasks_.book().with([&](ClaimBook& book) { book.release(claims); });
}

QueueReport EmbeddedTaskQueue::report() {
  return tasks_.book().with([](const ClaimBook& book) {
    QueueReport report{.waiting_tasks = book.queue().size(),
                       .open_claims = book.claim_count(),
                       .held = book.held_count(),
                       .signals_forgotten = book.signals_forgotten()};
    if (!book.queue().empty()) report.oldest_enqueued_at = book.queue().front().enqueued_at;
    return report;
  });
}

}  // namespace signalbox
