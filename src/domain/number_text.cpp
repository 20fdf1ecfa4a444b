#include "domain/number_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

namespace signalbox {
namespace {

/// Below this many digits an integer is exact in a double.
constexpr std::size_t kExactDigits = 15;

/// Without an exponent, fewer characters than this cannot exceed the largest double.
constexpr std::size_t kAlwaysFiniteLength = 300;

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

}  // namespace

double number_value(std::string_view number) {
  if (const std::optional<double> value = short_value(number)) return *value;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc{}) return value;
  const double sign = number.starts_with('-') ? -1.0 : 1.0;
  return is_large(number) ? sign * std::numeric_limits<double>::infinity() : sign * 0.0;
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
