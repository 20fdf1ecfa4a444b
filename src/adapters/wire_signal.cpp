#include "adapters/wire_signal.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "adapters/json_fields.hpp"
#include "adapters/json_text.hpp"
#include "adapters/signal_metadata.hpp"
#include "domain/event_time.hpp"
#include "domain/number_text.hpp"
#include "domain/signal_timeframe.hpp"

namespace signalbox {
namespace {

/// A string with its quotes.
std::string_view quoted(const JsonValue& value) {
  return {value.text.data() - 1, value.text.size() + 2};
}

JsonValue value_of(JsonType type) {
  JsonValue value;
  value.type = type;
  return value;
}

std::string_view keep(TradingSignal& signal, std::string text) {
  return signal.unescaped.emplace_front(std::move(text));
}

std::string_view text_of(TradingSignal& signal, const JsonValue& string) {
  return string.has_escapes ? keep(signal, unescaped(string.text)) : string.text;
}

bool is_missing(const JsonValue& value) {
  return value.type == JsonType::Absent || value.type == JsonType::Null;
}

bool is_container(const JsonValue& value) {
  return value.type == JsonType::Array || value.type == JsonType::Object;
}

bool is_finite(const JsonValue& value) {
  return value.type == JsonType::Number && is_finite_number(value.text, value.shape);
}

/// Whether Python takes the value for false; a container's text must be there.
bool is_falsy(const JsonValue& value) {
  if (is_missing(value) || value.type == JsonType::False) return true;
  if (value.type == JsonType::Number) return number_value(value.text) == 0;
  if (value.type == JsonType::String) return value.text.empty();
  return is_container(value) && value.text.find_first_not_of(" \t\r\n", 1) + 1 == value.text.size();
}

/// A string, or a scalar's own text; empty when missing or no finite number.
std::string_view scalar_text(TradingSignal& signal, const JsonValue& value) {
  if (is_missing(value) || value.type == JsonType::NotFinite) return {};
  return value.type == JsonType::String ? text_of(signal, value) : value.text;
}

/// What a backtest writes beside its signals: a string, or whatever it is as JSON text.
std::string_view mark_text(TradingSignal& signal, const JsonValue& value) {
  if (is_falsy(value)) return {};
  return value.type == JsonType::String ? text_of(signal, value) : value.text;
}

std::string_view timeframe_text(TradingSignal& signal, const JsonValue& value) {
  if (value.type != JsonType::String && value.type != JsonType::Number) return {};
  return canonical_signal_timeframe(text_of(signal, value));
}

/// The time that the token stands for, where it is one that a signal may have.
std::optional<EventTime> time_of(const JsonValue& value, ReceivedAt now) {
  FieldChecker checker{now};
  const auto time = checker.time({"timestamp", value}, EpochUnit::SecondsOrMilliseconds);
  return checker.reject() ? std::nullopt : time;
}

/// At most `bytes_max` of a JSON string's inside, cut between characters and escapes.
std::string_view cut_string(std::string_view text, std::size_t bytes_max) {
  std::size_t end = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t length = 1;
    if (text[at] == '\\') {
      length = text[at + 1] != 'u' ? 2 : 6;
      // Both halves of a surrogate pair belong together.
      const bool is_high = length == 6 && (text[at + 2] == 'd' || text[at + 2] == 'D') &&
                           (text[at + 3] == '8' || text[at + 3] == '9' ||
                            (text[at + 3] | 0x20) == 'a' || (text[at + 3] | 0x20) == 'b');
      if (is_high) length = 12;
    } else {
      while (at + length < text.size() &&
             (static_cast<unsigned char>(text[at + length]) & 0xC0U) == 0x80U) {
        ++length;
      }
    }
    at += length;
    if (at > bytes_max) break;
    end = at;
  }
  return text.substr(0, end);
}

/// The token of a reasoning; one that is very long is cut.
std::string_view reasoning_token(TradingSignal& signal, const JsonValue& value) {
  if (value.type != JsonType::String) return {};
  if (value.text.size() <= SignalReader::kReasoningMax) return quoted(value);
  std::string token = "\"";
  token += cut_string(value.text, SignalReader::kReasoningMax);
  return keep(signal, token += '"');
}

std::optional<Reject> refuse(RejectReason reason, std::string_view name, const JsonValue& value,
                             std::string_view expected) {
  FieldChecker checker{ReceivedAt{}};
  checker.refuse(reason, {name, value}, expected);
  return checker.reject();
}

/// Why a value cannot be an id or a name.
std::optional<Reject> refuse_text(std::string_view name, const JsonValue& value) {
  if (is_container(value)) {
    return refuse(RejectReason::WrongType, name, value_of(value.type), "a string is expected");
  }
  if (value.text.size() <= SignalReader::kTextMax) return std::nullopt;
  return refuse(RejectReason::WrongType, name, value,
                "at most " + std::to_string(SignalReader::kTextMax) + " bytes are expected");
}

}  // namespace

