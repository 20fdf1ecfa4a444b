#include "adapters/recorded_candles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::SizeIs;
using testing::ThrowsMessage;

std::string gzipped(std::string text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(text.size() + 1'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

const std::string kHead = "open_time,symbol,timeframe,open,high,low,close,volume\n";

TEST(RecordedCandles, TheBuiltInOnesAreTenCoinsOverTwoWeeksInOrderOfTime) {
  const RecordedCandles recording = RecordedCandles::built_in();
  const std::vector<RecordedCandle>& candles = recording.candles();

  ASSERT_THAT(candles, SizeIs(42'569));
  EXPECT_TRUE(std::ranges::is_sorted(candles, {}, &RecordedCandle::open_time));
  EXPECT_EQ(candles.front().open_time, EventTime{1'515'560'100s});
  EXPECT_EQ(candles.back().open_time, EventTime{1'516'838'100s});
  EXPECT_EQ(candles.front().symbol, "ADABTC");
  EXPECT_EQ(candles.front().close, "0.0000529");
  std::set<std::string_view> symbols;
  for (const RecordedCandle& candle : candles) symbols.insert(candle.symbol);
  EXPECT_THAT(symbols, SizeIs(10));
}

TEST(RecordedCandles, ReadsAnyOrderAndLineEnd) {
  const RecordedCandles recording{
      gzipped("open_time,symbol,timeframe,open,high,low,close,volume\r\n"
              "1515560400,ETHBTC,5m,1,2,0.5,1.5,3\r\n"
              "1515560100,ETHBTC,5m,4,5,3.5,4.5,6")};

  ASSERT_THAT(recording.candles(), SizeIs(2));
  EXPECT_EQ(recording.candles()[0].open, "4");
  EXPECT_EQ(recording.candles()[1].volume, "3");
}

TEST(RecordedCandles, NamesTheLineThatIsWrong) {
  const auto reading = [](const std::string& line) {
    return [text = kHead + "1515560100,ETHBTC,5m,1,2,0.5,1.5,3\n" + line] {
      RecordedCandles{gzipped(text)};
    };
  };
  for (const char* line :
       {"yesterday,ETHBTC,5m,1,2,0.5,1.5,3", "1515560100,ETH/BTC,5m,1,2,0.5,1.5,3",
        "1515560100,ETHBTC,4m,1,2,0.5,1.5,3", "1515560100,ETHBTC,5m,1,2,0.5,1.5,much",
        "1515560100,ETHBTC,5m,1,2,0.5,1.5", "1515560100,ETHBTC,5m,1,2,0.5,1.5,3,4"}) {
    EXPECT_THAT(reading(line), ThrowsMessage<std::runtime_error>(HasSubstr("line 3"))) << line;
  }
}

TEST(RecordedCandles, RefusesWhatIsNoRecording) {
  EXPECT_THROW(RecordedCandles{"plain text"}, std::runtime_error);
  EXPECT_THROW(RecordedCandles{gzipped("time,price\n1,2\n")}, std::runtime_error);
  const std::string whole = gzipped(kHead);
  EXPECT_THROW(RecordedCandles{whole.substr(0, whole.size() - 6)}, std::runtime_error);
}

}  // namespace
}  // namespace signalbox
