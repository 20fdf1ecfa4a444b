#pragma once

#include <cstdint>
#include <string_view>

namespace signalbox {

/// How a JSON number is written.
enum class NumberShape : std::uint8_t {
  NotANumber,
  Integer,   ///< 418
  Decimal,   ///< 115001.37
  Exponent,  ///< 1.5e3
};

/// Judges the whole of `text` by the grammar of JSON: no plus sign, no leading zeros, no bare
/// point. Inline, since every number of every message passes here.
constexpr NumberShape number_shape(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto is_digit = [&] { return at != end && *at >= '0' && *at <= '9'; };
  if (at != end && *at == '-') ++at;
  if (!is_digit()) return NumberShape::NotANumber;
  if (*at == '0') {
    ++at;
  } else {
    while (is_digit()) ++at;
  }
  if (at == end) return NumberShape::Integer;
  if (*at == '.') {
    ++at;
    if (!is_digit()) return NumberShape::NotANumber;
    while (is_digit()) ++at;
    if (at == end) return NumberShape::Decimal;
  }
  if (*at != 'e' && *at != 'E') return NumberShape::NotANumber;
  ++at;
  if (at != end && (*at == '+' || *at == '-')) ++at;
  if (!is_digit()) return NumberShape::NotANumber;
  while (is_digit()) ++at;
  return at == end ? NumberShape::Exponent : NumberShape::NotANumber;
}

/// The double nearest to `number`, which must be a JSON number; infinite when it is too large for
/// one, and zero when it is too small.
double number_value(std::string_view number);

/// Whether a JSON number fits a double.
bool is_finite_number(std::string_view number, NumberShape shape);

/// Whether `text` is how some language writes a number that is none: NaN, Infinity, -inf …
bool names_a_non_finite_number(std::string_view text);

}  // namespace signalbox
