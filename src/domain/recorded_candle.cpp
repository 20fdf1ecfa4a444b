#include "domain/recorded_candle.hpp"

#include <array>

#include "domain/text.hpp"

namespace signalbox {
namespace {

/// Seconds with milliseconds, as `1761573420.112`.
void append_seconds(std::string& out, EventTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  append_integer(out, seconds.time_since_epoch().count());
  const auto rest = (time - seconds).count();
  out += '.';
  out += static_cast<char>('0' + rest / 100);
  out += static_cast<char>('0' + rest / 10 % 10);
  out += static_cast<char>('0' + rest % 10);
}

}  // namespace

std::chrono::milliseconds length_of(Timeframe timeframe) {
  using std::chrono::minutes;
  constexpr std::array<minutes, kTimeframes.size()> lengths{
      minutes{1}, minutes{3}, minutes{5}, minutes{15}, minutes{60}, minutes{24 * 60}};
  return lengths[static_cast<std::size_t>(timeframe)];
}

std::string topic_of(const RecordedCandle& candle) {
  std::string topic = "market.data.";
  for (const char c : candle.symbol) {
    topic += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return topic.append(".").append(name_of(candle.timeframe));
}

std::string live_payload(const RecordedCandle& candle, ReceivedAt played_at) {
  std::string json;
  json.reserve(320);
  json.append("{\"symbol\": \"").append(candle.symbol);
  json.append("\", \"timeframe\": \"").append(name_of(candle.timeframe));
  json.append("\", \"time\": ");
  append_integer(json, candle.open_time.time_since_epoch().count());
  json.append(", \"close_time\": ");
  const EventTime close_time =
      candle.open_time + length_of(candle.timeframe) - std::chrono::milliseconds{1};
  append_integer(json, close_time.time_since_epoch().count());
  json.append(", \"open\": ").append(candle.open);
  json.append(", \"high\": ").append(candle.high);
  json.append(", \"low\": ").append(candle.low);
  json.append(", \"close\": ").append(candle.close);
  json.append(", \"volume\": ").append(candle.volume);
  json.append(", \"is_closed\": true, \"source\": \"recorded\", \"timestamp\": ");
  append_seconds(json, std::chrono::floor<std::chrono::milliseconds>(played_at));
  return json += '}';
}

}  // namespace signalbox