std::expected<Facts, Reject> SignalReader::read(const Route&, const Message& message,
                                                ReceivedAt now) {
  if (message.is_tombstone()) {
    return std::unexpected(Reject{RejectReason::Tombstone, "the message has no payload"});
  }
  const auto signal = std::make_shared<TradingSignal>();
  if (auto reject = read_signal(message.payload, now, *signal)) {
    return std::unexpected(*std::move(reject));
  }
  Facts facts;
  facts.record = std::shared_ptr<const TradingSignal>(signal);
  return facts;
}

std::optional<Reject> SignalReader::read_signal(std::string_view payload, ReceivedAt now,
                                                TradingSignal& signal) {
  if (payload.size() > kMaxPayloadBytes) {
    return Reject{RejectReason::TooLarge, std::to_string(payload.size()) + " bytes, at most " +
                                              std::to_string(kMaxPayloadBytes) + " are taken"};
  }
  if (auto reject = scanner_.open(payload)) return reject;
  payload_ = payload;
  for (JsonValue* value : {&id_, &type_, &source_, &timestamp_, &tickers_, &metadata_}) *value = {};
  if (!read_members(signal)) return scanner_.failure();
  return finish(signal, now);
}

bool SignalReader::read_members(TradingSignal& signal) {
  JsonValue other;
  std::string_view key;
  JsonStep step = scanner_.next_key(key);
  for (; step == JsonStep::Key; step = scanner_.next_key(key)) {
    bool is_read = false;
    if (key == "tickers" && scanner_.next_type() == JsonType::Array) {
      tickers_ = value_of(JsonType::Array);
      is_read = read_tickers(signal);
    } else if (key == "metadata" && scanner_.next_type() == JsonType::Object) {
      metadata_ = value_of(JsonType::Object);
      is_read = read_metadata(signal);
    } else {
      JsonValue& slot = key == "signal_id"     ? id_
                        : key == "signal_type" ? type_
                        : key == "source"      ? source_
                        : key == "timestamp"   ? timestamp_
                        : key == "tickers"     ? tickers_
                        : key == "metadata"    ? metadata_
                                               : other;
      is_read = scanner_.read_value(slot);
    }
    if (!is_read) return false;
  }
  return step == JsonStep::End;
}

bool SignalReader::read_tickers(TradingSignal& signal) {
  signal.tickers.clear();
  elements_ = 0;
  tickers_left_out_ = 0;
  scanner_.enter();
  JsonStep step = scanner_.next_element();
  for (; step == JsonStep::Key; step = scanner_.next_element()) {
    ++elements_;
    if (scanner_.next_type() == JsonType::Object) {
      if (!read_ticker(signal)) return false;
      continue;
    }
    JsonValue other;
    if (!scanner_.read_value(other)) return false;
    ++tickers_left_out_;
  }
  return step == JsonStep::End;
}

bool SignalReader::read_ticker(TradingSignal& signal) {
  JsonValue ticker, bias, confidence, reasoning, other, key;
  scanner_.enter();
  JsonStep step = scanner_.next_member(key);
  for (; step == JsonStep::Key; step = scanner_.next_member(key)) {
    const std::string name = key.has_escapes ? unescaped(key.text) : std::string();
    const std::string_view word = key.has_escapes ? std::string_view{name} : key.text;
    JsonValue& slot = word == "ticker"       ? ticker
                      : word == "signal"     ? bias
                      : word == "confidence" ? confidence
                      : word == "reasoning"  ? reasoning
                                             : other;
    if (!scanner_.read_value(slot)) return false;
  }
  if (step != JsonStep::End) return false;
  if (ticker.type != JsonType::String || ticker.text.empty()) {
    ++tickers_left_out_;
    return true;
  }
  SignalTicker& read = signal.tickers.emplace_back();
  read.ticker = text_of(signal, ticker);
  if (bias.type == JsonType::String) read.bias = text_of(signal, bias);
  read.reasoning = reasoning_token(signal, reasoning);
  if (is_finite(confidence)) {
    read.confidence = number_value(confidence.text);
    read.confidence_text = confidence.text;
  } else if (!is_missing(confidence) && confidence.type != JsonType::NotFinite) {
    ++tickers_left_out_;
  }
  return true;
}

