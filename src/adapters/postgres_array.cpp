#include "adapters/postgres_array.hpp"

#include <algorithm>
#include <array>

#include "domain/text.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_plain_number(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
  });
}

void append_padded(std::string& out, std::int64_t value, std::size_t width) {
  std::array<char, 20> digits{};
  for (std::size_t i = width; i-- > 0; value /= 10) {
    digits[i] = static_cast<char>('0' + value % 10);
  }
  out.append(digits.data(), width);
}

/// `fraction` is in units of 10^-`fraction_digits` s.
std::string time_text(std::chrono::sys_seconds seconds, std::int64_t fraction,
                      std::size_t fraction_digits) {
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{seconds - day};
  std::string text;
  text.reserve(32);
  append_padded(text, static_cast<int>(date.year()), 4);
  text += '-';
  append_padded(text, static_cast<unsigned>(date.month()), 2);
  text += '-';
  append_padded(text, static_cast<unsigned>(date.day()), 2);
  text += ' ';
  append_padded(text, time.hours().count(), 2);
  text += ':';
  append_padded(text, time.minutes().count(), 2);
  text += ':';
  append_padded(text, time.seconds().count(), 2);
  if (fraction != 0) {
    text += '.';
    append_padded(text, fraction, fraction_digits);
  }
  return text += "+00";
}

/// Years that chrono's calendar can hold; beyond them floor<days> itself would be wrong.
template <typename Duration>
bool is_in_calendar(std::chrono::sys_time<Duration> time) {
  constexpr std::chrono::sys_days low{std::chrono::year{1} / 1 / 1};
  constexpr std::chrono::sys_days high{std::chrono::year{10000} / 1 / 1};
  return time >= low && time < high;
}

template <typename Duration>
std::optional<std::string> time_text_of(std::chrono::sys_time<Duration> time, std::size_t digits) {
  if (!is_in_calendar(time)) return std::nullopt;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return time_text(seconds, (time - seconds).count(), digits);
}

}  // namespace

std::optional<std::string> postgres_time(EventTime time) { return time_text_of(time, 3); }
std::optional<std::string> postgres_time(ReceivedAt time) { return time_text_of(time, 6); }

void PostgresArray::clear() {
  text_ = "{";
  is_ended_ = false;
}

void PostgresArray::separate() {
  if (text_.size() > 1) text_ += ',';
}

void PostgresArray::add_raw(std::string_view text) {
  separate();
  text_ += text;
}

void PostgresArray::add_null() { add_raw("NULL"); }

void PostgresArray::add_text(std::string_view text) {
  separate();
  text_ += '"';
  constexpr std::string_view kSpecial{"\"\\\0", 3};
  for (;;) {
    const std::size_t at = text.find_first_of(kSpecial);
    text_ += text.substr(0, at);
    if (at == std::string_view::npos) break;
    if (text[at] == '\0') {
      text_ += kReplacement;
    } else {
      text_ += '\\';
      text_ += text[at];
    }
    text.remove_prefix(at + 1);
  }
  text_ += '"';
}

void PostgresArray::add_optional_text(const std::optional<std::string>& text) {
  if (text) {
    add_text(*text);
  } else {
    add_null();
  }
}

void PostgresArray::add_number(std::string_view text) {
  if (text.empty()) return add_null();
  if (is_plain_number(text)) return add_raw(text);
  add_text(text);
}

void PostgresArray::add_integer(std::int64_t value) {
  separate();
  append_integer(text_, value);
}

void PostgresArray::add_bytes(std::string_view bytes) {
  if (bytes.data() == nullptr) return add_null();
  constexpr std::string_view kDigits = "0123456789abcdef";
  separate();
  text_ += "\"\\\\x";
  text_.reserve(text_.size() + 2 * bytes.size() + 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text_ += kDigits[byte >> 4U];
    text_ += kDigits[byte & 15U];
  }
  text_ += '"';
}

void PostgresArray::add_time(std::optional<EventTime> time) {
  const auto text = time ? postgres_time(*time) : std::nullopt;
  if (!text) return add_null();
  add_text(*text);
}

const char* PostgresArray::literal() {
  if (!is_ended_) text_ += '}';
  is_ended_ = true;
  return text_.c_str();
}

}  // namespace signalbox
