#include "services/pipeline_keeper.hpp"

#include <stop_token>

#include <gtest/gtest.h>

#include "ports/io_error.hpp"
#include "support/manual_clock.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;

/// Tells of a change at once, a number of times; then stops the keeper.
class FakeStore final : public PipelineStore {
 public:
  LoadedPipelines load() override {
    ++loads;
    if (clock != nullptr) clock->advance(takes);
    if (fails) throw IoError("postgresql", "planned");
    return loaded;
  }
  bool wait_for_change(milliseconds, std::stop_token) override {
    if (changes == 0) {
      stop.request_stop();
      return false;
    }
    --changes;
    return true;
  }

  LoadedPipelines loaded;
  bool fails = false;
  int loads = 0;
  int changes = 0;
  ManualClock* clock = nullptr;  ///< moved by `takes` with each load
  milliseconds takes{0};
  std::stop_source stop;
};

struct Keeper {
  ManualClock clock;
  FakeStore store;
  CurrentPipelines current;
  PipelineKeeper keeper{{.store = store, .current = current, .clock = clock}, {}};
};

TEST(PipelineKeeper, PutsWhatItLoadedInPlaceAndSaysHowMuchWasMalformed) {
  Keeper k;
  k.store.loaded.malformed = {{"p1", "no tickers"}};
  EXPECT_EQ(k.keeper.step(), Step::Done);
  EXPECT_EQ(k.current.copy().malformed_rows, 1u);
  EXPECT_FALSE(why_unusable(k.current.copy(), k.clock.steady_now(), milliseconds{1}));
}

TEST(PipelineKeeper, ALoadThatFailsLeavesTheLastIndexWhoseAgeShows) {
  Keeper k;
  k.keeper.step();
  k.store.fails = true;
  k.clock.advance(milliseconds{2'000});
  EXPECT_EQ(k.keeper.step(), Step::Failed);
  const PipelineView view = k.current.copy();
  EXPECT_NE(view.index, nullptr);
  EXPECT_EQ(view.failed_loads, 1u);
  EXPECT_FALSE(why_unusable(view, k.clock.steady_now(), milliseconds{2'000}));
  EXPECT_TRUE(why_unusable(view, k.clock.steady_now(), milliseconds{1'999}));
}

TEST(PipelineKeeper, TheAgeOfTheIndexCountsFromTheQuestionNotFromASlowAnswer) {
  Keeper k;
  k.store.clock = &k.clock;
  k.store.takes = milliseconds{5'000};
  k.keeper.step();
  EXPECT_FALSE(why_unusable(k.current.copy(), k.clock.steady_now(), milliseconds{5'000}));
  EXPECT_TRUE(why_unusable(k.current.copy(), k.clock.steady_now(), milliseconds{4'999}));
}

TEST(PipelineKeeper, NothingIsMatchedBeforeTheFirstLoad) {
  const Keeper k;
  EXPECT_TRUE(why_unusable(k.current.copy(), k.clock.steady_now(), milliseconds{1'000'000}));
}

TEST(PipelineKeeper, ABurstOfChangesIsReloadedAFewTimesASecond) {
  Keeper k;
  k.store.changes = 5;
  k.keeper.run(k.store.stop.get_token());
  EXPECT_EQ(k.store.loads, 6);
  EXPECT_EQ(k.clock.waits, std::vector<milliseconds>(5, milliseconds{100}));
}

}  // namespace
}  // namespace signalbox
