// The scripts in Redis against their specification, the claim book: the same random calls to both
// must have the same outcomes and leave the same state.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>

#include "contract/embedded_queue_place.hpp"
#include "contract/redis_queue_place.hpp"

namespace signalbox {
namespace {

constexpr int kCalls = 2'000;

/// Small, so that every bound is met often.
constexpr ClaimRules kRules{.generation_max = 40, .held_max = 12};

Fence fence_at(std::int64_t next, std::int32_t part = 0) {
  Fence fence;
  fence.next = Offset{next};
  fence.part = part;
  return fence;
}

class Agreement : public testing::Test {
 protected:
  Agreement() : redis_(kRules), book_(kRules) {
    queues_[0] = redis_.make_queue();
    queues_[1] = book_.make_queue();
  }

  int below(int bound) { return std::uniform_int_distribution<int>{0, bound - 1}(random_); }
  bool chance(int percent) { return below(100) < percent; }

  void claim_something();
  void work_something();
  void settle_something();
  void release_something();
  void compare();

  std::mt19937 random_{20'261'121};
  RedisQueuePlace redis_;
  EmbeddedQueuePlace book_;
  std::unique_ptr<TaskQueue> queues_[2];
  std::vector<TakenTask> at_work_;
  FenceMap fences_;
  std::vector<TriggerOutcome> outcomes_;
};

void Agreement::claim_something() {
  constexpr BusyRule kRulesOfPairs[]{
      {}, {BusyPolicy::KeepLatest, 1}, {BusyPolicy::Queue, 2}, {BusyPolicy::Queue, 0}};
  ClaimBatchBuilder builder;
  for (int message = below(4); message > 0; --message) {
    const std::string signal = "signal-" + std::to_string(below(300));
    builder.next_message();
    for (int asks = 1 + below(4); asks > 0; --asks) {
      builder.ask({.signal = signal,
                   .pipeline = below(6),
                   .ticker = chance(50) ? "AAPL" : "BRK|B",
                   .busy = kRulesOfPairs[below(4)],
                   .is_running = chance(15),
                   .is_backtest = chance(10),
                   .is_repeat_checked = chance(85)});
    }
  }
  if (chance(30)) builder.settle(below(6), "MSFT", "settled", TriggerOutcome::NoSubscription);
  for (int moves = below(3); moves > 0; --moves) {
    const TopicPartition partition{"t", moves};
    const auto known = fences_.find(partition);
    std::optional<Fence> expected;
    if (known != fences_.end()) expected = known->second;
    if (chance(8)) expected = fence_at(999);
    const Fence next = fence_at(expected ? expected->next.value + 1 : 1, below(2));
    builder.move(partition, expected, next);
    if (chance(20)) builder.cut({partition, 7, "last|pair"});
  }
  const ClaimBatch batch = builder.batch();
  const ClaimOutcome first = queues_[0]->claim(batch);
  const ClaimOutcome second = queues_[1]->claim(batch);
  ASSERT_EQ(first.index(), second.index());
  if (!std::holds_alternative<Claimed>(first)) return;
  const auto& a = std::get<Claimed>(first);
  const auto& b = std::get<Claimed>(second);
  ASSERT_EQ(a.outcomes, b.outcomes);
  ASSERT_EQ(a.ended, b.ended);
  ASSERT_EQ(a.enqueued.size(), b.enqueued.size());
  for (std::size_t i = 0; i < a.enqueued.size(); ++i) {
    ASSERT_EQ(a.enqueued[i].request, b.enqueued[i].request);
    ASSERT_EQ(a.enqueued[i].task_id, b.enqueued[i].task_id);
  }
  outcomes_.insert(outcomes_.end(), a.outcomes.begin(), a.outcomes.end());
  for (const FenceMove& move : batch.moves) fences_.insert_or_assign(move.partition, move.next);
}

void Agreement::work_something() {
  if (chance(60)) {
    const auto task = redis_.take();
    if (task) {
      // Redis keeps backtests in another list: the book's order across both is another.
      at_work_.push_back(*task);
    }
    return;
  }
  if (at_work_.empty()) return;
  const auto at = at_work_.begin() + below(static_cast<int>(at_work_.size()));
  redis_.finish(*at);
  book_.finish(*at);
  at_work_.erase(at);
}

void Agreement::settle_something() {
  const std::size_t limit = static_cast<std::size_t>(1 + below(6));
  const std::vector<HeldTask> held[2]{queues_[0]->held(limit), queues_[1]->held(limit)};
  ASSERT_EQ(held[0].size(), held[1].size());
  std::vector<HeldDecision> decisions[2];
  for (std::size_t i = 0; i < held[0].size(); ++i) {
    ASSERT_EQ(held[0][i].signal_key, held[1][i].signal_key);
    ASSERT_EQ(held[0][i].pipeline, held[1][i].pipeline);
    ASSERT_EQ(held[0][i].ticker, held[1][i].ticker);
    if (chance(20)) continue;
    std::optional<TriggerOutcome> ends_as;
    if (chance(30)) ends_as = chance(50) ? TriggerOutcome::Expired : TriggerOutcome::Deactivated;
    for (const int side : {0, 1}) {
      decisions[side].push_back({&held[side][i], ends_as});
      if (i % 3 == 0) decisions[side].push_back({&held[side][i], std::nullopt});
    }
  }
  if (chance(30)) claim_something();  // somebody comes between the look and the act
  const Claimed a = queues_[0]->settle_held(decisions[0], {});
  const Claimed b = queues_[1]->settle_held(decisions[1], {});
  ASSERT_EQ(a.outcomes, b.outcomes);
  ASSERT_EQ(a.enqueued.size(), b.enqueued.size());
  for (std::size_t i = 0; i < a.enqueued.size(); ++i) {
    ASSERT_EQ(a.enqueued[i].task_id, b.enqueued[i].task_id);
  }
}

void Agreement::release_something() {
  std::vector<OpenClaim> open = queues_[0]->open_claims(100, std::chrono::milliseconds{0});
  ASSERT_EQ(open.size(), queues_[1]->open_claims(100, std::chrono::milliseconds{0}).size());
  if (open.empty()) return;
  std::vector<OpenClaim> some{open[static_cast<std::size_t>(below(static_cast<int>(open.size())))]};
  if (chance(30)) some[0].task_id = "of an earlier task";
  queues_[0]->release(some);
  queues_[1]->release(some);
}

void Agreement::compare() {
  const std::vector<TopicPartition> partitions{{"t", 1}, {"t", 2}};
  ASSERT_EQ(queues_[0]->read_fences(partitions), queues_[1]->read_fences(partitions));
  for (const TopicPartition& partition : partitions) {
    const auto a = queues_[0]->read_cut(partition);
    const auto b = queues_[1]->read_cut(partition);
    ASSERT_EQ(a.has_value(), b.has_value());
    if (a) {
      ASSERT_EQ(a->last_pair, b->last_pair);
    }
  }
  const QueueReport a = queues_[0]->report();
  const QueueReport b = queues_[1]->report();
  ASSERT_EQ(a.held, b.held);
  ASSERT_EQ(a.signals_forgotten, b.signals_forgotten);
}

TEST_F(Agreement, OfRedisAndTheBookOnRandomCalls) {
  for (int call = 0; call < kCalls && !HasFatalFailure(); ++call) {
    SCOPED_TRACE(call);
    claim_something();
    if (!HasFatalFailure() && chance(70)) work_something();
    if (!HasFatalFailure() && chance(40)) settle_something();
    if (!HasFatalFailure() && chance(10)) release_something();
    if (!HasFatalFailure()) compare();
  }
  ASSERT_EQ(redis_.outcomes(), book_.outcomes());
  for (const TriggerOutcome outcome :
       {TriggerOutcome::Enqueued, TriggerOutcome::Held, TriggerOutcome::Busy,
        TriggerOutcome::QueueFull, TriggerOutcome::Duplicate}) {
    EXPECT_GT(std::ranges::count(outcomes_, outcome), 100) << name_of(outcome);
  }
}

}  // namespace
}  // namespace signalbox