/// A value, and a container's text with it.
bool SignalReader::read_raw(JsonValue& value) {
  const std::size_t begin = scanner_.next_at();
  if (!scanner_.read_value(value)) return false;
  if (is_container(value)) {
    value.text = payload_.substr(begin, scanner_.behind_container() - begin);
    metadata_depth_ = std::max(metadata_depth_, scanner_.container_depth() + 1);
  }
  return true;
}

bool SignalReader::read_metadata(TradingSignal& signal) {
  const std::size_t begin = scanner_.next_at();
  JsonValue timeframe, pipeline, run, user, other, key;
  routed_.clear();
  kept_.clear();
  metadata_depth_ = 1;
  Spliced is_spliced = Spliced::No;
  bool is_run_open = false;  // whether the last of kept_ goes on
  scanner_.enter();
  JsonStep step = scanner_.next_member(key);
  for (; step == JsonStep::Key; step = scanner_.next_member(key)) {
    std::string_view word = key.text;
    if (key.has_escapes) word = name_ = unescaped(key.text);
    if (word == "ticker_pipelines") {
      if (!read_routing(signal)) return false;
      is_spliced = Spliced::Yes;
      is_run_open = false;
      continue;
    }
    JsonValue& slot = word == "timeframe"              ? timeframe
                      : word == "backtest_pipeline_id" ? pipeline
                      : word == "backtest_run_id"      ? run
                      : word == "backtest_user_id"     ? user
                                                       : other;
    if (!read_raw(slot)) return false;
    const std::string_view value = slot.type == JsonType::String ? quoted(slot) : slot.text;
    const char* first = is_run_open ? kept_.back().data() : key.text.data() - 1;
    if (!is_run_open) kept_.emplace_back();
    kept_.back() = {first, static_cast<std::size_t>(value.data() + value.size() - first)};
    is_run_open = true;
  }
  if (step != JsonStep::End) return false;
  signal.timeframe = timeframe_text(signal, timeframe);
  signal.backtest = {.pipeline_id = mark_text(signal, pipeline),
                     .run_id = mark_text(signal, run),
                     .user_id = mark_text(signal, user)};
  finish_routing(signal);
  finish_metadata(signal, payload_.substr(begin, scanner_.behind_container() - begin), is_spliced);
  return true;
}

bool SignalReader::read_routing(TradingSignal& signal) {
  routed_.clear();
  if (scanner_.next_type() != JsonType::Object) {
    JsonValue other;
    return scanner_.read_value(other);
  }
  scanner_.enter();
  JsonValue key;
  JsonStep step = scanner_.next_member(key);
  for (; step == JsonStep::Key; step = scanner_.next_member(key)) {
    RoutedTicker& entry = routed_.emplace_back();
    entry.place = routed_.size();
    entry.routing.ticker = text_of(signal, key);
    if (!read_routed_ticker(entry)) return false;
  }
  return step == JsonStep::End;
}

bool SignalReader::read_routed_ticker(RoutedTicker& entry) {
  if (scanner_.next_type() != JsonType::Array) {
    JsonValue other;
    return scanner_.read_value(other);
  }
  scanner_.enter();
  JsonStep step = scanner_.next_element();
  for (; step == JsonStep::Key; step = scanner_.next_element()) {
    entry.is_filtered = true;
    if (scanner_.next_type() == JsonType::Object) {
      if (!read_routed_pipeline(entry)) return false;
      continue;
    }
    JsonValue other;
    if (!scanner_.read_value(other)) return false;
  }
  return step == JsonStep::End;
}

