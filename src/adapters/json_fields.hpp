#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/json_scanner.hpp"
#include "domain/event_time.hpp"
#include "domain/facts.hpp"
#include "domain/reject.hpp"

namespace signalbox {

/// A value under the name that its payload gives it.
struct NamedValue {
  std::string_view name;
  const JsonValue& value;

  bool is_missing() const { return value.type == JsonType::Absent || value.type == JsonType::Null; }
};

enum class NumberRange { Any, Integer };

/// Takes the fields that are read out of their values, one after the other, and keeps the first
/// refusal. After a refusal the results mean nothing.
class FieldChecker {
 public:
  explicit FieldChecker(ReceivedAt now) : now_(now) {}

  /// A number or a string that holds one. An integer may be written 418.0: the text is then 418.
  NumberText number(NamedValue field, NumberRange range = NumberRange::Any);
  bool flag(NamedValue field);
  std::optional<EventTime> time(NamedValue field, EpochUnit unit);
  std::optional<std::string> text(NamedValue field, std::size_t bytes_max);
  /// As text(), and an integer is taken as its digits.
  std::optional<std::string> identifier(NamedValue field, std::size_t bytes_max);

  void refuse(RejectReason reason, NamedValue field, std::string_view expected);

  const std::optional<Reject>& reject() const { return reject_; }

 private:
  NumberText integer(NamedValue field, NumberShape shape);

  ReceivedAt now_;
  std::optional<Reject> reject_;
};

}  // namespace signalbox
