#include "contract/test_batch.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ostream>

#include "domain/text.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kQuoteAsset = "usdc";
constexpr EventTime kFirstOpenTime{std::chrono::sys_days{std::chrono::year{2025} / 1 / 1}};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Delivered& delivered) {
  return out << delivered.source.topic << '/' << delivered.source.partition << '@'
             << delivered.offset.value;
}

std::string unique_word() {
  static std::atomic<std::uint64_t> count{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  auto number = static_cast<std::uint64_t>(seconds) * 100'003 +
                static_cast<std::uint64_t>(getpid()) * 997 + count++;
  std::string word = "t";
  for (int i = 0; i < 8; ++i, number /= 26) word += static_cast<char>('a' + number % 26);
  return word;
}

TopicPartition candle_source_at(const std::string& word, int number) {
  std::string digits = std::to_string(1000 + number).substr(1);
  return {"market.data." + word + digits + std::string(kQuoteAsset) + ".1m", number % 3};
}

EventTime open_time_at(Offset offset) {
  return kFirstOpenTime + std::chrono::minutes{offset.value};
}

std::optional<Delivered> candle_source(std::string_view symbol, EventTime open_time) {
  constexpr std::size_t kDigits = 3;
  std::string lower{symbol};
  for (char& c : lower) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  if (!lower.ends_with(kQuoteAsset) || lower.size() <= kQuoteAsset.size() + kDigits) {
    return std::nullopt;
  }
  lower.resize(lower.size() - kQuoteAsset.size());
  const auto number = integer_from<int>(std::string_view{lower}.substr(lower.size() - kDigits));
  if (!number) return std::nullopt;
  lower.resize(lower.size() - kDigits);
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(open_time - kFirstOpenTime);
  return Delivered{candle_source_at(lower, *number), Offset{minutes.count()}};
}

Fence fence_at(std::int64_t next) {
  return {.next = Offset{next},
          .last_timestamp = open_time_at(Offset{next - 1}),
          .seq = static_cast<std::uint64_t>(next),
          .epoch = 1'750'000'000'000,
          .lineage = "cluster-of-tests"};
}

TestBatch& TestBatch::candles(int number, std::int64_t first, int count) {
  for (int i = 0; i < count; ++i) add(number, first + i, "");
  return *this;
}

TestBatch& TestBatch::large_candle(int number, std::int64_t offset, std::size_t size) {
  add(number, offset, R"(, "note": ")" + std::string(size, 'x') + "\"");
  return *this;
}

TestBatch& TestBatch::move(int number, std::optional<Fence> expected, Fence next) {
  return move(candle_source_at(word_, number), std::move(expected), std::move(next));
}

TestBatch& TestBatch::move(TopicPartition partition, std::optional<Fence> expected, Fence next) {
  moves_.push_back({std::move(partition), std::move(expected), std::move(next)});
  return *this;
}

WriteBatch TestBatch::get() const {
  return {.messages = routed_,
          .moves = moves_,
          .received_at = open_time_at(Offset{1'000}) + std::chrono::microseconds{118'302}};
}

void TestBatch::add(int number, std::int64_t offset, std::string_view more) {
  const TopicPartition source = candle_source_at(word_, number);
  if (memory_->sources.empty() || memory_->sources.back() != source) {
    memory_->sources.push_back(source);
    memory_->routes.push_back(*route_for(source.topic));
  }
  const Route& route = memory_->routes.back();
  const EventTime open_time = open_time_at(Offset{offset});
  std::string symbol = route.symbol;
  for (char& c : symbol) c = (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  memory_->payloads.push_back(R"({"symbol": ")" + symbol + R"(", "timeframe": "1m", "time": )" +
                              std::to_string(open_time.time_since_epoch().count()) +
                              R"(, "open": 114980.01, "high": 115020.0, "low": 114955.5, )"
                              R"("close": 115001.37, "volume": 3.10254, "is_closed": true)" +
                              std::string(more) + "}");
  const std::string& payload = memory_->payloads.back();
  memory_->messages.push_back(
      {.offset = Offset{offset}, .timestamp = open_time, .key = {}, .payload = payload});
  const auto number_text = [&payload](std::string_view text) {
    return std::string_view{payload}.substr(payload.find(text), text.size());
  };
  CandleFields candle;
  candle.symbol = symbol;
  candle.timeframe = route.timeframe;
  candle.open_time = open_time;
  candle.open = number_text("114980.01");
  candle.high = number_text("115020.0");
  candle.low = number_text("114955.5");
  candle.close = number_text("115001.37");
  candle.volume = number_text("3.10254");
  candle.is_closed = true;
  routed_.push_back({.message = &memory_->messages.back(),
                     .route = &route,
                     .source = &memory_->sources.back(),
                     .source_offset = Offset{offset},
                     .seq = static_cast<std::uint64_t>(offset) + 1,
                     .epoch = 1'750'000'000'000,
                     .facts = {.splice_at = payload.size() - 1,
                               .has_members = true,
                               .has_symbol = true,
                               .has_timeframe = true,
                               .is_closed = true,
                               .record = std::move(candle)}});
  contents_.push_back({source, Offset{offset}});
}

}  // namespace signalbox
