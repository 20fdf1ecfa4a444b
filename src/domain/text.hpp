#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace signalbox {

/// The whole of `text` as a decimal integer; nullopt for anything else.
template <typename Integer>
std::optional<Integer> integer_from(std::string_view text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

template <typename Integer>
void append_integer(std::string& out, Integer value) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, static_cast<std::size_t>(end - digits));
}

/// Splits at each `separator`; "a||b" has three parts, the empty text one.
template <typename Visit>
void for_each_part(std::string_view text, char separator, Visit&& visit) {
  for (;;) {
    const std::size_t at = text.find(separator);
    visit(text.substr(0, at));
    if (at == std::string_view::npos) return;
    text.remove_prefix(at + 1);
  }
}

}  // namespace signalbox
