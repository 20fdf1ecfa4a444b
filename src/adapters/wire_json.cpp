#include "adapters/wire_json.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "adapters/json_fields.hpp"
#include "adapters/json_text.hpp"
#include "domain/dead_letter.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kRecordSymbolMax = 40;

/// The fields of a candle that are read; the last two are not fields but what a key may mean.
enum class CandleKey : std::uint8_t {
  Symbol,
  Timeframe,
  Time,
  StartTime,
  Open,
  High,
  Low,
  Close,
  Volume,
  QuoteAssetVolume,
  NumberOfTrades,
  TakerBuyBaseAssetVolume,
  TakerBuyQuoteAssetVolume,
  IsClosed,
  Indicator,
  Other,
};

enum class RecordKey : std::uint8_t {
  Symbol,
  Timeframe,
  Side,
  Strategy,
  Status,
  Strength,
  OrderId,
  ClientOrderId,
  Timestamp,
  Price,
  Quantity,
  Confidence,
  Other,
};

constexpr std::array<std::string_view, 14> kCandleNames{"symbol",
                                                        "timeframe",
                                                        "time",
                                                        "start_time",
                                                        "open",
                                                        "high",
                                                        "low",
                                                        "close",
                                                        "volume",
                                                        "quote_asset_volume",
                                                        "number_of_trades",
                                                        "taker_buy_base_asset_volume",
                                                        "taker_buy_quote_asset_volume",
                                                        "is_closed"};

constexpr std::array<std::string_view, 12> kRecordNames{
    "symbol",   "timeframe",       "side",      "strategy", "status",   "strength",
    "order_id", "client_order_id", "timestamp", "price",    "quantity", "confidence"};

constexpr std::array<std::string_view, 4> kIndicatorNames{"rsi_14", "ema_12", "macd_line",
                                                          "bb_upper"};

/// The last value of each key that is read.
template <typename Key, const auto& kNames>
class Members {
 public:
  /// Takes the room that a reader keeps for this, at least a value a name and one for the rest.
  explicit Members(std::span<JsonValue> room) : values_(room.first<kNames.size() + 1>()) {
    // The types alone: clearing all of it takes as long as reading three numbers.
    for (JsonValue& value : values_) value.type = JsonType::Absent;
  }

  /// Where the value of `key` goes; all keys that are not read share the last place.
  JsonValue& slot(Key key) {
    return values_[std::min<std::size_t>(std::to_underlying(key), kNames.size())];
  }

  NamedValue named(Key key) const {
    return {kNames[std::to_underlying(key)], values_[std::to_underlying(key)]};
  }

  bool has(Key key) const { return values_[std::to_underlying(key)].type != JsonType::Absent; }

 private:
  std::span<JsonValue, kNames.size() + 1> values_;
};

using CandleMembers = Members<CandleKey, kCandleNames>;
using RecordMembers = Members<RecordKey, kRecordNames>;

constexpr CandleKey candle_key(std::string_view key) {
  // The length leaves one to three names to compare with.
  const auto is = [&](CandleKey candidate) {
    return key == kCandleNames[std::to_underlying(candidate)];
  };
  using enum CandleKey;
  switch (key.size()) {
    case 3:
      return is(Low) ? Low : Other;
    case 4:
      return is(Time) ? Time : is(Open) ? Open : is(High) ? High : Other;
    case 5:
      return is(Close) ? Close : Other;
    case 6:
      if (is(Symbol)) return Symbol;
      if (is(Volume)) return Volume;
      break;
    case 9:
      if (is(Timeframe)) return Timeframe;
      if (is(IsClosed)) return IsClosed;
      break;
    case 10:
      return is(StartTime) ? StartTime : Other;
    case 16:
      return is(NumberOfTrades) ? NumberOfTrades : Other;
    case 18:
      return is(QuoteAssetVolume) ? QuoteAssetVolume : Other;
    case 27:
      return is(TakerBuyBaseAssetVolume) ? TakerBuyBaseAssetVolume : Other;
    case 28:
      return is(TakerBuyQuoteAssetVolume) ? TakerBuyQuoteAssetVolume : Other;
    default:
      break;
  }
  return std::ranges::find(kIndicatorNames, key) != kIndicatorNames.end() ? Indicator : Other;
}

