#include "app/env.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>

#include <unistd.h>

namespace signalbox {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_name(std::string_view name) {
  const auto is_part = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::all_of(name.begin(), name.end(), is_part);
}

bool is_end_of_value(std::string_view rest) {
  rest = trim(rest);
  return rest.empty() || rest.front() == '#';
}

char unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    default:
      return c;
  }
}

/// The text between double quotes; nothing when they do not close or something follows them.
std::optional<std::string> double_quoted(std::string_view text) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (is_end_of_value(text.substr(i + 1))) return value;
      return std::nullopt;
    }
    const bool is_escape = text[i] == '\\' && i + 1 < text.size() &&
                           std::string_view{"ntr\"\\$"}.contains(text[i + 1]);
    value += is_escape ? unescaped(text[++i]) : text[i];
  }
  return std::nullopt;
}

std::optional<std::string> single_quoted(std::string_view text) {
  const std::size_t close = text.find('\'', 1);
  if (close == std::string_view::npos || !is_end_of_value(text.substr(close + 1))) {
    return std::nullopt;
  }
  return std::string{text.substr(1, close - 1)};
}

/// A `#` begins a comment only after a blank: passwords hold them.
std::string unquoted(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#' && (i == 0 || is_blank(text[i - 1]))) {
      text = text.substr(0, i);
      break;
    }
  }
  return std::string{trim(text)};
}

std::optional<std::string> value_of(std::string_view text) {
  text = trim(text);
  if (text.starts_with('"')) return double_quoted(text);
  if (text.starts_with('\'')) return single_quoted(text);
  return unquoted(text);
}

struct Line {
  std::string name;
  std::string value;
};

std::optional<Line> parse_line(std::string_view line) {
  constexpr std::string_view kExport = "export";
  if (line.starts_with(kExport) && line.size() > kExport.size() && is_blank(line[kExport.size()])) {
    line = trim(line.substr(kExport.size()));
  }
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const std::string_view name = trim(line.substr(0, equals));
  std::optional<std::string> value = value_of(line.substr(equals + 1));
  if (!is_name(name) || !value) return std::nullopt;
  return Line{std::string{name}, std::move(*value)};
}

}  // namespace

Environment Environment::of_process() {
  Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return Environment{std::move(variables)};
}

std::optional<std::string> Environment::find(std::string_view name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

Environment Environment::over(const Environment& other) const {
  Variables both = variables_;
  both.insert(other.variables_.begin(), other.variables_.end());
  return Environment{std::move(both)};
}

std::expected<Environment, std::string> parse_env_file(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Environment::Variables variables;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    std::optional<Line> parsed = parse_line(line);
    if (!parsed) {
      return std::unexpected("line " + std::to_string(number) +
                             " is none of NAME=value, NAME='value', NAME=\"value\", a comment");
    }
    // The last one wins, as in a shell that sources the file.
    variables[std::move(parsed->name)] = std::move(parsed->value);
  }
  return Environment{std::move(variables)};
}

}  // namespace signalbox
