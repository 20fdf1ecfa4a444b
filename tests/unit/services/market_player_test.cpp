#include "services/market_player.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "adapters/embedded_producer.hpp"
#include "adapters/embedded_source.hpp"
#include "ports/io_error.hpp"
#include "support/manual_clock.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr EventTime kStart{1'515'560'100'000ms};

RecordedCandle candle(std::string_view symbol, int number) {
  return {.open_time = kStart + number * 5min,
          .symbol = symbol,
          .timeframe = Timeframe::M5,
          .open = "1",
          .high = "4",
          .low = "0.5",
          .close = "2",
          .volume = "10"};
}

/// Three candles of two open times.
const std::vector<RecordedCandle> kRecording{candle("ADABTC", 0), candle("ETHBTC", 0),
                                             candle("ADABTC", 1)};

/// A log in a file, whose producer can be made to fail.
class MarketPlayerTest : public testing::Test {
 protected:
  class Producer final : public MessageProducer {
   public:
    explicit Producer(EmbeddedLog& log) : inner_(log) {}
    void produce(std::span<const OutgoingMessage> messages) override {
      if (std::exchange(fail_next, false)) throw IoError("sqlite", "planned");
      inner_.produce(messages);
    }
    bool fail_next = false;

   private:
    EmbeddedProducer inner_;
  };

  std::unique_ptr<EmbeddedSource> reader(const std::string& topics, const std::string& group) {
    return std::make_unique<EmbeddedSource>(
        log, clock,
        EmbeddedSourceOptions{
            .group = group, .topics = {topics}, .heartbeats = Heartbeats::WithPoll});
  }

  /// One run of the program: so many steps.
  MarketPlayerStatus play(int steps) {
    const auto places = reader("signalbox.player", "player");
    MarketPlayer player{{producer, *places, clock}, kRecording, options};
    int done = 0;
    for (int tries = 0; done < steps && tries < steps + 10; ++tries) {
      if (player.step() == Step::Done) ++done;
    }
    EXPECT_EQ(done, steps);
    return player.status();
  }

  /// `symbol open_time` of every candle in the log, by topic.
  std::vector<std::string> played() {
    const auto source = reader("^market\\.data\\..*$", "reader");
    for (const TopicPartition& partition : source->poll({}, 0ms).assigned) {
      source->begin(partition, Offset{0});
    }
    std::vector<std::string> candles;
    for (Polled polled = source->poll({}, 0ms); !polled.batch.empty();
         polled = source->poll({}, 0ms)) {
      for (const signalbox::Run& run : polled.batch.runs) {
        for (const Message& message : run.messages) {
          const std::string payload{message.payload};
          const std::size_t time = payload.find("\"time\": ") + 8;
          const EventTime open{1ms * std::stoll(payload.substr(time))};
          candles.push_back(run.partition.topic + " +" + std::to_string((open - kStart) / 1min) +
                            "min");
        }
      }
    }
    return candles;
  }

  TemporaryFolder folder;
  ManualClock clock;
  EmbeddedLog log{{.file = folder / "log.db"}};
  Producer producer{log};
  MarketPlayerOptions options;
};

TEST_F(MarketPlayerTest, AStepPlaysTheCandlesOfOneOpenTime) {
  const MarketPlayerStatus status = play(1);

  EXPECT_THAT(played(), ElementsAre("market.data.adabtc.5m +0min", "market.data.ethbtc.5m +0min"));
  EXPECT_EQ(status.played, 2U);
  EXPECT_EQ(status.open_time, kStart);
}

TEST_F(MarketPlayerTest, GoesOnWhereAnEarlierRunStopped) {
  play(1);
  const MarketPlayerStatus status = play(1);

  EXPECT_THAT(played(), ElementsAre("market.data.adabtc.5m +0min", "market.data.adabtc.5m +5min",
                                    "market.data.ethbtc.5m +0min"));
  EXPECT_EQ(status.played, 3U);
}

TEST_F(MarketPlayerTest, TheNextRoundGoesOnInTimeByTheLengthOfTheRecording) {
  const MarketPlayerStatus status = play(4);

  EXPECT_THAT(played(), ElementsAre("market.data.adabtc.5m +0min", "market.data.adabtc.5m +5min",
                                    "market.data.adabtc.5m +10min", "market.data.adabtc.5m +15min",
                                    "market.data.ethbtc.5m +0min", "market.data.ethbtc.5m +10min"));
  EXPECT_EQ(status.round, 1U);
}

TEST_F(MarketPlayerTest, TimesBeginAgainBeforeTheyReachTheirBound) {
  options.times_stay_before = kStart + 25min;  // a third round would end after it
  play(5);

  EXPECT_EQ(played().at(4), "market.data.adabtc.5m +0min");
}

TEST_F(MarketPlayerTest, AStepThatFailsIsPlayedAgain) {
  const auto places = reader("signalbox.player", "player");
  MarketPlayer player{{producer, *places, clock}, kRecording, options};
  producer.fail_next = true;
  EXPECT_EQ(player.step(), Step::Failed);
  EXPECT_EQ(player.status().last_error, "sqlite: planned");
  EXPECT_THAT(played(), IsEmpty());

  EXPECT_EQ(player.step(), Step::Done);
  EXPECT_EQ(player.status().last_error, "");
  EXPECT_EQ(played().size(), 2U);
}

/// Falls, and rises with its fourth candle.
std::vector<RecordedCandle> turning_recording() {
  std::vector<RecordedCandle> recording;
  for (int i = 0; i < 6; ++i) recording.push_back(candle("ADABTC", i));
  const std::array closes{"5", "4", "3", "6", "7", "8"};
  for (std::size_t i = 0; i < closes.size(); ++i) recording[i].close = closes[i];
  return recording;
}

TEST_F(MarketPlayerTest, ASignalComesWithItsCandleOnceWhateverFails) {
  const std::vector<RecordedCandle> recording = turning_recording();
  const CandleSignalRules rules{.crosses = {{.short_span = 1, .long_span = 2}},
                                .rsi_period = 1'000};
  for (int start = 0; start < 5; ++start) {  // each plays two open times, and fails between
    const auto places = reader("signalbox.player", "player");
    SignalMaker maker{rules};
    MarketPlayer player{{producer, *places, clock, &maker}, recording, options};
    while (player.step() == Step::Idle) {
    }
    producer.fail_next = true;
    EXPECT_EQ(player.step(), Step::Failed);
    EXPECT_EQ(player.step(), Step::Done);
  }
  const auto signals = reader("trading-signals", "counter");
  const auto ranges = signals->ranges(signals->all_partitions());
  ASSERT_EQ(ranges.size(), 1U);
  // The last starts are in the second round, which begins without a past and crosses once again.
  EXPECT_EQ(ranges.begin()->second.end, Offset{2});
}

}  // namespace
}  // namespace signalbox
