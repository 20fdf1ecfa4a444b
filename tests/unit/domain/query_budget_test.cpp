#include "domain/query_budget.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using TimePoint = QueryBudget::TimePoint;

constexpr TimePoint kStart{100h};
constexpr microseconds kWork = 500us;  // what a batch takes

/// What a service did that asks the budget before each batch, and a query for each.
struct Served {
  std::vector<TimePoint> queries;
  std::vector<microseconds> delays;  // of each signal, from its arrival until its batch is taken
  microseconds longest_wait{0};

  double queries_a_second(TimePoint from, TimePoint to) const {
    const auto count = std::ranges::count_if(
        queries, [&](TimePoint query) { return query >= from && query < to; });
    return static_cast<double>(count) / std::chrono::duration<double>(to - from).count();
  }
  double share_delayed() const {
    const auto count =
        std::ranges::count_if(delays, [](microseconds delay) { return delay > 10 * kWork; });
    return static_cast<double>(count) / static_cast<double>(delays.size());
  }
};

Served serve(const std::vector<TimePoint>& arrivals, const QueryBudget::Limits& limits = {}) {
  QueryBudget budget(limits);
  Served run;
  TimePoint now = kStart;
  std::size_t next = 0;
  while (next < arrivals.size()) {
    now = std::max(now, arrivals[next]);
    const microseconds wait = budget.wait(now);
    run.longest_wait = std::max(run.longest_wait, wait);
    now += wait;
    std::uint64_t taken = 0;
    for (; next < arrivals.size() && arrivals[next] <= now; ++next, ++taken) {
      run.delays.push_back(std::chrono::ceil<microseconds>(now - arrivals[next]));
    }
    budget.took(taken, now);
    budget.queried(now);
    run.queries.push_back(now);
    now += kWork;
  }
  return run;
}

std::vector<TimePoint> poisson(double a_second, std::chrono::seconds duration) {
  std::mt19937 random(7);
  std::exponential_distribution<double> gap(a_second);
  std::vector<TimePoint> arrivals;
  std::chrono::duration<double> at{gap(random)};
  for (; at < duration; at += std::chrono::duration<double>(gap(random))) {
    arrivals.push_back(kStart + std::chrono::duration_cast<TimePoint::duration>(at));
  }
  return arrivals;
}

TEST(QueryBudget, AQuietServiceWaitsForNothing) {
  for (const double rate : {1.0, 50.0, 80.0, 100.0}) {
    const Served run = serve(poisson(rate, 60s));
    EXPECT_LT(run.share_delayed(), 0.001) << rate << " signals/s";
  }
}

