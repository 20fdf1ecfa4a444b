#include "adapters/embedded_task_queue.hpp"

#include <utility>

#include "base/check.hpp"

namespace signalbox {

EmbeddedTasks::EmbeddedTasks(const ClaimRules& rules) : rules_(rules), book_(ClaimBook{rules}) {}

EmbeddedTasks::EmbeddedTasks(const ClaimRules& rules, SqliteOptions file)
    : rules_(rules), file_(std::in_place, std::move(file)) {}

void EmbeddedTasks::load() {
  if (book_) return;
  ClaimBookFile::Content content = file_->read();
  taken_.assign(content.taken.begin(), content.taken.end());
  interrupted_ = std::move(content.taken);
  book_.emplace(rules_, std::move(content.memory));
}

/// A write says all, so that one which failed is made good by the next.
void EmbeddedTasks::save() {
  if (is_saved_) return;
  if (file_) file_->write(book_->memory(), taken_, unsaved_names_);
  is_saved_ = true;
  unsaved_names_.clear();
}

template <typename Look>
auto EmbeddedTasks::look(Look&& look) {
  const std::lock_guard lock{mutex_};
  load();
  save();
  return look(std::as_const(*book_));
}

template <typename Change>
auto EmbeddedTasks::change(Change&& change) {
  const std::lock_guard lock{mutex_};
  load();
  save();
  auto result = change(*book_);
  is_saved_ = false;
  save();
  return result;
}

std::optional<QueuedTask> EmbeddedTasks::take(EventTime now) {
  const std::lock_guard lock{mutex_};
  load();
  save();
  if (interrupted_.empty()) {
    const std::size_t waiting = book_->queue().size();
    auto task = book_->take(now);
    if (book_->queue().size() == waiting) return std::nullopt;
    is_saved_ = false;
    if (task) {
      taken_.push_back(*task);
      interrupted_.push_back(*std::move(task));
    }
    save();
  }
  if (interrupted_.empty()) return std::nullopt;
  QueuedTask task = std::move(interrupted_.front());
  interrupted_.pop_front();
  return task;
}

void EmbeddedTasks::finish(const QueuedTask& task) {
  change([&](ClaimBook& book) {
    book.finish(task.pair, task.task_id);
    const auto is_it = [&](const QueuedTask& other) { return other.task_id == task.task_id; };
    std::erase_if(interrupted_, is_it);
    return std::erase_if(taken_, is_it);
  });
}

std::vector<PairOutcome> EmbeddedTasks::outcomes() {
  return look([](const ClaimBook& book) { return book.outcomes(); });
}

EmbeddedTaskQueue::EmbeddedTaskQueue(EmbeddedTasks& tasks, Clock& clock)
    : tasks_(tasks), clock_(clock), messages_(CeleryOptions{}) {}

EventTime EmbeddedTaskQueue::now() const {
  return std::chrono::floor<std::chrono::milliseconds>(clock_.now());
}

FenceMap EmbeddedTaskQueue::read_fences(std::span<const TopicPartition> partitions) {
  return tasks_.look([&](const ClaimBook& book) { return book.fences(partitions); });
}

std::optional<Cut> EmbeddedTaskQueue::read_cut(const TopicPartition& partition) {
  return tasks_.look([&](const ClaimBook& book) { return book.cut(partition); });
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
  try {
    auto claimed = tasks_.change([&](ClaimBook& book) {
      auto done = book.claim(batch, drafts, at);
      if (!done) return done;
      for (const TaskRequest& request : batch.requests) {
        if (request.is_repeat_checked) tasks_.unsaved_names_.emplace_back(request.signal_key);
      }
      return done;
    });
    if (!claimed) return Refused{};
    return *std::move(claimed);
  } catch (const IoError& error) {
    return Unknown{
        error.what()};  // whether it is there, the fences tell as soon as they can be read
  }
}

std::vector<HeldTask> EmbeddedTaskQueue::held(std::size_t limit) {
  const EventTime at = now();
  return tasks_.look([&](const ClaimBook& book) { return book.held(limit, at); });
}

Claimed EmbeddedTaskQueue::settle_held(std::span<const HeldDecision> decisions,
                                       DatabaseTime database_now) {
  const EventTime at = now();
  return tasks_.change(
      [&](ClaimBook& book) { return book.settle_held(decisions, database_now, at); });
}

std::vector<OpenClaim> EmbeddedTaskQueue::open_claims(std::size_t limit,
                                                      std::chrono::milliseconds older_than) {
  const EventTime at = now();
  return tasks_.change([&](ClaimBook& book) { return book.open_claims(limit, older_than, at); });
}

void EmbeddedTaskQueue::release(std::span<const OpenClaim> claims) {
  tasks_.change([&](ClaimBook& book) {
    book.release(claims);
    return claims.size();
  });
}

void EmbeddedTaskQueue::ping() {
  tasks_.look([](const ClaimBook& book) { return book.claim_count(); });
}

QueueReport EmbeddedTaskQueue::report() {
  return tasks_.look([](const ClaimBook& book) {
    QueueReport report{.waiting_tasks = book.queue().size(),
                       .open_claims = book.claim_count(),
                       .held = book.held_count(),
                       .signals_forgotten = book.signals_forgotten()};
    if (!book.queue().empty()) report.oldest_enqueued_at = book.queue().front().enqueued_at;
    return report;
  });
}

}  // namespace signalbox
