#include "adapters/canonical_json.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

std::string canonical(const std::string& value) {
  const auto members = canonical_members("{\"v\": " + value + "}");
  return members ? members->at("v") : "no object";
}

TEST(CanonicalJson, IsTheSameForWhatPythonReadsAndWritesAgain) {
  EXPECT_EQ(canonical("{ \"b\" : [1 , 2.50,null] , \"a\":true}"),
            canonical("{\"a\": true, \"b\": [1, 2.5, null]}"));
  EXPECT_EQ(canonical("1e3"), canonical("1000.0"));
  EXPECT_EQ(canonical("1E-7"), canonical("1e-07"));
  EXPECT_EQ(canonical("0.1000000000000000055"), canonical("0.1"));
  EXPECT_EQ(canonical("1e999"), canonical("Infinity"));
  EXPECT_EQ(canonical("-1e-999"), canonical("-0.0"));
  EXPECT_EQ(canonical("-0"), canonical("0"));
  EXPECT_EQ(canonical("\"\\u00fc\\/\\ud83d\\ude00\\n\""), canonical("\"ü/😀\\u000a\""));
}

TEST(CanonicalJson, KeepsApartWhatIsNotTheSameValue) {
  EXPECT_NE(canonical("1"), canonical("1.0"));
  EXPECT_NE(canonical("1"), canonical("\"1\""));
  EXPECT_NE(canonical("null"), canonical("\"null\""));
  EXPECT_NE(canonical("9007199254740993"), canonical("9007199254740992"));
  EXPECT_NE(canonical("[1, 2]"), canonical("[2, 1]"));
  EXPECT_NE(canonical("\"\\ud800\""), canonical("\"\\udc00\""));
}

TEST(CanonicalJson, TheLastOfARepeatedKeyCounts) { EXPECT_EQ(canonical("1, \"v\": 2"), "2"); }

TEST(CanonicalJson, AValueThatIsAnObjectCanBeReadAgain) {
  const auto inner = canonical_members(canonical("{\"t\": \"a.b\", \"q\": \"\\\"\\u0001\"}"));
  ASSERT_TRUE(inner);
  EXPECT_EQ(plain_text(inner->at("t")), "a.b");
  EXPECT_EQ(plain_text(inner->at("q")), "");
  EXPECT_EQ(plain_text("12"), "");
}

TEST(CanonicalJson, RefusesWhatIsNoObject) {
  for (const char* text :
       {"", "[]", "1", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1} x", "{a:1}",
        "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"open}", "{\"a\":[1,]}", "{\"a\":tru}"}) {
    EXPECT_FALSE(canonical_members(text)) << text;
  }
}

TEST(CanonicalJson, RefusesWhatIsNestedTooDeep) {
  const std::string deep(kCanonicalDepthMax - 1, '[');
  const std::string shut(kCanonicalDepthMax - 1, ']');
  EXPECT_TRUE(canonical_members("{\"a\":" + deep + shut + "}"));
  EXPECT_FALSE(canonical_members("{\"a\":[" + deep + shut + "]}"));
}

}  // namespace
}  // namespace signalbox