TEST(QueryBudget, LoadCostsNoMoreThanItsQueries) {
  for (const double rate : {300.0, 1'000.0, 10'000.0}) {
    const Served run = serve(poisson(rate, 20s));
    EXPECT_LE(run.queries_a_second(kStart + 1s, kStart + 20s), 30.2) << rate << " signals/s";
    EXPECT_GE(run.queries_a_second(kStart + 1s, kStart + 20s), 25) << rate << " signals/s";
    for (auto second = 1s; second < 20s; ++second) {
      EXPECT_LE(run.queries_a_second(kStart + second, kStart + second + 1s), 31) << rate;
    }
    EXPECT_LE(run.longest_wait, 33'334us) << rate << " signals/s";
    EXPECT_LE(std::ranges::max(run.delays), 34'500us) << rate << " signals/s";
  }
}

TEST(QueryBudget, TheBeginningOfALoadCostsLittleMore) {
  for (const double rate : {1'000.0, 10'000.0}) {
    EXPECT_LE(serve(poisson(rate, 1s)).queries.size(), 30U + 55U) << rate << " signals/s";
  }
}

TEST(QueryBudget, ABurstAfterSilenceIsTakenAtOnceAndPaidForAfterwards) {
  std::vector<TimePoint> arrivals;
  for (int second = 0; second < 20; ++second) {  // 1,000 at once, each second
    arrivals.insert(arrivals.end(), 1'000, kStart + std::chrono::seconds(second));
  }
  const Served bursts = serve(arrivals);
  EXPECT_EQ(bursts.queries.size(), 20U);
  EXPECT_EQ(std::ranges::max(bursts.delays), 0us);
}

TEST(QueryBudget, SecondsAfterALoadTheServiceIsQuietAgain) {
  QueryBudget budget({});
  TimePoint now = kStart;
  for (int batch = 0; batch < 100; ++batch, now += 33ms) {
    budget.took(500, now);
    budget.queried(now);
  }
  EXPECT_GT(budget.wait(now), 0us);
  now += 1s;
  for (int signal = 0; signal < 20; ++signal, now += 10ms) {
    EXPECT_EQ(budget.wait(now), 0us) << signal;
    budget.took(1, now);
    budget.queried(now);
  }
}

TEST(QueryBudget, BatchesThatAskNothingAreNotHeldBack) {
  QueryBudget budget({});
  TimePoint now = kStart;
  for (int batch = 0; batch < 1'000; ++batch, now += 1ms) {
    EXPECT_EQ(budget.wait(now), 0us) << batch;
    budget.took(10, now);
  }
}

TEST(QueryBudget, ABudgetOfItsOwnIsKept) {
  const Served run = serve(poisson(2'000, 20s), {.queries_per_second = 5});
  EXPECT_LE(run.queries_a_second(kStart + 1s, kStart + 20s), 5.1);
  EXPECT_LE(run.longest_wait, 200'001us);
}

TEST(QueryBudget, WithoutQuietSignalsTheBudgetAloneDecides) {
  const Served run = serve(poisson(80, 20s), {.quiet_signals_per_second = 0});
  EXPECT_LE(run.queries_a_second(kStart + 1s, kStart + 20s), 30.2);
}

TEST(QueryBudget, AClockThatStandsStillOrJumpsBackHoldsNothingUpForLong) {
  QueryBudget budget({});
  for (int batch = 0; batch < 1'000; ++batch) {
    budget.took(100, kStart);
    budget.queried(kStart);
    EXPECT_LE(budget.wait(kStart), 33'334us);
  }
  const TimePoint before = kStart - 1h;
  EXPECT_EQ(budget.wait(before), 0us);
  budget.took(100, before);
  budget.queried(before);
  EXPECT_GT(budget.wait(before), 0us);
  EXPECT_EQ(budget.wait(before + 34ms), 0us);
  // A jump forward saves up no more than a pause does.
  Served after;
  TimePoint now = kStart + 1'000h;
  for (; now < kStart + 1'000h + 2s; now += 1ms) {
    if (budget.wait(now) > 0us) continue;
    budget.took(100, now);
    budget.queried(now);
    after.queries.push_back(now);
  }
  EXPECT_LE(after.queries.size(), 64U);
}

TEST(QueryBudget, WithoutABudgetABatchIsDueBySizeOrTimeout) {
  const QueryBudget::Limits original{.queries_per_second = 0};
  QueryBudget budget(original);
  EXPECT_EQ(budget.wait(kStart), 0us);
  budget.took(1, kStart);
  EXPECT_EQ(budget.wait(kStart), 500'000us);
  EXPECT_EQ(budget.wait(kStart + 400ms), 100'000us);
  EXPECT_EQ(budget.wait(kStart + 500ms), 0us);
  EXPECT_EQ(budget.wait(kStart - 1s), 0us);

  // 1,000 signals/s are a batch of 20 each 20 ms; 10 a second wait for the time-out.
  const Served fast = serve(poisson(1'000, 20s), original);
  EXPECT_NEAR(fast.queries_a_second(kStart + 1s, kStart + 20s), 50, 5);
  const Served slow = serve(poisson(10, 60s), original);
  EXPECT_LE(slow.queries_a_second(kStart + 1s, kStart + 60s), 2.01);
  EXPECT_LE(slow.longest_wait, 500'000us);
}

}  // namespace
}  // namespace signalbox
