#include "adapters/json_fields.hpp"

#include <algorithm>

#include "adapters/json_text.hpp"

namespace signalbox {
namespace {

/// What was found, for a person to read: a container by its type, a scalar as it stands.
std::string found(const JsonValue& value) {
  if (value.type == JsonType::String) return "\"" + excerpt(value.text) + "\"";
  if (value.text.empty()) return std::string(name_of(value.type));
  return excerpt(value.text);
}

std::string_view expectation(RejectReason reason) {
  switch (reason) {
    case RejectReason::TimeInSeconds:
      return "milliseconds are expected";
    case RejectReason::TimeBefore2009:
      return "a time since 2009 is expected";
    case RejectReason::TimeInFuture:
      return "at most a day ahead is expected";
    case RejectReason::NotFinite:
      return "a finite number is expected";
    default:
      return "a time is expected";
  }
}

}  // namespace

void FieldChecker::refuse(RejectReason reason, NamedValue field, std::string_view expected) {
  if (reject_) return;
  reject_ = Reject{reason, "`" + std::string(field.name) + "` is " + found(field.value) + "; " +
                               std::string(expected)};
}

NumberText FieldChecker::number_of_any_form(NamedValue field) {
  if (field.is_missing()) return {};
  const JsonValue& value = field.value;
  NumberShape shape = value.shape;
  if (value.type == JsonType::String) shape = number_shape(value.text);
  if (shape == NumberShape::NotANumber) {
    const bool not_finite =
        value.type == JsonType::NotFinite ||
        (value.type == JsonType::String && names_a_non_finite_number(value.text));
    refuse(not_finite ? RejectReason::NotFinite : RejectReason::WrongType, field,
           not_finite ? "a finite number is expected" : "a number is expected");
    return {};
  }
  if (!is_finite_number(value.text, shape)) {
    refuse(RejectReason::NotFinite, field, "a number that fits a double is expected");
    return {};
  }
  return value.text;
}

NumberText FieldChecker::integer(NamedValue field) {
  const NumberText text = number(field);
  if (text.empty() || field.value.shape == NumberShape::Integer) return text;
  const std::size_t point = std::min(text.find_first_of(".eE"), text.size());
  if (text.find_first_not_of("0.", point) == text.npos) return text.substr(0, point);
  refuse(RejectReason::WrongType, field, "an integer is expected");
  return {};
}

bool FieldChecker::flag(NamedValue field) {
  if (field.is_missing() || field.value.type == JsonType::False) return false;
  if (field.value.type != JsonType::True) {
    refuse(RejectReason::WrongType, field, "true or false is expected");
  }
  return true;
}

std::optional<EventTime> FieldChecker::time(NamedValue field, EpochUnit unit) {
  if (field.is_missing()) return std::nullopt;
  const JsonValue& value = field.value;
  std::expected<EventTime, RejectReason> time = std::unexpected(RejectReason::WrongType);
  if (value.type == JsonType::Number) {
    time = time_from_epoch(value.text, unit);
  } else if (value.type == JsonType::NotFinite) {
    time = std::unexpected(RejectReason::NotFinite);
  } else if (value.type == JsonType::String) {
    const std::string decoded = value.has_escapes ? unescaped(value.text) : std::string();
    const auto iso = time_from_iso(value.has_escapes ? decoded : value.text);
    if (iso) {
      time = *iso;
    } else if (unit == EpochUnit::SecondsOrMilliseconds &&
               number_shape(value.text) != NumberShape::NotANumber) {
      time = time_from_epoch(value.text, unit);
    } else {
      time = std::unexpected(RejectReason::TimeMalformed);
    }
  }
  if (time) time = plausible_time(*time, now_);
  if (time) return *time;
  refuse(time.error(), field, expectation(time.error()));
  return std::nullopt;
}

std::optional<std::string> FieldChecker::text(NamedValue field, std::size_t bytes_max) {
  if (field.is_missing()) return std::nullopt;
  const JsonValue& value = field.value;
  if (value.type != JsonType::String) {
    refuse(RejectReason::WrongType, field, "a string is expected");
    return std::nullopt;
  }
  std::string text = value.has_escapes ? unescaped(value.text) : std::string(value.text);
  if (text.size() > bytes_max) {
    refuse(RejectReason::WrongType, field,
           "at most " + std::to_string(bytes_max) + " bytes are expected");
  } else if (text.contains('\0')) {
    refuse(RejectReason::WrongType, field, "a text without NUL characters is expected");
  }
  return text;
}

std::optional<std::string> FieldChecker::identifier(NamedValue field, std::size_t bytes_max) {
  const JsonValue& value = field.value;
  if (value.type != JsonType::Number) return text(field, bytes_max);
  if (value.shape != NumberShape::Integer || value.text.size() > bytes_max) {
    refuse(RejectReason::WrongType, field, "a string or an integer is expected");
  }
  return std::string(value.text);
}

}  // namespace signalbox