constexpr RecordKey record_key(std::string_view key) {
  const auto* found = std::ranges::find(kRecordNames, key);
  return static_cast<RecordKey>(found - kRecordNames.begin());
}

std::string upper(std::string_view text) {
  std::string result{text};
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

/// The symbol that counts is the topic's; a payload that names none is still refused.
void check_candle_symbol(FieldChecker& checker, NamedValue field) {
  if (field.is_missing()) return;
  if (field.value.type == JsonType::String && is_symbol(field.value.text)) return;
  const auto symbol = checker.text(field, JsonPayloadReader::kColumnTextMax);
  if (!symbol || is_symbol(*symbol)) return;
  checker.refuse(RejectReason::MalformedSymbol, field, "1 to 20 letters and digits are expected");
}

/// The topic's, or on the legacy topic the payload's, or 1m.
Timeframe candle_timeframe(FieldChecker& checker, const Route& route, NamedValue field) {
  if (route.timeframe) return *route.timeframe;
  const auto text = checker.text(field, JsonPayloadReader::kColumnTextMax);
  if (!text) return Timeframe::M1;
  const auto timeframe = timeframe_from(*text);
  if (timeframe) return *timeframe;
  checker.refuse(RejectReason::UnknownTimeframe, field, "1m, 3m, 5m, 15m, 1h or 1d is expected");
  return Timeframe::M1;
}

/// `high` and `low` are numbers, or strings that hold one, or missing.
void check_range(FieldChecker& checker, NamedValue high, NamedValue low) {
  if (checker.reject() || high.is_missing() || low.is_missing()) return;
  const bool are_plain = has_plain_number(high.value) && has_plain_number(low.value);
  if (are_plain && is_plainly_above(high.value.text, low.value.text)) return;
  if (number_value(high.value.text) >= number_value(low.value.text)) return;
  checker.refuse(RejectReason::HighBelowLow, high,
                 "at least `low` is expected, which is " + excerpt(low.value.text));
}

CandleFields candle_fields(FieldChecker& checker, const Route& route,
                           const CandleMembers& members) {
  using enum CandleKey;
  check_candle_symbol(checker, members.named(Symbol));
  const NamedValue time = members.named(Time);
  CandleFields fields{
      .symbol = upper(route.symbol),
      .timeframe = candle_timeframe(checker, route, members.named(Timeframe)),
      .open_time = checker.time(time.is_missing() ? members.named(StartTime) : time,
                                EpochUnit::Milliseconds),
      .open = checker.number(members.named(Open)),
      .high = checker.number(members.named(High)),
      .low = checker.number(members.named(Low)),
      .close = checker.number(members.named(Close)),
      .volume = checker.number(members.named(Volume)),
      .quote_asset_volume = checker.number(members.named(QuoteAssetVolume)),
      .number_of_trades = checker.integer(members.named(NumberOfTrades)),
      .taker_buy_base_asset_volume = checker.number(members.named(TakerBuyBaseAssetVolume)),
      .taker_buy_quote_asset_volume = checker.number(members.named(TakerBuyQuoteAssetVolume)),
      .is_closed = checker.flag(members.named(IsClosed)),
  };
  check_range(checker, members.named(High), members.named(Low));
  return fields;
}

constexpr bool is_record_symbol_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '_' || c == ':' || c == '/' || c == '-';
}

std::optional<std::string> record_symbol(FieldChecker& checker, NamedValue field) {
  auto symbol = checker.text(field, JsonPayloadReader::kColumnTextMax);
  if (symbol && (symbol->empty() || symbol->size() > kRecordSymbolMax ||
                 !std::ranges::all_of(*symbol, is_record_symbol_character))) {
    checker.refuse(RejectReason::MalformedSymbol, field,
                   "1 to 40 letters, digits and . _ : / - are expected");
  }
  return symbol;
}

