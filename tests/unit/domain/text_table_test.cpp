#include "domain/text_table.hpp"

#include <string>

#include <gtest/gtest.h>

namespace signalbox {
namespace {

TEST(TextTable, NumbersTextsInTheOrderOfTheirFirstAppearance) {
  TextTable table;
  EXPECT_EQ(table.intern("AAPL"), 0U);
  EXPECT_EQ(table.intern("MSFT"), 1U);
  EXPECT_EQ(table.intern("AAPL"), 0U);
  EXPECT_EQ(table.intern(""), 2U);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(table.at(1), "MSFT");
  EXPECT_EQ(table.at(2), "");
}

TEST(TextTable, AnEmptyTableKnowsNothing) {
  TextTable table;
  EXPECT_EQ(table.find("AAPL"), std::nullopt);
  table.seal();
  EXPECT_EQ(table.find("AAPL"), std::nullopt);
  EXPECT_EQ(table.find(""), std::nullopt);
}

TEST(TextTable, FindsEachOfManyTextsAndNoneOfTheirNeighbours) {
  const auto text_of = [](int number) {
    return std::string(static_cast<std::size_t>(number % 23), 'x') + std::to_string(number);
  };
  TextTable table;
  for (int number = 0; number < 30'000; number += 2) table.intern(text_of(number));
  for (const bool is_sealed : {false, true}) {
    if (is_sealed) table.seal();
    for (int number = 0; number < 30'000; number += 2) {
      const auto found = table.find(text_of(number));
      ASSERT_TRUE(found) << text_of(number);
      ASSERT_EQ(table.at(*found), text_of(number));
      ASSERT_EQ(table.find(text_of(number + 1)), std::nullopt) << text_of(number + 1);
    }
  }
}

TEST(TextTable, SealedItTakesFewBytesBesideTheTexts) {
  TextTable table;
  std::size_t characters = 0;
  for (int number = 0; number < 21'000; ++number) {
    const std::string text = "T" + std::to_string(number);
    characters += text.size();
    table.intern(text);
  }
  table.seal();
  EXPECT_LE(table.memory_bytes(), characters + 21'000 * 10);
}

TEST(TextTable, TellsTextsWithZeroBytesApart) {
  TextTable table;
  const std::string one("A\0", 2);
  EXPECT_NE(table.intern("A"), table.intern(one));
  EXPECT_EQ(table.find(std::string("A\0\0", 3)), std::nullopt);
}

}  // namespace
}  // namespace signalbox
