#include "adapters/json_text.hpp"

#include <charconv>
#include <cstdint>
#include <optional>

namespace signalbox {
namespace {

constexpr std::size_t kExcerptMax = 60;

constexpr bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
constexpr bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

/// The four digits of a `\u` at the front of `text`.
std::optional<std::uint32_t> utf16_unit(std::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  std::uint32_t unit = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
  if (error != std::errc{} || end != text.data() + 6) return std::nullopt;
  return unit;
}

struct Escape {
  std::uint32_t code_point;
  std::size_t length;  ///< of the escape in the JSON text
};

/// The escape at the front of `text`, which begins with a backslash.
std::optional<Escape> escape_at(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  switch (text[1]) {
    case '"':
    case '\\':
    case '/':
      return Escape{static_cast<std::uint32_t>(text[1]), 2};
    case 'b':
      return Escape{'\b', 2};
    case 'f':
      return Escape{'\f', 2};
    case 'n':
      return Escape{'\n', 2};
    case 'r':
      return Escape{'\r', 2};
    case 't':
      return Escape{'\t', 2};
    case 'u':
      break;
    default:
      return std::nullopt;
  }
  const auto first = utf16_unit(text);
  if (!first || is_low_surrogate(*first)) return std::nullopt;
  if (!is_high_surrogate(*first)) return Escape{*first, 6};
  const auto second = utf16_unit(text.substr(6));
  if (!second || !is_low_surrogate(*second)) return std::nullopt;
  return Escape{0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00), 12};
}

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto append = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  const auto append_rest = [&](unsigned shift) { append(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    append(code_point);
  } else if (code_point < 0x800) {
    append(0xC0 | code_point >> 6);
    append_rest(0);
  } else if (code_point < 0x10000) {
    append(0xE0 | code_point >> 12);
    append_rest(6);
    append_rest(0);
  } else {
    append(0xF0 | code_point >> 18);
    append_rest(12);
    append_rest(6);
    append_rest(0);
  }
}

constexpr bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

bool has_valid_escapes(std::string_view text) {
  for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\')) {
    const auto escape = escape_at(text.substr(at));
    if (!escape) return false;
    text.remove_prefix(at + escape->length);
  }
  return true;
}

std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\')) {
    result.append(text.substr(0, at));
    const auto escape = escape_at(text.substr(at));
    if (!escape) return result;
    append_utf8(result, escape->code_point);
    text.remove_prefix(at + escape->length);
  }
  return result.append(text);
}

std::string excerpt(std::string_view text) {
  std::size_t length = text.size();
  if (length > kExcerptMax) {
    length = kExcerptMax;
    while (length > 0 && continues_character(text[length])) --length;
  }
  std::string result{text.substr(0, length)};
  for (char& c : result) {
    if ((c >= 0 && c < ' ') || c == '\x7F') c = '?';
  }
  if (length < text.size()) result += "…";
  return result;
}

}  // namespace signalbox
