#include "domain/recorded_candle.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

using namespace std::chrono_literals;

const RecordedCandle kCandle{.open_time = EventTime{1'515'560'100s},
                             .symbol = "ADABTC",
                             .timeframe = Timeframe::M5,
                             .open = "0.0000533",
                             .high = "0.0000533",
                             .low = "0.00005288",
                             .close = "0.0000529",
                             .volume = "431401.97869504"};

TEST(RecordedCandle, IsWordedAsALiveProducerDoes) {
  EXPECT_EQ(topic_of(kCandle), "market.data.adabtc.5m");
  EXPECT_EQ(live_payload(kCandle, ReceivedAt{1'761'573'420'112'999us}),
            R"({"symbol": "ADABTC", "timeframe": "5m", "time": 1515560100000, )"
            R"("close_time": 1515560399999, "open": 0.0000533, "high": 0.0000533, )"
            R"("low": 0.00005288, "close": 0.0000529, "volume": 431401.97869504, )"
            R"("is_closed": true, "source": "recorded", "timestamp": 1761573420.112})");
}

}  // namespace
}  // namespace signalbox
