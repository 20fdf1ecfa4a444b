#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/json_scanner.hpp"
#include "domain/event_time.hpp"
#include "domain/facts.hpp"
#include "domain/number_text.hpp"
#include "domain/reject.hpp"

namespace signalbox {

/// A value under the name that its payload gives it.
struct NamedValue {
  std::string_view name;
  const JsonValue& value;

  bool is_missing() const { return value.type == JsonType::Absent || value.type == JsonType::Null; }
};

/// Whether the value is a number without an exponent that surely fits a double.
inline bool has_plain_number(const JsonValue& value) {
  return value.type == JsonType::Number && value.shape != NumberShape::Exponent &&
         value.text.size() < kAlwaysFiniteLength;
}

/// Takes the fields that are read out of their values, one after the other, and keeps the first
/// refusal. After a refusal the results mean nothing.
class FieldChecker {
 public:
  explicit FieldChecker(ReceivedAt now) : now_(now) {}

  /// A number or a string that holds one. An integer may be written 418.0: the text is then 418.
  /// Inline for the nine plain numbers of every candle.
  NumberText number(NamedValue field) {
    return has_plain_number(field.value) ? field.value.text : number_of_any_form(field);
  }
  NumberText integer(NamedValue field);
  bool flag(NamedValue field);
  std::optional<EventTime> time(NamedValue field, EpochUnit unit);
  std::optional<std::string> text(NamedValue field, std::size_t bytes_max);
  /// As text(), and an integer is taken as its digits.
  std::optional<std::string> identifier(NamedValue field, std::size_t bytes_max);

  void refuse(RejectReason reason, NamedValue field, std::string_view expected);

  const std::optional<Reject>& reject() const { return reject_; }

 private:
  NumberText number_of_any_form(NamedValue field);

  ReceivedAt now_;
  std::optional<Reject> reject_;
};

}  // namespace signalbox
