#include "adapters/postgres_pipelines.hpp"

#include <gmock/gmock.h>

#include "adapters/postgres_notify.hpp"
#include "adapters/postgres_schema.hpp"
#include "contract/pipeline_store_suite.hpp"
#include "contract/platform_place.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kApple = R"({"tickers": ["AAPL"]})";

PostgresOptions options_of(PlatformDatabase& platform) {
  PostgresOptions options = platform.database().options();
  options.application_name = "store";
  return options;
}

class PostgresPipelinePlace final : public PipelinePlace {
 public:
  explicit PostgresPipelinePlace(Changes changes) : changes_(changes) {
    if (changes == Changes::NotTold) return;
    migrate(platform_.connection());
    install_notify(platform_.connection());
  }

  std::unique_ptr<PipelineStore> make_store() override {
    return std::make_unique<PostgresPipelines>(options_of(platform_));
  }
  void put(const StoredPipeline& pipeline) override { platform_.put(pipeline); }
  void remove(int number) override { platform_.remove(number); }
  Changes changes() const override { return changes_; }

 private:
  Changes changes_;
  PlatformDatabase platform_;
};

INSTANTIATE_TEST_SUITE_P(
    Postgres, PipelineStoreContract,
    testing::Values(
        PipelineStoreAdapter{"Notified",
                             [] { return std::make_unique<PostgresPipelinePlace>(Changes::Told); }},
        PipelineStoreAdapter{
            "Polled", [] { return std::make_unique<PostgresPipelinePlace>(Changes::NotTold); }}),
    pipeline_store_name);

class PostgresPipelinesTest : public testing::Test {
 protected:
  PostgresPipelinesTest() : store_(options_of(platform_)) { migrate(platform_.connection()); }

  PlatformDatabase platform_;
  PostgresPipelines store_;
};

TEST_F(PostgresPipelinesTest, NeedsTheRightToSelectOnly) {
  platform_.put({.number = 1, .scanner_config = kApple});
  const PostgresOptions guest = platform_.database().options_of_guest();
  platform_.connection().run_script("GRANT SELECT ON pipelines, scanners TO " + guest.user);
  PostgresPipelines store{guest};
  EXPECT_THAT(store.load().pipelines, SizeIs(1));
}

TEST_F(PostgresPipelinesTest, ThrowsWhereTheTablesAreMissing) {
  platform_.connection().run_script("DROP TABLE public.executions; DROP TABLE public.pipelines");
  EXPECT_THROW(store_.load(), IoError);
}

TEST_F(PostgresPipelinesTest, ALostListenerIsReplacedAndCountsAsAChange) {
  static_cast<void>(store_.load());
  EXPECT_TRUE(store_.is_listening());
  platform_.break_connections("store-listen");
  EXPECT_TRUE(store_.wait_for_change(milliseconds{10'000}, {}));
  EXPECT_TRUE(store_.is_listening());
  EXPECT_FALSE(store_.wait_for_change(milliseconds{50}, {}));
  install_notify(platform_.connection());
  platform_.put({.number = 1, .scanner_config = kApple});
  EXPECT_TRUE(store_.wait_for_change(milliseconds{10'000}, {}));
}

TEST_F(PostgresPipelinesTest, WaitsInVainWhileNobodyAnswers) {
  PostgresOptions nowhere = platform_.database().options();
  nowhere.port = 1;
  PostgresPipelines store{nowhere};
  EXPECT_THROW(store.load(), IoError);
  EXPECT_FALSE(store.wait_for_change(milliseconds{20}, {}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(store.wait_for_change(milliseconds{60'000}, stop.get_token()));
}

TEST_F(PostgresPipelinesTest, TriggersAreInstalledAndRemovedOnce) {
  EXPECT_FALSE(has_notify(platform_.connection()));
  EXPECT_THAT(install_notify(platform_.connection()), SizeIs(3));
  EXPECT_TRUE(has_notify(platform_.connection()));
  EXPECT_THAT(install_notify(platform_.connection()), IsEmpty());
  EXPECT_THAT(remove_notify(platform_.connection()), SizeIs(3));
  EXPECT_FALSE(has_notify(platform_.connection()));
  EXPECT_THAT(remove_notify(platform_.connection()), IsEmpty());
}

TEST_F(PostgresPipelinesTest, WhoeverMayNotPutTriggersChangesNothing) {
  const PostgresOptions guest = platform_.database().options_of_guest();
  platform_.connection().run_script("GRANT CREATE, USAGE ON SCHEMA signalbox TO " + guest.user);
  PostgresConnection connection{guest};
  EXPECT_THROW(install_notify(connection), IoError);
  EXPECT_THAT(remove_notify(platform_.connection()), IsEmpty());
}

TEST_F(PostgresPipelinesTest, TheTriggersNeedNoRightOfThePlatformAndStandInNoAltersWay) {
  install_notify(platform_.connection());
  const PostgresOptions guest = platform_.database().options_of_guest();
  platform_.connection().run_script("GRANT SELECT, UPDATE ON scanners TO " + guest.user);
  PostgresConnection connection{guest};
  EXPECT_TRUE(connection.try_execute("UPDATE scanners SET is_active = true"));
  EXPECT_TRUE(
      platform_.connection().try_execute("ALTER TABLE pipelines ALTER COLUMN name TYPE text"));
  EXPECT_TRUE(
      platform_.connection().try_execute("ALTER TABLE pipelines DROP COLUMN "
                                         "scanner_tickers"));
}

TEST_F(PostgresPipelinesTest, ADirectConnectionHearsNotifications) {
  EXPECT_TRUE(try_notifications(options_of(platform_), milliseconds{10'000}));
}

}  // namespace
}  // namespace signalbox
