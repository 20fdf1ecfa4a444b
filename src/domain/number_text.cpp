#include "domain/number_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>

namespace signalbox {
namespace {

/// Below this many digits an integer is exact in a double.
constexpr std::size_t kExactDigits = 15;

/// Far beyond what the longest payload can make up for with digits, far below an overflow.
constexpr std::int64_t kExponentMax = 1'000'000'000'000;

constexpr std::array kPowersOfTen{1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/// Digits / power of ten, both exact in a double, so that the quotient is rounded only once.
std::optional<double> short_value(std::string_view number) {
  const bool is_negative = number.starts_with('-');
  if (is_negative) number.remove_prefix(1);
  if (number.size() > kExactDigits + 1) return std::nullopt;
  std::uint64_t digits = 0;
  std::size_t point = number.size();
  for (std::size_t i = 0; i < number.size(); ++i) {
    if (number[i] >= '0' && number[i] <= '9') {
      digits = digits * 10 + static_cast<std::uint64_t>(number[i] - '0');
    } else if (number[i] == '.') {
      point = i;
    } else {
      return std::nullopt;
    }
  }
  const std::size_t decimals = point == number.size() ? 0 : number.size() - point - 1;
  if (decimals == 0 && number.size() > kExactDigits) return std::nullopt;
  const double value = static_cast<double>(digits) / kPowersOfTen[decimals];
  return is_negative ? -value : value;
}

/// Whether the first digit that counts stands before the point, once the exponent is applied.
/// Tells the too large from the too small among what does not fit a double.
bool is_large(std::string_view number) {
  if (number.starts_with('-')) number.remove_prefix(1);
  const std::size_t exponent_at = std::min(number.find_first_of("eE"), number.size());
  const std::string_view mantissa = number.substr(0, exponent_at);
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  const std::size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return false;
  const std::int64_t magnitude =
      static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  if (exponent_at == number.size()) return magnitude > 0;
  std::string_view digits = number.substr(exponent_at + 1);
  const bool is_negative = digits.starts_with('-');
  if (is_negative || digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t exponent = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  if (error != std::errc{}) return !is_negative;
  exponent = std::min(exponent, kExponentMax);
  return magnitude + (is_negative ? -exponent : exponent) > 0;
}

/// The grammar, one character after the other.
NumberShape shape_by_character(std::string_view text) {
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

/// The high bit of each byte of `word` that is no digit, all other bits 0.
constexpr std::uint64_t non_digits(std::uint64_t word) {
  const std::uint64_t value = word ^ 0x3030'3030'3030'3030U;
  return (((value & 0x7F7F'7F7F'7F7F'7F7FU) + 0x7676'7676'7676'7676U) | value) &
         0x8080'8080'8080'8080U;
}

/// As std::has_single_bit, which costs a call where the processor may lack the instruction.
constexpr bool has_at_most_one_bit(std::uint64_t word) { return (word & (word - 1)) == 0; }

/// The eight bytes of `text` from `at` on, which must be there.
std::uint64_t load_word(std::string_view text, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, &text[at], sizeof word);
  return word;
}

/// Judges what most prices and times are, 8 to 16 digits with at most one point among them, in
/// two steps of eight bytes that may overlap. NotANumber means that it is something else.
NumberShape shape_by_word(std::string_view text) {
  const std::uint64_t front = non_digits(load_word(text, 0));
  const std::uint64_t back = non_digits(load_word(text, text.size() - 8));
  const bool leading_zero = text[0] == '0';
  if ((front | back) == 0) return leading_zero ? NumberShape::NotANumber : NumberShape::Integer;
  if (!has_at_most_one_bit(front) || !has_at_most_one_bit(back)) return NumberShape::NotANumber;
  const auto position = [](std::uint64_t flags) {
    return static_cast<std::size_t>(std::countr_zero(flags)) / 8;
  };
  const std::size_t in_back = text.size() - 8 + position(back);
  const std::size_t point = front != 0 ? position(front) : in_back;
  if (back != 0 && in_back != point) return NumberShape::NotANumber;
  const bool is_decimal =
      text[point] == '.' && point > 0 && point + 1 < text.size() && (!leading_zero || point == 1);
  return is_decimal ? NumberShape::Decimal : NumberShape::NotANumber;
}

}  // namespace

NumberShape number_shape(std::string_view text) {
  if (std::endian::native == std::endian::little && text.size() >= 8 && text.size() <= 16) {
    const NumberShape shape = shape_by_word(text);
    if (shape != NumberShape::NotANumber) return shape;
  }
  return shape_by_character(text);
}

double number_value(std::string_view number) {
  if (const std::optional<double> value = short_value(number)) return *value;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc{}) return value;
  const double sign = number.starts_with('-') ? -1.0 : 1.0;
  return is_large(number) ? sign * std::numeric_limits<double>::infinity() : sign * 0.0;
}

bool is_plainly_above(std::string_view a, std::string_view b) {
  const auto is_digit = [](std::string_view number, std::size_t at) {
    return at < number.size() && number[at] >= '0' && number[at] <= '9';
  };
  std::size_t at = 0;
  while (is_digit(a, at) && is_digit(b, at) && a[at] == b[at]) ++at;
  const bool is_greater = is_digit(a, at) && is_digit(b, at) && a[at] > b[at];
  // As many digits before the point (or the end) in both: the first that differs decides.
  while (is_digit(a, at) && is_digit(b, at)) ++at;
  return is_greater && !is_digit(a, at) && !is_digit(b, at);
}

bool is_finite_number(std::string_view number, NumberShape shape) {
  if (shape != NumberShape::Exponent && number.size() < kAlwaysFiniteLength) return true;
  return std::isfinite(number_value(number));
}

bool names_a_non_finite_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  constexpr std::array<std::string_view, 3> names{"nan", "inf", "infinity"};
  return std::ranges::any_of(names, [&](std::string_view name) {
    return std::ranges::equal(text, name, [](char c, char expected) {
      return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == expected;
    });
  });
}

}  // namespace signalbox
