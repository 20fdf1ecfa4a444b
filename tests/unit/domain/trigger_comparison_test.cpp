#include "domain/trigger_comparison.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

constexpr ComparisonTimes kTimes{.run_within = std::chrono::seconds{100},
                                 .shadow_behind = std::chrono::seconds{10}};

EventTime at(int second) { return EventTime{std::chrono::seconds{1'000 + second}}; }

ShadowOutcome ours(int second, const char* pair,
                   TriggerOutcome outcome = TriggerOutcome::Enqueued) {
  return {.at = at(second), .signal_key = "s", .pair = pair, .outcome = outcome};
}

OriginalRun run(int second, const char* pair) {
  return {.at = at(second), .id = "r", .pair = pair};
}

TEST(TriggerComparison, ARunAfterOurWordAgreesUpToTheTimeAllowed) {
  const std::vector shadow{ours(0, "p|A")};
  EXPECT_EQ(compare_trigger(shadow, std::vector{run(100, "p|A")}, kTimes).agreed, 1u);
  EXPECT_EQ(compare_trigger(shadow, std::vector{run(101, "p|A")}, kTimes).agreed, 0u);
  EXPECT_EQ(compare_trigger(shadow, std::vector{run(-10, "p|A")}, kTimes).agreed, 1u);
  EXPECT_EQ(compare_trigger(shadow, std::vector{run(-11, "p|A")}, kTimes).agreed, 0u);
}

TEST(TriggerComparison, ASecondRunOfTheSamePairIsARepeat) {
  const auto found =
      compare_trigger(std::vector{ours(0, "p|A"), ours(5, "p|A", TriggerOutcome::Busy)},
                      std::vector{run(1, "p|A"), run(6, "p|A")}, kTimes);
  EXPECT_EQ(found.agreed, 1u);
  ASSERT_EQ(found.only_original.size(), 1u);
  EXPECT_EQ(found.only_original[0].why, TriggerDifference::Repeat);
}

TEST(TriggerComparison, WhatWeRecordedExplainsARunOfTheOriginalAlone) {
  const auto found = compare_trigger(std::vector{ours(0, "p|A", TriggerOutcome::BelowConfidence)},
                                     std::vector{run(1, "p|A"), run(1, "p|B")}, kTimes);
  ASSERT_EQ(found.only_original.size(), 2u);
  EXPECT_EQ(found.only_original[0].why, TriggerDifference::OtherOutcome);
  EXPECT_EQ(found.only_original[0].ours, TriggerOutcome::BelowConfidence);
  EXPECT_EQ(found.only_original[1].why, TriggerDifference::NotWatched);
}

TEST(TriggerComparison, ATaskOfOursWithoutARunIsOursAlone) {
  const auto found = compare_trigger(
      std::vector{ours(0, "p|A"), ours(1, "p|B", TriggerOutcome::Busy)}, {}, kTimes);
  ASSERT_EQ(found.only_ours.size(), 1u);
  EXPECT_EQ(found.only_ours[0].pair, "p|A");
}

TEST(TriggerComparison, RunsTakeOutcomesInOrderOfTimeWhateverTheOrderGiven) {
  const auto found = compare_trigger(std::vector{ours(50, "p|A"), ours(0, "p|A")},
                                     std::vector{run(120, "p|A"), run(90, "p|A")}, kTimes);
  EXPECT_EQ(found.agreed, 2u);
}

}  // namespace
}  // namespace signalbox