RecordFields record_fields(FieldChecker& checker, const RecordMembers& members) {
  using enum RecordKey;
  const auto text = [&](RecordKey key) {
    return checker.text(members.named(key), JsonPayloadReader::kColumnTextMax);
  };
  return {
      .symbol = record_symbol(checker, members.named(Symbol)),
      .side = text(Side),
      .strategy = text(Strategy),
      .status = text(Status),
      .strength = text(Strength),
      .order_id = checker.identifier(members.named(OrderId), JsonPayloadReader::kColumnTextMax),
      .client_order_id = text(ClientOrderId),
      .event_time = checker.time(members.named(Timestamp), EpochUnit::SecondsOrMilliseconds),
      .price = checker.number(members.named(Price)),
      .quantity = checker.number(members.named(Quantity)),
      .confidence = checker.number(members.named(Confidence)),
  };
}

std::expected<Facts, Reject> read_dead_letter(const Message& message) {
  std::expected<DeadLetterFields, std::string> fields = dead_letter_fields(message.headers);
  if (!fields) return std::unexpected(Reject{RejectReason::MalformedReplay, fields.error()});
  Facts facts;
  facts.record = *std::move(fields);
  return facts;
}

}  // namespace

std::expected<Facts, Reject> JsonPayloadReader::read(const Route& route, const Message& message,
                                                     ReceivedAt now) {
  // A dead letter is what could not be read before: its place is in its headers.
  if (route.kind == Kind::DeadLetter) return read_dead_letter(message);
  if (message.is_tombstone()) {
    return std::unexpected(Reject{RejectReason::Tombstone, "the message has no payload"});
  }
  if (message.payload.size() > kMaxPayloadBytes) {
    return std::unexpected(
        Reject{RejectReason::TooLarge, std::to_string(message.payload.size()) + " bytes, at most " +
                                           std::to_string(kMaxPayloadBytes) + " are taken"});
  }
  if (std::optional<Reject> reject = scanner_.open(message.payload)) {
    return std::unexpected(*std::move(reject));
  }
  return route.kind == Kind::Candle ? read_candle(route, now) : read_record(now);
}

std::expected<Facts, Reject> JsonPayloadReader::read_candle(const Route& route, ReceivedAt now) {
  CandleMembers members{values_};
  bool has_members = false;
  bool is_enriched = false;
  std::string_view name;
  JsonStep step = scanner_.next_key(name);
  for (; step == JsonStep::Key; step = scanner_.next_key(name)) {
    const CandleKey key = candle_key(name);
    if (!scanner_.read_value(members.slot(key))) return std::unexpected(scanner_.failure());
    has_members = true;
    is_enriched |= key == CandleKey::Indicator;
  }
  if (step == JsonStep::Malformed) return std::unexpected(scanner_.failure());
  FieldChecker checker{now};
  CandleFields fields = candle_fields(checker, route, members);
  if (checker.reject()) return std::unexpected(*checker.reject());
  return Facts{.splice_at = scanner_.closing_brace(),
               .has_members = has_members,
               .has_symbol = members.has(CandleKey::Symbol),
               .has_timeframe = members.has(CandleKey::Timeframe),
               .is_closed = fields.is_closed,
               .is_enriched = is_enriched,
               .record = std::move(fields)};
}

std::expected<Facts, Reject> JsonPayloadReader::read_record(ReceivedAt now) {
  RecordMembers members{values_};
  bool has_members = false;
  std::string_view name;
  JsonStep step = scanner_.next_key(name);
  for (; step == JsonStep::Key; step = scanner_.next_key(name)) {
    if (!scanner_.read_value(members.slot(record_key(name)))) {
      return std::unexpected(scanner_.failure());
    }
    has_members = true;
  }
  if (step == JsonStep::Malformed) return std::unexpected(scanner_.failure());
  FieldChecker checker{now};
  RecordFields fields = record_fields(checker, members);
  if (checker.reject()) return std::unexpected(*checker.reject());
  return Facts{.splice_at = scanner_.closing_brace(),
               .has_members = has_members,
               .has_symbol = members.has(RecordKey::Symbol),
               .has_timeframe = members.has(RecordKey::Timeframe),
               .is_closed = false,
               .is_enriched = false,
               .record = std::move(fields)};
}

}  // namespace signalbox
