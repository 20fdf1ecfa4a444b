#include "domain/number_text.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace signalbox {
namespace {

TEST(NumberShape, KnowsTheGrammarOfJson) {
  for (const char* text : {"0", "-0", "7", "418", "-12", "9007199254740993"}) {
    EXPECT_EQ(number_shape(text), NumberShape::Integer) << text;
  }
  for (const char* text : {"0.0", "-0.5", "115001.37", "10.000"}) {
    EXPECT_EQ(number_shape(text), NumberShape::Decimal) << text;
  }
  for (const char* text : {"1e5", "0e0", "1E+5", "-1.5e-300", "2.0E07"}) {
    EXPECT_EQ(number_shape(text), NumberShape::Exponent) << text;
  }
}

TEST(NumberShape, RefusesEverythingElse) {
  for (const char* text : {"",      "-",   "+1",       "01",   "-01", "00",  ".5",  "1.",    "1.e5",
                           "1e",    "1e+", "1e5.0",    "0x10", "1 ",  " 1",  "1,5", "1_000", "--1",
                           "1.2.3", "NaN", "Infinity", "1f",   "e5",  "-.5", "1ee5"}) {
    EXPECT_EQ(number_shape(text), NumberShape::NotANumber) << text;
  }
}

TEST(NumberValue, IsTheNearestDouble) {
  for (const char* text :
       {"0", "-0", "0.1", "0.3", "-115001.37", "3.10254", "190904.2", "123456789012345",
        "1234567890.12345", "12345678901234567890", "0.00000000000000000012345", "1e22", "1.5e-7",
        "179769313486231570000000000000000000000", "9007199254740993", "4.9e-324"}) {
    EXPECT_EQ(number_value(text), std::strtod(text, nullptr)) << text;
  }
  EXPECT_TRUE(std::signbit(number_value("-0")));
}

TEST(NumberValue, TellsTooLargeFromTooSmall) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(number_value("1e309"), kInfinity);
  EXPECT_EQ(number_value("-1e309"), -kInfinity);
  EXPECT_EQ(number_value("1e99999999999999999999999"), kInfinity);
  EXPECT_EQ(number_value("0." + std::string(400, '0') + "1e800"), kInfinity);
  EXPECT_EQ(number_value(std::string(400, '9')), kInfinity);
  EXPECT_EQ(number_value("1e-400"), 0.0);
  EXPECT_EQ(number_value("-1e-99999999999999999999999"), 0.0);
  EXPECT_EQ(number_value("0." + std::string(400, '0') + "1"), 0.0);
  EXPECT_EQ(number_value("0e999999999999999999999"), 0.0);
}

TEST(IsFiniteNumber, LooksAtLongNumbersAndExponents) {
  EXPECT_TRUE(is_finite_number("1e308", NumberShape::Exponent));
  EXPECT_FALSE(is_finite_number("1e309", NumberShape::Exponent));
  EXPECT_TRUE(is_finite_number(std::string(308, '9'), NumberShape::Integer));
  EXPECT_FALSE(is_finite_number(std::string(310, '9'), NumberShape::Integer));
  EXPECT_TRUE(is_finite_number("0." + std::string(2000, '9'), NumberShape::Decimal));
}

TEST(IsPlainlyAbove, SeesWhatTheWholeDigitsTell) {
  EXPECT_TRUE(is_plainly_above("115020.0", "114955.5"));
  EXPECT_TRUE(is_plainly_above("2", "1"));
  EXPECT_TRUE(is_plainly_above("20", "19.99999"));
  EXPECT_TRUE(is_plainly_above("10.5", "00"));
}

TEST(IsPlainlyAbove, SaysNothingOtherwise) {
  for (const auto& [a, b] : {std::pair{"1.0", "1.0"},
                             {"1.5", "1.2"},
                             {"10", "9"},
                             {"9", "10"},
                             {"1", "2"},
                             {"-1", "-2"},
                             {"5", "-5"},
                             {"-5", "5"},
                             {"90", "100"},
                             {"114955.5", "115020.0"},
                             {"19", "2"},
                             {"2", "19"}}) {
    EXPECT_FALSE(is_plainly_above(a, b)) << a << " " << b;
  }
}

TEST(NumberShape, JudgesEveryLengthAndEveryPlaceOfAPointAlike) {
  for (std::size_t size = 1; size <= 20; ++size) {
    const std::string digits = std::string("12345678901234567890").substr(0, size);
    EXPECT_EQ(number_shape(digits), NumberShape::Integer) << digits;
    for (std::size_t at = 0; at < size; ++at) {
      std::string text = digits;
      text[at] = '.';
      const bool is_inside = at > 0 && at + 1 < size;
      EXPECT_EQ(number_shape(text), is_inside ? NumberShape::Decimal : NumberShape::NotANumber)
          << text;
      for (const char other : {'/', ':', ' ', 'x', '-', '+', '\0', '\x80', '\xB1', '\xFF'}) {
        text[at] = other;
        const bool is_sign = other == '-' && at == 0 && size > 1;
        EXPECT_EQ(number_shape(text), is_sign ? NumberShape::Integer : NumberShape::NotANumber)
            << text;
      }
      for (std::size_t second = at + 1; second < size; ++second) {
        text[at] = '.';
        text[second] = '.';
        EXPECT_EQ(number_shape(text), NumberShape::NotANumber) << text;
        text[second] = digits[second];
      }
    }
  }
}

TEST(NamesANonFiniteNumber, InAnyCaseAndSign) {
  for (const char* text : {"NaN", "nan", "-NaN", "inf", "+Inf", "-inf", "Infinity", "-INFINITY"}) {
    EXPECT_TRUE(names_a_non_finite_number(text)) << text;
  }
  for (const char* text : {"", "-", "1", "nano", "in", "infinit", "--inf"}) {
    EXPECT_FALSE(names_a_non_finite_number(text)) << text;
  }
}

}  // namespace
}  // namespace signalbox
