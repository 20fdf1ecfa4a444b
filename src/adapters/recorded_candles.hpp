#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/recorded_candle.hpp"

namespace signalbox {

/// A recording in memory: the candles and the text that they point into. Move-only.
class RecordedCandles {
 public:
  /// The recording that is compiled into the binary (data/README.md).
  static RecordedCandles built_in();

  /// Unpacks and reads a gzipped CSV file as data/README.md describes it. Throws
  /// std::runtime_error naming the line that is wrong.
  explicit RecordedCandles(std::string_view gzipped_csv);

  RecordedCandles(RecordedCandles&&) = default;
  RecordedCandles& operator=(RecordedCandles&&) = default;

  /// In order of time, then symbol.
  const std::vector<RecordedCandle>& candles() const { return candles_; }

 private:
  std::vector<char> text_;  // not a string: moving a short one would move its characters
  std::vector<RecordedCandle> candles_;
};

}  // namespace signalbox
