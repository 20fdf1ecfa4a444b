#include "adapters/canonical_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace signalbox {
namespace {

using Members = std::map<std::string, std::string>;

void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out.append("\\u00");
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  out += '"';
}

/// UTF-8, of half a surrogate pair too: it only has to be told apart.
void append_code_point(std::string& out, unsigned code) {
  const auto add = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0U | code >> 6U);
    add(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    add(0xE0U | code >> 12U);
    add(0x80U | (code >> 6U & 0x3FU));
    add(0x80U | (code & 0x3FU));
  } else {
    add(0xF0U | code >> 18U);
    add(0x80U | (code >> 12U & 0x3FU));
    add(0x80U | (code >> 6U & 0x3FU));
    add(0x80U | (code & 0x3FU));
  }
}

std::string float_text(std::string_view token) {
  double value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  // Too large or too small for a double: only strtod says which.
  if (error == std::errc::result_out_of_range) value = std::strtod(std::string(token).c_str(), {});
  std::array<char, 32> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  std::string text(digits.data(), written.ptr);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool members(Members& out, unsigned depth) {
    if (depth > kCanonicalDepthMax || !take('{')) return false;
    if (take('}')) return true;
    do {
      std::string key;
      std::string value;
      skip_spaces();
      if (!string(key) || !take(':') || !this->value(value, depth)) return false;
      out.insert_or_assign(std::move(key), std::move(value));
    } while (take(','));
    return take('}');
  }

  bool at_end() {
    skip_spaces();
    return at_ == text_.size();
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_spaces() {
    while (at_ < text_.size() && std::string_view{" \t\r\n"}.contains(text_[at_])) ++at_;
  }

  bool take(char wanted) {
    skip_spaces();
    if (peek() != wanted || at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  bool value(std::string& out, unsigned depth) {
    skip_spaces();
    if (peek() == '{') return object(out, depth + 1);
    if (peek() == '[') return array(out, depth + 1);
    if (peek() != '"') return scalar(out);
    std::string text;
    if (!string(text)) return false;
    append_quoted(out, text);
    return true;
  }

  bool object(std::string& out, unsigned depth) {
    Members inner;
    if (!members(inner, depth)) return false;
    out += '{';
    for (const auto& [key, value] : inner) {
      if (out.size() > 1) out += ',';
      append_quoted(out, key);
      out.append(":").append(value);
    }
    out += '}';
    return true;
  }

  bool array(std::string& out, unsigned depth) {
    if (depth > kCanonicalDepthMax || !take('[')) return false;
    out += '[';
    if (!take(']')) {
      do {
        std::string element;
        if (!value(element, depth)) return false;
        if (out.size() > 1) out += ',';
        out += element;
      } while (take(','));
      if (!take(']')) return false;
    }
    out += ']';
    return true;
  }

  bool scalar(std::string& out) {
    const std::size_t end = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
    const std::string_view token = text_.substr(at_, end - at_);
    at_ = end;
    if (token == "true" || token == "false" || token == "null") {
      out += token;
    } else if (token == "NaN") {
      out += "nan";
    } else if (token == "Infinity" || token == "-Infinity") {
      out += token.starts_with('-') ? "-inf" : "inf";
    } else if (token.empty() || token.find_first_not_of("0123456789+-.eE") != token.npos) {
      return false;
    } else if (token.find_first_of(".eE") == token.npos) {
      out += token == "-0" ? "0" : token;
    } else {
      out += float_text(token);
    }
    return true;
  }

  bool string(std::string& out) {
    if (peek() != '"') return false;
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] != '\\') {
        out += text_[at_++];
      } else if (!escape(out)) {
        return false;
      }
    }
    if (at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  bool escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    ++at_;
    const char name = peek();
    if (name != 'u') {
      const std::size_t which = kNames.find(name);
      if (which == kNames.npos || at_ == text_.size()) return false;
      out += kMeant[which];
      ++at_;
      return true;
    }
    ++at_;
    std::optional<unsigned> code = four_digits();
    if (!code) return false;
    const bool is_high = *code >= 0xD800 && *code < 0xDC00;
    if (is_high && text_.substr(at_, 2) == "\\u") {
      const std::size_t before = at_;
      at_ += 2;
      const auto low = four_digits();
      if (low && *low >= 0xDC00 && *low < 0xE000) {
        code = 0x10000U + ((*code - 0xD800U) << 10U) + (*low - 0xDC00U);
      } else {
        at_ = before;
      }
    }
    append_code_point(out, *code);
    return true;
  }

  std::optional<unsigned> four_digits() {
    const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
    unsigned code = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc{} || end != digits.data() + 4) return std::nullopt;
    at_ += 4;
    return code;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::map<std::string, std::string>> canonical_members(std::string_view object) {
  Reader reader{object};
  Members members;
  if (!reader.members(members, 1) || !reader.at_end()) return std::nullopt;
  return members;
}

std::string_view plain_text(std::string_view canonical) {
  const bool is_string =
      canonical.size() >= 2 && canonical.starts_with('"') && canonical.ends_with('"');
  if (!is_string || canonical.contains('\\')) return {};
  return canonical.substr(1, canonical.size() - 2);
}

}  // namespace signalbox
