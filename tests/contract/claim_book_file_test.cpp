// What is in the file is the book: the same random calls to a queue in memory and to one whose
// process dies again and again must leave the same claims, slots, tasks and fences.

#include "adapters/claim_book_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "adapters/embedded_task_queue.hpp"
#include "adapters/system_clock.hpp"
#include "ports/io_error.hpp"
#include "support/claim_batch.hpp"
#include "support/manual_clock.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

constexpr ClaimRules kRules{.generation_max = 40, .held_max = 12};

class ClaimBookFileTest : public testing::Test {
 protected:
  SqliteOptions file() const {
    return {.file = folder_ / "tasks.db",
            .sync = SqliteSync::Normal,
            .busy_timeout = std::chrono::milliseconds{50}};
  }
  EventTime now() const { return std::chrono::floor<std::chrono::milliseconds>(clock_.now()); }

  TemporaryFolder folder_;
  ManualClock clock_;
};

/// One store with its queue; the second one dies and begins again.
struct Side {
  std::unique_ptr<EmbeddedTasks> tasks;
  std::unique_ptr<EmbeddedTaskQueue> queue;
};

class RandomDeaths : public ClaimBookFileTest {
 protected:
  RandomDeaths() {
    steady_.tasks = std::make_unique<EmbeddedTasks>(kRules);
    steady_.queue = std::make_unique<EmbeddedTaskQueue>(*steady_.tasks, clock_);
    begin_again();
  }

  void begin_again() {
    dying_.queue.reset();
    dying_.tasks.reset();
    dying_.tasks = std::make_unique<EmbeddedTasks>(kRules, file());
    dying_.queue = std::make_unique<EmbeddedTaskQueue>(*dying_.tasks, clock_);
  }

  int below(int bound) { return std::uniform_int_distribution<int>{0, bound - 1}(random_); }

  void claim_something();
  void work_something();
  void settle_something();
  void compare();

  std::mt19937 random_{20'261'121};
  Side steady_;
  Side dying_;
  std::vector<QueuedTask> at_work_;
  std::int64_t next_ = 0;
  std::optional<Fence> fence_;
};

Fence fence_at(std::int64_t next) {
  Fence fence;
  fence.next = Offset{next};
  return fence;
}

void RandomDeaths::claim_something() {
  constexpr BusyRule kRulesOfPairs[]{{}, {BusyPolicy::KeepLatest, 1}, {BusyPolicy::Queue, 2}};
  ClaimBatchBuilder builder;
  const std::string signal = "signal-" + std::to_string(below(300));
  builder.next_message();
  for (int asks = 1 + below(4); asks > 0; --asks) {
    builder.ask({.signal = signal,
                 .pipeline = below(6),
                 .ticker = below(2) == 0 ? "AAPL" : "BRK|B",
                 .busy = kRulesOfPairs[below(3)],
                 .is_running = below(8) == 0,
                 .is_backtest = below(9) == 0,
                 .is_repeat_checked = below(7) != 0});
  }
  const TopicPartition partition{"t", 0};
  builder.move(partition, fence_, fence_at(++next_));
  if (below(5) == 0) builder.cut({partition, 7, "last|pair"});
  fence_ = fence_at(next_);
  const ClaimOutcome expected = steady_.queue->claim(builder.batch());
  const ClaimOutcome found = dying_.queue->claim(builder.batch());
  ASSERT_TRUE(std::holds_alternative<Claimed>(expected));
  ASSERT_TRUE(std::holds_alternative<Claimed>(found));
  EXPECT_EQ(std::get<Claimed>(found).outcomes, std::get<Claimed>(expected).outcomes);
}

/// A worker takes a task, or finishes the one that it holds.
void RandomDeaths::work_something() {
  if (!at_work_.empty() && below(2) == 0) {
    const auto task = at_work_.begin() + below(static_cast<int>(at_work_.size()));
    steady_.tasks->finish(*task);
    dying_.tasks->finish(*task);
    at_work_.erase(task);
    return;
  }
  const auto expected = steady_.tasks->take(now());
  auto found = dying_.tasks->take(now());
  // What was taken before the last death comes again, to be worked on by whoever asks.
  while (found && std::ranges::find(at_work_, *found) != at_work_.end()) {
    found = dying_.tasks->take(now());
  }
  EXPECT_EQ(found, expected);
  if (expected) at_work_.push_back(*expected);
}

