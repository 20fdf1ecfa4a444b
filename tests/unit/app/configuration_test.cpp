#include "app/configuration.hpp"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Variables = Environment::Variables;
using Words = std::vector<std::string>;

std::expected<Loaded<DispatcherConfig>, ConfigError> dispatcher(const Variables& variables,
                                                                const Words& arguments = {}) {
  return parse_command_line<DispatcherConfig>(arguments, Environment{variables}, "");
}

TEST(DispatcherConfig, ShipsWithTheDefaultsOfTheOriginal) {
  const DispatcherConfig config = dispatcher({}).value().config;
  EXPECT_EQ(config.kafka.broker, "kafka:9092");
  EXPECT_EQ(config.kafka.group_id, "roottrading");
  EXPECT_EQ(config.redis.host, "redis");
  EXPECT_EQ(config.redis.port, 6379);
  EXPECT_EQ(config.postgres.host, "db");
  EXPECT_EQ(config.postgres.password.reveal(), "postgres");
  EXPECT_EQ(config.postgres.database, "trading");
  EXPECT_EQ(config.common.port, 5004);
  EXPECT_EQ(config.common.bind, "0.0.0.0");
  EXPECT_THAT(config.symbols, IsEmpty());
  EXPECT_TRUE(config.runs(LaneName::Redis));
  EXPECT_TRUE(config.runs(LaneName::Postgres));
  EXPECT_EQ(config.mode, RunMode::Live);
}

TEST(DispatcherConfig, StartsRedisAtTheEndAndPostgresAtTheBeginningUnlessTold) {
  const DispatcherConfig unset = dispatcher({}).value().config;
  EXPECT_EQ(unset.first_start(LaneName::Redis), StartAt::Latest);
  EXPECT_EQ(unset.first_start(LaneName::Postgres), StartAt::Earliest);
  const auto told = dispatcher({{"KAFKA_AUTO_OFFSET_RESET", "Earliest"}}).value().config;
  EXPECT_EQ(told.first_start(LaneName::Redis), StartAt::Earliest);
}

TEST(DispatcherConfig, TrimsSymbolsAndPutsThemInLowerCase) {
  EXPECT_THAT(
      dispatcher({{"TRADING_SYMBOLS", " BTCUSDC, ethusdc ,,btcusdc"}}).value().config.symbols,
      ElementsAre("btcusdc", "ethusdc"));
  EXPECT_THAT(dispatcher({{"SYMBOLS", "a"}, {"TRADING_SYMBOLS", "b"}}).value().config.symbols,
              ElementsAre("a"));
  EXPECT_THAT(dispatcher({{"SYMBOLS", " , "}}).value().config.symbols, IsEmpty());
}

TEST(DispatcherConfig, RefusesASymbolThatIsNone) {
  EXPECT_THAT(dispatcher({{"SYMBOLS", "btc/usdc"}}).error().text(),
              HasSubstr("SYMBOLS: found \"btc/usdc\" (environment), accepted is a comma-separated "
                        "list of symbols"));
}

TEST(DispatcherConfig, RunsTheLanesThatAreNamed) {
  const DispatcherConfig config = dispatcher({{"LANES", "Postgres"}}).value().config;
  EXPECT_FALSE(config.runs(LaneName::Redis));
  EXPECT_TRUE(config.runs(LaneName::Postgres));
  EXPECT_THAT(dispatcher({{"LANES", "redis,mysql"}}).error().text(),
              HasSubstr("LANES: found \"redis,mysql\" (environment), accepted is a "
                        "comma-separated list of redis, postgres"));
}

TEST(DispatcherConfig, LetsTheRedisUrlWinAndSaysSo) {
  const auto loaded = dispatcher({{"REDIS_URL", "redis://:hunter2@cache:6380/3"},
                                  {"REDIS_HOST", "other"},
                                  {"REDIS_DB", "5"}})
                          .value();
  EXPECT_EQ(loaded.config.redis.host, "cache");
  EXPECT_EQ(loaded.config.redis.port, 6380);
  EXPECT_EQ(loaded.config.redis.password.reveal(), "hunter2");
  EXPECT_EQ(loaded.config.redis.db, 3);
  EXPECT_THAT(loaded.notes,
              ElementsAre(ConfigNote{"redis_url_used",
                                     "REDIS_URL names cache:6380, database 3; it wins over "
                                     "REDIS_HOST REDIS_DB"}));
}

TEST(DispatcherConfig, KeepsWhatTheRedisUrlLeavesOut) {
  const auto config =
      dispatcher({{"REDIS_URL", "redis://cache"}, {"REDIS_PASSWORD", "hunter2"}, {"REDIS_DB", "5"}})
          .value()
          .config;
  EXPECT_EQ(config.redis.password.reveal(), "hunter2");
  EXPECT_EQ(config.redis.db, 5);
}

TEST(DispatcherConfig, NeverShowsARedisUrl) {
  const auto error = dispatcher({{"REDIS_URL", "redis://:hunter2@cache:port"}}).error().text();
  EXPECT_THAT(error, HasSubstr("REDIS_URL: found a malformed host or port, accepted is redis://"));
  EXPECT_THAT(error, Not(HasSubstr("hunter2")));
}

TEST(DispatcherConfig, RefusesABrokerThatIsNone) {
  EXPECT_EQ(dispatcher({{"KAFKA_BROKER", "a:9092, b"}}).value().config.kafka.broker, "a:9092,b");
  for (const char* bad : {"kafka:", "kafka:x", "kafka:99999", ":9092", "a b:1", ","}) {
    EXPECT_FALSE(dispatcher({{"KAFKA_BROKER", bad}}).has_value()) << bad;
  }
}

TEST(DispatcherConfig, TakesItsFlags) {
  const DispatcherConfig config =
      dispatcher({{"DISPATCHER_PORT", "6000"}, {"LOG_LEVEL", "error"}},
                 {"--port=6001", "--bind", "::1", "--log-level", "warn", "--shadow"})
          .value()
          .config;
  EXPECT_EQ(config.common.port, 6001);
  EXPECT_EQ(config.common.bind, "::1");
  EXPECT_EQ(config.common.log_level, LogLevel::Warning);
  EXPECT_EQ(config.mode, RunMode::Shadow);
}

TEST(UpConfig, ListensOnLoopbackAndTakesItsFlags) {
  const Words words{"--data", "here", "--speed", "600", "--port", "7000"};
  const UpConfig config = parse_command_line<UpConfig>(words, Environment{}, "").value().config;
  EXPECT_EQ(config.common.bind, "127.0.0.1");
  EXPECT_EQ(config.common.port, 7000);
  EXPECT_EQ(config.data, "here");
  EXPECT_EQ(config.speed, 600);
}

TEST(ParseCommandLine, GivesTheHelpOfItsService) {
  const auto loaded = dispatcher({}, {"--help"}).value();
  EXPECT_EQ(loaded.request, Request::Help);
  EXPECT_THAT(loaded.help, HasSubstr("Usage: signalbox dispatcher [flags]"));
}

TEST(ConfigMarkdown, IsWhatDocsConfigHolds) {
  std::ifstream file{SIGNALBOX_SOURCE_DIR "/docs/CONFIG.md"};
  std::ostringstream committed;
  committed << file.rdbuf();
  EXPECT_EQ(committed.str(), config_markdown())
      << "docs/CONFIG.md is stale: signalbox docs config > docs/CONFIG.md";
}

}  // namespace
}  // namespace signalbox
