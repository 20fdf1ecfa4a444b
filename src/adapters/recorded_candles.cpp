#include "adapters/recorded_candles.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <tuple>

#include "domain/number_text.hpp"
#include "domain/routing.hpp"
#include "domain/text.hpp"

// The file itself, between two labels in the read-only data.
__asm__(
    ".section .rodata\n"
    ".global signalbox_recorded_candles\n"
    ".global signalbox_recorded_candles_end\n"
    "signalbox_recorded_candles:\n"
    ".incbin \"" SIGNALBOX_RECORDED_CANDLES
    "\"\n"
    "signalbox_recorded_candles_end:\n"
    ".byte 0\n"
    ".previous\n");

extern "C" const char signalbox_recorded_candles[];
extern "C" const char signalbox_recorded_candles_end[];

namespace signalbox {
namespace {

constexpr std::string_view kHead = "open_time,symbol,timeframe,open,high,low,close,volume";
constexpr std::size_t kColumns = 8;
/// A recording that is larger is not one of ours.
constexpr std::size_t kTextMax = 256'000'000;

/// Frees what zlib holds, whatever happens.
struct Inflater {
  Inflater() {
    constexpr int kGzip = 15 + 16;
    if (inflateInit2(&stream, kGzip) != Z_OK) throw std::runtime_error("zlib does not start");
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
};

std::vector<char> unpack(std::string_view gzipped) {
  Inflater inflater;
  // zlib reads through a pointer to what it calls non-const, and does not write there.
  std::vector<Bytef> input(gzipped.begin(), gzipped.end());
  inflater.stream.next_in = input.data();
  inflater.stream.avail_in = static_cast<uInt>(input.size());
  std::vector<char> text;
  std::array<Bytef, 65'536> chunk;
  int result = Z_OK;
  while (result != Z_STREAM_END) {
    inflater.stream.next_out = chunk.data();
    inflater.stream.avail_out = chunk.size();
    result = inflate(&inflater.stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END) {
      throw std::runtime_error("the recording is not a whole gzip file");
    }
    text.insert(text.end(), chunk.begin(), chunk.end() - inflater.stream.avail_out);
    if (text.size() > kTextMax) throw std::runtime_error("the recording is too large");
  }
  return text;
}

bool is_number(std::string_view text) { return number_shape(text) != NumberShape::NotANumber; }

RecordedCandle candle_from(std::string_view line, std::size_t number) {
  std::array<std::string_view, kColumns> columns;
  std::size_t count = 0;
  for_each_part(line, ',', [&](std::string_view part) {
    if (count < kColumns) columns[count] = part;
    ++count;
  });
  const auto seconds = integer_from<std::int64_t>(columns[0]);
  const auto timeframe = timeframe_from(columns[2]);
  const bool has_numbers = std::all_of(columns.begin() + 3, columns.end(), is_number);
  if (count != kColumns || !seconds || !is_symbol(columns[1]) || !timeframe || !has_numbers) {
    throw std::runtime_error("line " + std::to_string(number) + " of the recording: `" +
                             std::string(line.substr(0, 200)) + "`");
  }
  return {.open_time = EventTime{std::chrono::seconds{*seconds}},
          .symbol = columns[1],
          .timeframe = *timeframe,
          .open = columns[3],
          .high = columns[4],
          .low = columns[5],
          .close = columns[6],
          .volume = columns[7]};
}

}  // namespace

RecordedCandles RecordedCandles::built_in() {
  return RecordedCandles{{signalbox_recorded_candles, signalbox_recorded_candles_end}};
}

RecordedCandles::RecordedCandles(std::string_view gzipped_csv) : text_(unpack(gzipped_csv)) {
  std::size_t number = 0;
  for_each_part({text_.data(), text_.size()}, '\n', [&](std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (number == 1 && line != kHead) {
      throw std::runtime_error("a recording begins with `" + std::string(kHead) + "`");
    }
    if (number > 1 && !line.empty()) candles_.push_back(candle_from(line, number));
  });
  std::ranges::stable_sort(candles_, {}, [](const RecordedCandle& candle) {
    return std::tuple{candle.open_time, candle.symbol};
  });
}

}  // namespace signalbox
