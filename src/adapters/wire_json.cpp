#include "adapters/wire_json.hpp"

#include <algorithm>
#include <array>
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
  JsonValue& operator[](Key key) { return values_[std::to_underlying(key)]; }

  NamedValue named(Key key) const {
    return {kNames[std::to_underlying(key)], values_[std::to_underlying(key)]};
  }

  bool has(Key key) const { return values_[std::to_underlying(key)].type != JsonType::Absent; }

 private:
  std::array<JsonValue, kNames.size()> values_{};
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

void check_range(FieldChecker& checker, NamedValue high, NumberText low) {
  if (checker.reject() || high.value.text.empty() || high.is_missing() || low.empty()) return;
  if (number_value(high.value.text) >= number_value(low)) return;
  checker.refuse(RejectReason::HighBelowLow, high,
                 "at least `low` is expected, which is " + excerpt(low));
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
      .number_of_trades = checker.number(members.named(NumberOfTrades), NumberRange::Integer),
      .taker_buy_base_asset_volume = checker.number(members.named(TakerBuyBaseAssetVolume)),
      .taker_buy_quote_asset_volume = checker.number(members.named(TakerBuyQuoteAssetVolume)),
      .is_closed = checker.flag(members.named(IsClosed)),
  };
  check_range(checker, members.named(High), fields.low);
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
  std::expected<Facts, Reject> result;
  Facts& facts = *result;
  CandleMembers members;
  JsonMember member;
  JsonStep step = scanner_.next(member);
  for (; step == JsonStep::Member; step = scanner_.next(member)) {
    facts.has_members = true;
    const CandleKey key = candle_key(member.key);
    if (key < CandleKey::Indicator) members[key] = member.value;
    if (key == CandleKey::Indicator) facts.is_enriched = true;
  }
  if (step == JsonStep::Malformed) return std::unexpected(scanner_.failure());
  FieldChecker checker{now};
  CandleFields& fields = facts.record.emplace<CandleFields>(candle_fields(checker, route, members));
  if (checker.reject()) return std::unexpected(*checker.reject());
  facts.splice_at = scanner_.closing_brace();
  facts.has_symbol = members.has(CandleKey::Symbol);
  facts.has_timeframe = members.has(CandleKey::Timeframe);
  facts.is_closed = fields.is_closed;
  return result;
}

std::expected<Facts, Reject> JsonPayloadReader::read_record(ReceivedAt now) {
  std::expected<Facts, Reject> result;
  Facts& facts = *result;
  RecordMembers members;
  JsonMember member;
  JsonStep step = scanner_.next(member);
  for (; step == JsonStep::Member; step = scanner_.next(member)) {
    facts.has_members = true;
    const RecordKey key = record_key(member.key);
    if (key != RecordKey::Other) members[key] = member.value;
  }
  if (step == JsonStep::Malformed) return std::unexpected(scanner_.failure());
  FieldChecker checker{now};
  facts.record = record_fields(checker, members);
  if (checker.reject()) return std::unexpected(*checker.reject());
  facts.splice_at = scanner_.closing_brace();
  facts.has_symbol = members.has(RecordKey::Symbol);
  facts.has_timeframe = members.has(RecordKey::Timeframe);
  return result;
}

}  // namespace signalbox
