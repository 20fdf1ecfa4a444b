#include "base/guarded.hpp"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.hpp"

namespace signalbox {
namespace {

TEST(Guarded, CopiesOutAndReplaces) {
  Guarded<std::string> name{"first"};
  EXPECT_EQ(name.copy(), "first");
  name.set("second");
  EXPECT_EQ(name.copy(), "second");
}

TEST(Guarded, ReturnsWhatTheActionReturns) {
  Guarded<std::vector<int>> numbers{{1, 2, 3}};
  EXPECT_EQ(numbers.with([](std::vector<int>& all) {
    all.push_back(4);
    return all.size();
  }),
            4U);
}

TEST(Guarded, HoldsWhatCannotBeCopied) {
  const Guarded<std::unique_ptr<int>> number{std::make_unique<int>(7)};
  EXPECT_EQ(number.with([](const std::unique_ptr<int>& held) { return *held; }), 7);
}

TEST(Guarded, LosesNoUpdateOfManyThreads) {
  Guarded<int> count{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&count] {
        for (int i = 0; i < 10'000; ++i) count.with([](int& value) { ++value; });
      });
    }
  }
  EXPECT_EQ(count.copy(), 40'000);
}

TEST(CheckDeathTest, SaysWhichConditionIsFalse) {
  EXPECT_DEATH(SB_CHECK(1 + 1 == 3), "check failed: 1 \\+ 1 == 3 \\(.*guarded_test.cpp:");
}

}  // namespace
}  // namespace signalbox
