#include "adapters/json_scanner.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>

#include <simdjson.h>

#include "adapters/json_text.hpp"
#include "base/check.hpp"

namespace signalbox {

struct JsonScanner::Index {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

namespace {

constexpr std::size_t kFirstCapacity = 4096;

constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/// Absent when `token` is no scalar.
JsonType scalar_type(std::string_view token, NumberShape& shape) {
  switch (token[0]) {
    case 't':
      return token == "true" ? JsonType::True : JsonType::Absent;
    case 'f':
      return token == "false" ? JsonType::False : JsonType::Absent;
    case 'n':
      return token == "null" ? JsonType::Null : JsonType::Absent;
    case 'N':
      return token == "NaN" ? JsonType::NotFinite : JsonType::Absent;
    case 'I':
      return token == "Infinity" ? JsonType::NotFinite : JsonType::Absent;
    default:
      shape = number_shape(token);
      if (shape != NumberShape::NotANumber) return JsonType::Number;
      return token == "-Infinity" ? JsonType::NotFinite : JsonType::Absent;
  }
}

}  // namespace

std::string_view name_of(JsonType type) {
  constexpr std::array<std::string_view, 9> names{"nothing",   "null",     "a boolean",
                                                  "a boolean", "a number", "not a finite number",
                                                  "a string",  "an array", "an object"};
  return names[static_cast<std::size_t>(type)];
}

JsonScanner::JsonScanner() : index_(std::make_unique<Index>()) {}

JsonScanner::~JsonScanner() = default;

std::optional<Reject> JsonScanner::index_payload(std::string_view payload) {
  payload_ = payload;
  auto& parser = index_->parser;
  if (!parser || parser->capacity() < payload.size()) {
    const std::size_t capacity = std::max(kFirstCapacity, std::bit_ceil(payload.size()));
    const auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
        capacity, /*max_depth=*/1, parser);
    SB_CHECK(!error);
  }
  const auto error = parser->stage1(reinterpret_cast<const std::uint8_t*>(payload.data()),
                                    payload.size(), simdjson::stage1_mode::regular);
  if (!error) {
    marks_ = {parser->structural_indexes.get(), parser->n_structural_indexes};
    return std::nullopt;
  }
  // The first stage may stop at something else before it has judged the encoding.
  if (!simdjson::validate_utf8(payload)) {
    return Reject{RejectReason::NotUtf8, "the payload is not UTF-8"};
  }
  if (error == simdjson::EMPTY) return Reject{RejectReason::NotJson, "the payload is empty"};
  if (error == simdjson::UNCLOSED_STRING) {
    return Reject{RejectReason::NotJson, "a string is not closed"};
  }
  if (error == simdjson::UNESCAPED_CHARS) {
    return Reject{RejectReason::NotJson, "a string holds a control character"};
  }
  return Reject{RejectReason::NotJson, simdjson::error_message(error)};
}

/// From the current mark to the next, without the white space between them.
inline std::string_view JsonScanner::token() const {
  const std::size_t begin = marks_[at_];
  std::size_t end = at_ + 1 < marks_.size() ? marks_[at_ + 1] : payload_.size();
  while (end > begin && is_space(payload_[end - 1])) --end;
  return payload_.substr(begin, end - begin);
}

inline bool JsonScanner::read_string(JsonValue& value) {
  const std::string_view quoted = token();
  // Nothing but white space stands behind the closing quote: the first stage marks all else.
  if (quoted.size() < 2 || !quoted.ends_with('"')) return fail("a string");
  value.type = JsonType::String;
  value.text = quoted.substr(1, quoted.size() - 2);
  if (has_backslash_ && value.text.contains('\\')) {
    value.has_escapes = true;
    if (!has_valid_escapes(value.text)) return fail("a string with valid escapes");
  }
  ++at_;
  return true;
}

inline bool JsonScanner::read_scalar(JsonValue& value) {
  if (at_ >= marks_.size()) return fail("a value");
  value.text = token();
  if (!value.text.empty()) value.type = scalar_type(value.text, value.shape);
  if (value.type == JsonType::Absent) return fail("a value");
  ++at_;
  return true;
}

/// A key of any level, and the colon behind it.
inline bool JsonScanner::read_key(JsonValue& key) {
  if (current() != '"') return fail("a key");
  if (!read_string(key)) return false;
  if (current() != ':') return fail("`:`");
  ++at_;
  return true;
}

inline bool JsonScanner::read_leaf(JsonValue& value) {
  value = {};
  return current() == '"' ? read_string(value) : read_scalar(value);
}

std::optional<Reject> JsonScanner::open(std::string_view payload) {
  if (std::optional<Reject> reject = index_payload(payload)) return reject;
  at_ = 0;
  has_backslash_ = payload.contains('\\');
  if (current() == '{') return std::nullopt;
  JsonValue value;
  if (!read_value(value) || !expect_end()) return failure_;
  return Reject{RejectReason::NotAnObject,
                "an object is expected, found " + std::string(name_of(value.type))};
}

JsonStep JsonScanner::next_key(std::string_view& key) {
  // What nearly every key looks like, judged with four comparisons; all else takes the long way.
  if (at_ + 3 < marks_.size() && !has_backslash_) {
    const char* const text = payload_.data();
    const std::uint32_t* const mark = marks_.data() + at_;
    const std::uint32_t quote = mark[1];
    const std::uint32_t colon = mark[2];
    const bool follows = text[mark[0]] == ',' || at_ == 0;
    if (follows && text[quote] == '"' && text[colon] == ':' && text[colon - 1] == '"' &&
        colon - quote > 1) {
      key = {text + quote + 1, colon - quote - 2};
      at_ += 3;
      return JsonStep::Key;
    }
  }
  return next_key_of_any_form(key);
}

JsonStep JsonScanner::next_key_of_any_form(std::string_view& key) {
  const bool is_first = at_ == 0;
  if (is_first) ++at_;
  if (current() == '}') {
    closing_brace_ = marks_[at_];
    ++at_;
    return expect_end() ? JsonStep::End : JsonStep::Malformed;
  }
  if (!is_first) {
    if (current() != ',') {
      fail("`,` or `}`");
      return JsonStep::Malformed;
    }
    ++at_;
  }
  JsonValue quoted;
  if (!read_key(quoted)) return JsonStep::Malformed;
  key = quoted.text;
  if (quoted.has_escapes) {
    key_ = unescaped(quoted.text);
    key = key_;
  }
  return JsonStep::Key;
}

JsonType JsonScanner::next_type() const {
  const char first = current();
  if (first == '{') return JsonType::Object;
  return first == '[' ? JsonType::Array : JsonType::String;
}

JsonStep JsonScanner::next_member(JsonValue& key) {
  // Right behind its opening brace an object has no comma. No value ends with such a brace.
  if (payload_[marks_[at_ - 1]] != '{') {
    if (current() == ',') {
      ++at_;
      return read_key(key) ? JsonStep::Key : JsonStep::Malformed;
    }
    if (current() != '}') {
      fail("`,` or `}`");
      return JsonStep::Malformed;
    }
  }
  if (current() == '}') {
    ++at_;
    return JsonStep::End;
  }
  return read_key(key) ? JsonStep::Key : JsonStep::Malformed;
}

JsonStep JsonScanner::next_element() {
  const bool is_first = payload_[marks_[at_ - 1]] == '[';
  if (current() == ']') {
    ++at_;
    return JsonStep::End;
  }
  if (is_first) return JsonStep::Key;
  if (current() != ',') {
    fail("`,` or `]`");
    return JsonStep::Malformed;
  }
  ++at_;
  return JsonStep::Key;
}

bool JsonScanner::read_value(JsonValue& value) {
  const char first = current();
  if (first != '{' && first != '[') return read_leaf(value);
  value = {};
  value.type = first == '{' ? JsonType::Object : JsonType::Array;
  return skip_container();
}

/// Checks a nested array or object, of which nobody reads anything.
bool JsonScanner::skip_container() {
  std::bitset<kDepthMax> is_object;
  std::size_t depth = 0;
  container_depth_ = 0;
  JsonValue key;
  JsonValue value;
  for (;;) {
    // Here a value begins.
    const char opening = current();
    if (opening == '{' || opening == '[') {
      // The object that is walked is a level too.
      if (depth + 1 == kDepthMax) return fail("at most 1024 levels");
      is_object.set(depth++, opening == '{');
      container_depth_ = std::max(container_depth_, depth);
      ++at_;
      if (current() != (opening == '{' ? '}' : ']')) {
        if (opening == '{' && !read_key(key)) return false;
        continue;
      }
    } else if (!read_leaf(value)) {
      return false;
    }
    // Here a value has ended, or an empty container is about to.
    while (current() == (is_object[depth - 1] ? '}' : ']')) {
      ++at_;
      if (--depth == 0) return true;
    }
    if (current() != ',') return fail(is_object[depth - 1] ? "`,` or `}`" : "`,` or `]`");
    ++at_;
    if (is_object[depth - 1] && !read_key(key)) return false;
  }
}

bool JsonScanner::expect_end() { return at_ == marks_.size() || fail("the end"); }

bool JsonScanner::fail(std::string_view expected) {
  failure_.detail = "expected " + std::string(expected);
  if (at_ >= marks_.size()) {
    failure_.detail += ", found the end";
  } else {
    failure_.detail += " at byte " + std::to_string(marks_[at_]) + ", found `" +
                       excerpt(payload_.substr(marks_[at_])) + "`";
  }
  return false;
}

}  // namespace signalbox
