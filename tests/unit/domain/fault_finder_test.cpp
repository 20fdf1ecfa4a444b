#include "domain/fault_finder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace signalbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;
using enum TrialOutcome::Kind;

std::vector<std::size_t> rows_up_to(std::size_t count) {
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

/// A store that refuses these rows and counts how often it was asked.
struct Store {
  std::set<std::size_t> poison;
  std::size_t trials = 0;

  TrialOutcome operator()(std::span<const std::size_t> rows) {
    ++trials;
    const auto bad =
        std::ranges::find_if(rows, [&](std::size_t row) { return poison.contains(row); });
    if (bad == rows.end()) return {Passed, {}};
    return {RowFault, "row " + std::to_string(*bad)};
  }
};

TEST(FaultFinder, FindsThreePoisonRowsAmongFiveHundredInFewTrials) {
  Store store{{0, 250, 499}};
  const auto found = find_faults(rows_up_to(500), std::ref(store));
  EXPECT_THAT(found.faults, ElementsAre(FaultyRow{0, "row 0"}, FaultyRow{250, "row 250"},
                                        FaultyRow{499, "row 499"}));
  EXPECT_TRUE(found.others_pass);
  EXPECT_THAT(store.trials, Le(3 * 10 + 1));
}

TEST(FaultFinder, BlamesNobodyWhenEverythingPassesTheSecondTime) {
  Store store{};
  EXPECT_THAT(find_faults(rows_up_to(10), std::ref(store)).faults, IsEmpty());
  EXPECT_EQ(store.trials, 1);
}

TEST(FaultFinder, SaysThatNoOtherRowPassed) {
  Store store{{7}};
  const std::vector<std::size_t> rows{7};
  const auto found = find_faults(rows, std::ref(store));
  EXPECT_THAT(found.faults, ElementsAre(FaultyRow{7, "row 7"}));
  EXPECT_FALSE(found.others_pass);
}

TEST(FaultFinder, GivesUpEarlyWhileNothingPasses) {
  const auto rows = rows_up_to(500);
  Store store{{rows.begin(), rows.end()}};
  const auto found = find_faults(rows, std::ref(store));
  EXPECT_THAT(found.faults, SizeIs(8));
  EXPECT_FALSE(found.others_pass);
}

TEST(FaultFinder, OfTwoRowsThatClashTheLaterOneIsAtFault) {
  const auto trial = [](std::span<const std::size_t> rows) -> TrialOutcome {
    const bool both =
        std::ranges::find(rows, 2U) != rows.end() && std::ranges::find(rows, 5U) != rows.end();
    return both ? TrialOutcome{RowFault, "clash"} : TrialOutcome{};
  };
  const auto found = find_faults(rows_up_to(8), trial);
  EXPECT_THAT(found.faults, ElementsAre(FaultyRow{5, "clash"}));
}

TEST(FaultFinder, StopsWhenTheStoreGoesAwayAndKeepsWhatItFound) {
  Store store{{0, 90}};
  const auto trial = [&](std::span<const std::size_t> rows) -> TrialOutcome {
    if (store.trials == 9) return {Unavailable, "gone"};
    return store(rows);
  };
  const auto found = find_faults(rows_up_to(100), trial);
  EXPECT_EQ(found.unavailable, "gone");
  EXPECT_THAT(found.faults, ElementsAre(FaultyRow{0, "row 0"}));
}

TEST(FaultFinder, NeverTriesMoreOftenThanItsLimit) {
  const auto rows = rows_up_to(400);
  Store store{{rows.begin() + 100, rows.end()}};
  const auto found = find_faults(rows, std::ref(store), {.trials_max = 50});
  EXPECT_THAT(store.trials, Le(50U));
  EXPECT_TRUE(found.others_pass);
  EXPECT_FALSE(found.faults.empty());
}

}  // namespace
}  // namespace signalbox
