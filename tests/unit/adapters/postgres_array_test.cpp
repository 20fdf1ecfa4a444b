#include "adapters/postgres_array.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

TEST(PostgresArray, AnEmptyArrayIsTwoBraces) { EXPECT_STREQ(PostgresArray{}.literal(), "{}"); }

TEST(PostgresArray, EscapesQuotesAndBackslashesAndNothingElse) {
  PostgresArray array;
  array.add_text(R"(a"b\c)");
  array.add_text("{x,y} NULL\n");
  array.add_text("");
  EXPECT_STREQ(array.literal(), R"({"a\"b\\c","{x,y} NULL
",""})");
}

TEST(PostgresArray, TextThatSaysNullIsNotNull) {
  PostgresArray array;
  array.add_text("NULL");
  array.add_optional_text(std::nullopt);
  EXPECT_STREQ(array.literal(), R"({"NULL",NULL})");
}

TEST(PostgresArray, ANulByteBecomesTheReplacementCharacter) {
  PostgresArray array;
  array.add_text(std::string_view{"a\0b", 3});
  EXPECT_STREQ(array.literal(),
               "{\"a\xEF\xBF\xBD"
               "b\"}");
}

TEST(PostgresArray, NumbersKeepEveryDigit) {
  PostgresArray array;
  array.add_number("0.12345678901234567890");
  array.add_number("-1.5e-7");
  array.add_number("");
  EXPECT_STREQ(array.literal(), "{0.12345678901234567890,-1.5e-7,NULL}");
}

TEST(PostgresArray, WhatIsNoNumberCannotBreakTheArray) {
  PostgresArray array;
  array.add_number("1},{2");
  EXPECT_STREQ(array.literal(), R"({"1},{2"})");
}

TEST(PostgresArray, BytesAreHexadecimalAndATombstoneIsNull) {
  PostgresArray array;
  array.add_bytes(std::string_view{"\x00\xff{", 3});
  array.add_bytes(std::string_view{""});
  array.add_bytes(std::string_view{});
  EXPECT_STREQ(array.literal(), R"({"\\x00ff7b","\\x",NULL})");
}

TEST(PostgresArray, TimesAreUtcAndUnspeakableOnesNull) {
  PostgresArray array;
  array.add_time(EventTime{std::chrono::milliseconds{1'714'566'600'250}});
  array.add_time(EventTime{std::chrono::milliseconds{-1}});
  array.add_time(EventTime{std::chrono::milliseconds{std::numeric_limits<std::int64_t>::max()}});
  array.add_time(EventTime{std::chrono::milliseconds{std::numeric_limits<std::int64_t>::min()}});
  array.add_time(std::nullopt);
  EXPECT_STREQ(array.literal(),
               R"({"2024-05-01 12:30:00.250+00","1969-12-31 23:59:59.999+00",NULL,NULL,NULL})");
}

TEST(PostgresArray, IsUsedAgainAfterClear) {
  PostgresArray array;
  array.add_integer(1);
  array.add_bool(true);
  EXPECT_STREQ(array.literal(), "{1,t}");
  array.clear();
  array.add_integer(-2);
  EXPECT_STREQ(array.literal(), "{-2}");
}

TEST(PostgresTime, KeepsMicroseconds) {
  EXPECT_EQ(postgres_time(ReceivedAt{std::chrono::microseconds{1'714'566'600'000'042}}),
            "2024-05-01 12:30:00.000042+00");
}

}  // namespace
}  // namespace signalbox
