// The embedded parts together, as a lane uses them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/embedded_bus_sink.hpp"
#include "adapters/embedded_producer.hpp"
#include "adapters/embedded_source.hpp"
#include "adapters/recorded_candles.hpp"
#include "adapters/sqlite_sink.hpp"
#include "adapters/wire_json.hpp"
#include "base/latency.hpp"
#include "services/delivery_lane.hpp"
#include "services/market_player.hpp"
#include "support/manual_clock.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

/// One run of a lane over the embedded log, until nothing is left to do.
class EmbeddedSetTest : public testing::Test {
 protected:
  LaneCounters run(Sink& sink, const std::string& lane, const std::vector<std::string>& topics) {
    EmbeddedSource source{log, clock, reading(topics, lane)};
    EmbeddedDeadLetters letters{log};
    JsonPayloadReader reader;
    LatencySummary delays;
    DeliveryLane loop{{.source = source,
                       .sink = sink,
                       .dead_letters = letters,
                       .reader = reader,
                       .clock = clock,
                       .delays = delays},
                      {.name = lane, .label = {}, .poll_wait = 0ms}};
    for (int idle = 0, steps = 0; idle < 3 && steps < 1'000; ++steps) {
      const Step step = loop.step();
      EXPECT_NE(step, Step::Failed);
      idle = step == Step::Idle ? idle + 1 : 0;
    }
    return loop.status().counters;
  }

  void play(int steps) {
    EmbeddedProducer producer{log};
    EmbeddedSource places{log, clock, reading({"signalbox.player"}, "player")};
    MarketPlayer player{{producer, places, clock}, recording.candles(), {}};
    for (int played = 0; played < steps;) {
      if (player.step() == Step::Done) ++played;
    }
  }

  static EmbeddedSourceOptions reading(const std::vector<std::string>& topics,
                                       const std::string& group) {
    return {.group = group, .topics = topics, .heartbeats = Heartbeats::WithPoll};
  }

  std::int64_t count(const std::string& what) {
    return SqliteDatabase{{.file = folder / "store.db"}}
        .prepare("SELECT " + what)
        .integer()
        .value();
  }

  const std::vector<std::string> market_data = market_data_patterns({});
  const RecordedCandles recording = RecordedCandles::built_in();
  TemporaryFolder folder;
  ManualClock clock;
  EmbeddedLog log{{.file = folder / "log.db"}};
  EmbeddedBus bus;
  SqliteSink rows{{.file = folder / "store.db", .group = "up-postgres"}};
  EmbeddedBusSink channels{bus, {.file = folder / "bus.db", .group = "up-redis"}};
};

TEST_F(EmbeddedSetTest, EveryRecordedCandleEndsOnceInEachLaneAcrossRestarts) {
  const auto subscriber = bus.subscribe({.pattern = "roottrading:market:data:ethbtc:5m"});
  for (int restart = 1; restart <= 3; ++restart) {
    play(20);
    EXPECT_EQ(run(rows, "postgres", market_data).delivered, 200U);
    EXPECT_EQ(run(channels, "redis", market_data).delivered, 200U);
    EXPECT_EQ(count("count(*) FROM market_data"), 200 * restart);
  }
  EXPECT_EQ(count("count(DISTINCT time_ms) FROM market_data"), 60);
  EXPECT_EQ(subscriber->take(1'000, 0ms).size(), 60U);
  EXPECT_THAT(*bus.last_value("roottrading:market:data:adabtc:5m").value().payload,
              HasSubstr("\"source\": \"recorded\""));
}

TEST_F(EmbeddedSetTest, ARefusedMessageEndsAsARowOfDeadLetters) {
  EmbeddedProducer{log}.produce(std::vector{
      OutgoingMessage{.topic = "market.data.ethbtc.5m",
                      .key = "ETHBTC",
                      .payload = "{\"open\": ",
                      .timestamp = std::chrono::floor<std::chrono::milliseconds>(clock.now())}});
  EXPECT_EQ(run(channels, "redis", market_data).rejected, 1U);

  EXPECT_EQ(run(rows, "postgres", {"signalbox.dead-letters"}).delivered, 1U);

  EXPECT_EQ(count("count(*) FROM dead_letters WHERE lane = 'redis' AND reason = 'not_json' "
                  "AND topic = 'market.data.ethbtc.5m' AND key = CAST('ETHBTC' AS BLOB)"),
            1);
}

}  // namespace
}  // namespace signalbox