bool SignalReader::read_routed_pipeline(RoutedTicker& entry) {
  scanner_.enter();
  JsonValue id, other, key;
  JsonStep step = scanner_.next_member(key);
  for (; step == JsonStep::Key; step = scanner_.next_member(key)) {
    const bool is_id = key.has_escapes ? unescaped(key.text) == "pipeline_id"  //
                                       : key.text == "pipeline_id";
    if (!scanner_.read_value(is_id ? id : other)) return false;
  }
  if (step != JsonStep::End) return false;
  if (id.type != JsonType::String) return true;
  const auto uuid = parse_uuid(id.has_escapes ? unescaped(id.text) : id.text);
  if (uuid) entry.routing.pipelines.push_back(*uuid);
  return true;
}

/// Each ticker once, by its last mention; one without a list, or with an empty one, reaches all.
void SignalReader::finish_routing(TradingSignal& signal) {
  signal.routing.clear();
  const auto by_ticker = [](const RoutedTicker& entry) { return entry.routing.ticker; };
  if (routed_.size() > 1) {
    std::ranges::sort(routed_, {}, [&](const RoutedTicker& entry) {
      return std::pair{by_ticker(entry), entry.place};
    });
  }
  for (std::size_t i = 0; i < routed_.size(); ++i) {
    const bool is_last =
        i + 1 == routed_.size() || by_ticker(routed_[i]) != by_ticker(routed_[i + 1]);
    if (is_last && routed_[i].is_filtered) {
      signal.routing.push_back(std::move(routed_[i].routing));
    }
  }
}

/// `whole` is the object as it came; where something was taken out, kept_ says what stays.
void SignalReader::finish_metadata(TradingSignal& signal, std::string_view whole,
                                   Spliced is_spliced) {
  signal.is_metadata_reduced = false;
  signal.metadata = whole;
  if (is_spliced == Spliced::Yes) {
    std::size_t size = 2;
    for (const std::string_view run : kept_) size += run.size() + 2;
    std::string text;
    text.reserve(size);
    text += '{';
    for (const std::string_view run : kept_) (text += text.size() > 1 ? ", " : "") += run;
    signal.metadata = keep(signal, text += '}');
  }
  if (may_have_typed_keys(signal.metadata) && signal.metadata.size() <= kMetadataBytesMax) {
    signal.metadata = keep(signal, without_typed_keys(signal.metadata));
  }
  if (signal.metadata.size() > kMetadataBytesMax || metadata_depth_ > kMetadataDepthMax ||
      has_endless_number(signal.metadata)) {
    signal.metadata = keep(signal, reduced_metadata(signal.metadata));
    signal.is_metadata_reduced = true;
  }
}

std::optional<Reject> SignalReader::finish_tickers() {
  if (is_missing(tickers_)) {
    return refuse(RejectReason::MissingField, "tickers", tickers_, "an array is expected");
  }
  if (tickers_.type != JsonType::Array) {
    return refuse(RejectReason::WrongType, "tickers", tickers_, "an array is expected");
  }
  return std::nullopt;
}

std::optional<Reject> SignalReader::finish(TradingSignal& signal, ReceivedAt now) {
  if (auto reject = finish_tickers()) return reject;
  if (signal.tickers.empty() && elements_ > 0) {
    return Reject{RejectReason::MissingField,
                  "`tickers` names none in " + std::to_string(elements_) + " elements"};
  }
  if (is_missing(metadata_)) {
    signal.metadata = "{}";
    signal.is_metadata_reduced = false;
    signal.routing.clear();
    signal.timeframe = {};
    signal.backtest = {};
  } else if (metadata_.type != JsonType::Object) {
    return refuse(RejectReason::WrongType, "metadata", metadata_, "an object is expected");
  }
  if (auto reject = refuse_text("signal_id", id_)) return reject;
  if (auto reject = refuse_text("signal_type", type_)) return reject;
  if (auto reject = refuse_text("source", source_)) return reject;
  signal.id = scalar_text(signal, id_);
  signal.type = scalar_text(signal, type_);
  signal.source = scalar_text(signal, source_);
  signal.left_out = tickers_left_out_;
  const bool is_short_text =
      timestamp_.type == JsonType::String && timestamp_.text.size() <= kTextMax;
  if (is_short_text || is_finite(timestamp_)) {
    signal.timestamp = is_short_text ? quoted(timestamp_) : timestamp_.text;
    signal.time = time_of(timestamp_, now);
  } else if (!is_missing(timestamp_)) {
    ++signal.left_out;
  }
  return std::nullopt;
}

}  // namespace signalbox