void RandomDeaths::settle_something() {
  const std::vector<HeldTask> expected = steady_.queue->held(3);
  const std::vector<HeldTask> found = dying_.queue->held(3);
  ASSERT_EQ(found.size(), expected.size());
  std::vector<HeldDecision> decisions;
  for (const HeldTask& task : expected) {
    decisions.push_back({.held = &task, .ends_as = std::nullopt});
    if (below(4) == 0) decisions.back().ends_as = TriggerOutcome::Expired;
  }
  EXPECT_EQ(dying_.queue->settle_held(decisions, {}).outcomes,
            steady_.queue->settle_held(decisions, {}).outcomes);
}

void RandomDeaths::compare() {
  const TopicPartition partition{"t", 0};
  EXPECT_EQ(dying_.queue->read_fences({&partition, 1}),
            steady_.queue->read_fences({&partition, 1}));
  const auto found = dying_.queue->read_cut(partition);
  const auto expected = steady_.queue->read_cut(partition);
  ASSERT_EQ(found.has_value(), expected.has_value());
  if (found) {
    EXPECT_EQ(found->last_pair, expected->last_pair);
  }
  const QueueReport now = dying_.queue->report();
  const QueueReport then = steady_.queue->report();
  EXPECT_EQ(now.waiting_tasks, then.waiting_tasks);
  EXPECT_EQ(now.oldest_enqueued_at, then.oldest_enqueued_at);
  EXPECT_EQ(now.open_claims, then.open_claims);
  EXPECT_EQ(now.held, then.held);
  EXPECT_EQ(now.signals_forgotten, then.signals_forgotten);
}

TEST_F(RandomDeaths, CostNothing) {
  for (int call = 0; call < 1'500 && !HasFailure(); ++call) {
    clock_.advance(std::chrono::milliseconds{below(4'000)});
    switch (below(5)) {
      case 0:
      case 1:
        claim_something();
        break;
      case 2:
        work_something();
        break;
      case 3:
        settle_something();
        break;
      default:
        begin_again();
    }
    compare();
  }
}

TEST_F(ClaimBookFileTest, ATaskWhoseWorkerWasKilledComesFirstAndOnce) {
  ClaimBatchBuilder builder;
  builder.next_message();
  builder.ask({.signal = "one", .pipeline = 1, .ticker = "AAPL"});
  builder.next_message();
  builder.ask({.signal = "two", .pipeline = 2, .ticker = "AAPL"});
  std::optional<QueuedTask> taken;
  {
    EmbeddedTasks killed{kRules, file()};
    EmbeddedTaskQueue queue{killed, clock_};
    ASSERT_TRUE(std::holds_alternative<Claimed>(queue.claim(builder.batch())));
    taken = killed.take(now());
    ASSERT_TRUE(taken);
  }
  EmbeddedTasks tasks{kRules, file()};
  EXPECT_EQ(tasks.take(now()), taken);
  const auto second = tasks.take(now());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->signal_key, "two");
  EXPECT_EQ(tasks.take(now()), std::nullopt);
}

TEST_F(ClaimBookFileTest, ATaskThatWasFinishedDoesNotComeAgain) {
  ClaimBatchBuilder builder;
  builder.next_message();
  builder.ask({.signal = "one", .pipeline = 1, .ticker = "AAPL"});
  {
    EmbeddedTasks killed{kRules, file()};
    EmbeddedTaskQueue queue{killed, clock_};
    ASSERT_TRUE(std::holds_alternative<Claimed>(queue.claim(builder.batch())));
    killed.finish(killed.take(now()).value());
  }
  EmbeddedTasks tasks{kRules, file()};
  EXPECT_EQ(tasks.take(now()), std::nullopt);
}

TEST_F(ClaimBookFileTest, ASecondProcessDoesNotGetTheFile) {
  EmbeddedTasks first{kRules, file()};
  EmbeddedTaskQueue queue{first, clock_};
  queue.ping();
  EmbeddedTasks second{kRules, file()};
  EXPECT_THROW(second.take(now()), IoError);
}

}  // namespace
}  // namespace signalbox
