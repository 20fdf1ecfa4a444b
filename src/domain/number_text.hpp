#pragma once

#include <cstddef>
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
/// point.
NumberShape number_shape(std::string_view text);

/// The double nearest to `number`, which must be a JSON number; infinite when it is too large for
/// one, and zero when it is too small.
double number_value(std::string_view number);

/// Whether `a` > `b` can be seen from the digits before the point. Both must be JSON numbers
/// without an exponent; false says nothing.
bool is_plainly_above(std::string_view a, std::string_view b);

/// Without an exponent, fewer characters than this cannot exceed the largest double.
inline constexpr std::size_t kAlwaysFiniteLength = 300;

/// Whether a JSON number fits a double.
bool is_finite_number(std::string_view number, NumberShape shape);

/// Whether `text` is how some language writes a number that is none: NaN, Infinity, -inf …
bool names_a_non_finite_number(std::string_view text);

}  // namespace signalbox
