#include "services/signal_maker.hpp"

#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "domain/text.hpp"

namespace signalbox {
namespace {

/// A price of a recording; the recording's own reader has seen that it is a number.
double value_of(NumberText number) {
  double value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value;
}

void append_number(std::string& out, double value, int digits) {
  char text[64];
  const auto [end, error] =
      std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, digits);
  out.append(text, end);
}

std::string number(double value, int digits) {
  std::string text;
  append_number(text, value, digits);
  return text;
}

/// The moment at which the candle was known.
std::string close_seconds(const RecordedCandle& candle) {
  const EventTime closed = candle.open_time + length_of(candle.timeframe);
  std::string text;
  append_integer(text, std::chrono::floor<std::chrono::seconds>(closed).time_since_epoch().count());
  return text;
}

std::string spans_text(const CandleSignal& signal, std::string_view separator) {
  if (!signal.spans) return {};
  std::string text{separator};
  append_integer(text, signal.spans->short_span);
  text.append(separator);
  append_integer(text, signal.spans->long_span);
  return text;
}

std::string id_of(const CandleSignal& signal, const RecordedCandle& candle, std::uint64_t round) {
  std::string id{name_of(signal.kind)};
  id.append(spans_text(signal, "-")).append("-").append(candle.symbol).append("-");
  id.append(close_seconds(candle));
  if (round > 0) id.append("-").append(std::to_string(round));
  return id;
}

std::string reasoning_of(const CandleSignal& signal) {
  if (signal.spans) {
    const auto spans = std::pair{std::to_string(signal.spans->short_span),
                                 std::to_string(signal.spans->long_span)};
    return "SMA " + spans.first + " (" + number(signal.short_average, 8) + ") has crossed SMA " +
           spans.second + " (" + number(signal.long_average, 8) + ")";
  }
  return "RSI is at " + number(signal.rsi, 1);
}

std::string metadata_of(const CandleSignal& signal, const RecordedCandle& candle) {
  std::string json = "{\"timeframe\": \"";
  json.append(name_of(candle.timeframe)).append("\", \"current_price\": ").append(candle.close);
  if (signal.spans) {
    json.append(", \"sma_short\": ");
    append_integer(json, signal.spans->short_span);
    json.append(", \"sma_long\": ");
    append_integer(json, signal.spans->long_span);
    json.append(", \"current_sma_short\": ");
    append_number(json, signal.short_average, 10);
    json.append(", \"current_sma_long\": ");
    append_number(json, signal.long_average, 10);
  } else {
    json.append(", \"rsi\": ");
    append_number(json, signal.rsi, 2);
  }
  return json += '}';
}

/// What a generator of the original writes, in its order.
MadeSignal made(const CandleSignal& signal, const RecordedCandle& candle, std::uint64_t round) {
  const std::string_view name = name_of(signal.kind);
  std::string json = "{\"signal_id\": \"";
  json.append(id_of(signal, candle, round)).append("\", \"signal_type\": \"").append(name);
  json.append("\", \"source\": \"signalbox_up\", \"timestamp\": ").append(close_seconds(candle));
  json.append(", \"tickers\": [{\"ticker\": \"").append(candle.symbol);
  json.append("\", \"signal\": \"").append(bias_of(signal.kind)).append("\", \"confidence\": ");
  append_number(json, signal.confidence, 1);
  json.append(", \"reasoning\": \"").append(reasoning_of(signal)).append("\"}], \"metadata\": ");
  json.append(metadata_of(signal, candle)).append("}");
  std::string title{name};
  title.append(spans_text(signal, " ")).append(" ").append(candle.symbol).append(" ");
  append_number(title, signal.confidence, 0);
  return {.key = std::string(name), .payload = std::move(json), .title = std::move(title)};
}

}  // namespace

void SignalMaker::begin_after(std::span<const RecordedCandle> candles) {
  by_symbol_.clear();
  for (const RecordedCandle& candle : candles) {
    signals_of(candle.symbol).add(value_of(candle.close));
  }
}

std::vector<MadeSignal> SignalMaker::hear(const RecordedCandle& candle, std::uint64_t round) {
  std::vector<MadeSignal> signals;
  for (const CandleSignal& signal : signals_of(candle.symbol).add(value_of(candle.close))) {
    signals.push_back(made(signal, candle, round));
  }
  return signals;
}

CandleSignals& SignalMaker::signals_of(std::string_view symbol) {
  const auto found = by_symbol_.find(symbol);
  if (found != by_symbol_.end()) return found->second;
  return by_symbol_.emplace(symbol, CandleSignals{rules_}).first->second;
}

}  // namespace signalbox
