// The reader of the trigger's signals. Whatever it accepts is fit for a task: its metadata is a
// JSON object without `ticker_pipelines`, within its limits, and no key of it is one that a worker
// takes for a typed value; its other tokens are JSON; and what was forwarded reads as before.

#include <string>

#include "adapters/json_scanner.hpp"
#include "adapters/json_text.hpp"
#include "adapters/signal_metadata.hpp"
#include "adapters/wire_signal.hpp"
#include "fuzz/fuzz.hpp"

namespace signalbox {
namespace {

constexpr ReceivedAt kNow{std::chrono::milliseconds{1'761'573'360'000}};

enum class Level { Top, Nested };

void check_value(JsonScanner& scanner, std::string_view whole);

std::string name_of_key(const JsonValue& key) {
  return key.has_escapes ? unescaped(key.text) : std::string(key.text);
}

void check_object(JsonScanner& scanner, std::string_view whole, Level level) {
  scanner.enter();
  JsonValue key;
  JsonStep step = scanner.next_member(key);
  for (; step == JsonStep::Key; step = scanner.next_member(key)) {
    const std::string name = name_of_key(key);
    FUZZ_REQUIRE(name != kTypedKey, whole);
    FUZZ_REQUIRE(level == Level::Nested || name != "ticker_pipelines", whole);
    check_value(scanner, whole);
  }
  FUZZ_REQUIRE(step == JsonStep::End, whole);
}

void check_value(JsonScanner& scanner, std::string_view whole) {
  JsonValue scalar;
  switch (scanner.next_type()) {
    case JsonType::Object:
      check_object(scanner, whole, Level::Nested);
      break;
    case JsonType::Array: {
      scanner.enter();
      JsonStep step = scanner.next_element();
      for (; step == JsonStep::Key; step = scanner.next_element()) check_value(scanner, whole);
      FUZZ_REQUIRE(step == JsonStep::End, whole);
      break;
    }
    default:
      FUZZ_REQUIRE(scanner.read_value(scalar), whole);
  }
}

/// Whether `text` is one JSON object, judged without looking inside keys.
bool is_object(std::string_view text) {
  JsonScanner scanner;
  if (scanner.open(text)) return false;
  std::string_view key;
  JsonValue value;
  JsonStep step = scanner.next_key(key);
  while (step == JsonStep::Key) {
    step = scanner.read_value(value) ? scanner.next_key(key) : JsonStep::Malformed;
  }
  return step == JsonStep::End;
}

void check_token(std::string_view token) {
  if (token.empty()) return;
  FUZZ_REQUIRE(is_object("{\"a\":" + std::string(token) + "}"), token);
}

void check_signal(const TradingSignal& signal) {
  FUZZ_REQUIRE(is_object(signal.metadata), signal.metadata);
  JsonScanner scanner;
  FUZZ_REQUIRE(!scanner.open(signal.metadata), signal.metadata);
  check_object(scanner, signal.metadata, Level::Top);
  FUZZ_REQUIRE(signal.metadata.size() <= kMetadataBytesMax, signal.metadata);
  check_token(signal.timestamp);
  for (const SignalTicker& ticker : signal.tickers) {
    FUZZ_REQUIRE(!ticker.ticker.empty(), signal.metadata);
    FUZZ_REQUIRE(ticker.confidence.has_value() != ticker.confidence_text.empty(), ticker.ticker);
    check_token(ticker.confidence_text);
    check_token(ticker.reasoning);
    FUZZ_REQUIRE(ticker.reasoning.size() <= SignalReader::kReasoningMax + 2, ticker.reasoning);
  }
  for (std::size_t i = 1; i < signal.routing.size(); ++i) {
    FUZZ_REQUIRE(signal.routing[i - 1].ticker < signal.routing[i].ticker, signal.metadata);
  }
}

/// A signal with the metadata that was forwarded reads like the one that it came from.
void check_again(const TradingSignal& signal) {
  const std::string payload = "{\"tickers\":[],\"metadata\":" + std::string(signal.metadata) + "}";
  TradingSignal again;
  FUZZ_REQUIRE(!SignalReader{}.read_signal(payload, kNow, again), payload);
  FUZZ_REQUIRE(again.metadata == signal.metadata, payload);
  FUZZ_REQUIRE(!again.is_metadata_reduced && again.routing.empty(), payload);
  if (signal.is_metadata_reduced) return;
  FUZZ_REQUIRE(again.timeframe == signal.timeframe, payload);
  FUZZ_REQUIRE(again.backtest.pipeline_id == signal.backtest.pipeline_id, payload);
  FUZZ_REQUIRE(again.backtest.run_id == signal.backtest.run_id, payload);
}

}  // namespace
}  // namespace signalbox

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace signalbox;
  const std::string_view payload = as_text(data, size);
  static SignalReader reader;
  TradingSignal signal;
  if (const auto reject = reader.read_signal(payload, kNow, signal)) {
    FUZZ_REQUIRE(!reject->detail.empty() && reject->detail.size() <= 200, reject->detail);
    return 0;
  }
  check_signal(signal);
  check_again(signal);
  return 0;
}
