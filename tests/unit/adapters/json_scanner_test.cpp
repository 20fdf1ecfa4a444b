#include "adapters/json_scanner.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/json_text.hpp"
#include "unit/adapters/payloads.hpp"

namespace signalbox {
namespace {

/// The reason why the scanner refuses, or "accepted". The text is copied to a buffer of its exact
/// size, so that the address sanitizer sees a read beyond its end.
std::string verdict(std::string_view text) {
  const std::vector<char> exact(text.begin(), text.end());
  JsonScanner scanner;
  if (const auto reject = scanner.open({exact.data(), exact.size()})) {
    return std::string(name_of(reject->reason));
  }
  std::string_view key;
  JsonValue value;
  JsonStep step = scanner.next_key(key);
  while (step == JsonStep::Key) {
    step = scanner.read_value(value) ? scanner.next_key(key) : JsonStep::Malformed;
  }
  return step == JsonStep::End ? "accepted" : std::string(name_of(scanner.failure().reason));
}

TEST(JsonScanner, WalksTheMembersInOrder) {
  JsonScanner scanner;
  ASSERT_FALSE(scanner.open(R"( { "a" : 1.5 ,"b":"x y","c":[1,{"d":2}],"e":{},"f":null } )"));
  std::string seen;
  std::string_view key;
  JsonValue value;
  while (scanner.next_key(key) == JsonStep::Key && scanner.read_value(value)) {
    seen += std::string(key) + "=" + std::string(name_of(value.type)) + "(" +
            std::string(value.text) + ") ";
  }
  EXPECT_EQ(seen, "a=a number(1.5) b=a string(x y) c=an array() e=an object() f=null(null) ");
}

TEST(JsonScanner, RefusesWhatIsNotJson) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "{]",
                           "[",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{,}",
                           "{\"a\" 1}",
                           "{\"a\":1 \"b\":2}",
                           "{\"a\":1,,\"b\":2}",
                           "{a:1}",
                           "{1:1}",
                           "{'a':1}",
                           "{\"a\":1}}",
                           "{\"a\":1}]",
                           "{\"a\":1} x",
                           "{\"a\":1}{\"b\":1}",
                           "{}{}",
                           "{} 1",
                           "{\"a\":tru}",
                           "{\"a\":True}",
                           "{\"a\":nul}",
                           "{\"a\":undefined}",
                           "{\"a\":01}",
                           "{\"a\":1.}",
                           "{\"a\":.5}",
                           "{\"a\":+1}",
                           "{\"a\":1e}",
                           "{\"a\":0x1}",
                           "{\"a\":1 2}",
                           "{\"a\":--1}",
                           "{\"a\":[1,]}",
                           "{\"a\":[,1]}",
                           "{\"a\":[1 2]}",
                           "{\"a\":[}",
                           "{\"a\":[1}",
                           "{\"a\":[1}]",
                           "{\"a\":{\"b\"}}",
                           "{\"a\":{\"b\":1,}}",
                           "{\"a\":{,}}",
                           "{\"a\":{1}}",
                           "{\"a\":]}",
                           "{\"a\":\"b\"c}",
                           "{\"a\":\"b\" \"c\"}",
                           "{\"a\":b\"c\"}",
                           "{\"a\":\"b}",
                           "{\"a\":\\\"b\"}",
                           "{\"a\":1/*c*/}",
                           "{\"a\":1}//c",
                           "hello",
                           "{\"a\":\"\t\"}",
                           "{\"a\":\"\n\"}",
                           "{\"a\":\"\x01\"}",
                           "{\"a\x1f\":1}",
                           "{\"a\":1\x0c}",
                           "{\"a\"\x1a"
                           "1}",
                           "{\x0b}"}) {
    EXPECT_EQ(verdict(text), "not_json") << text;
  }
}

TEST(JsonScanner, RefusesNulBytesEverywhere) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"\0"sv, "{}\0"sv, "{\0}"sv, "{\"a\":\0}"sv, "{\"a\":1\0}"sv,
                                      "{\"a\0\":1}"sv, "{\"a\":\"\0\"}"sv, "{\"a\":[\0]}"sv}) {
    EXPECT_EQ(verdict(text), "not_json") << text;
  }
}

TEST(JsonScanner, TellsJsonThatIsNoObjectFromWhatIsNoJson) {
  for (const char* text :
       {"[]", "[1,2]", "1", "\"text\"", "null", "true", "NaN", "[{}]", " [ ] "}) {
    EXPECT_EQ(verdict(text), "not_an_object") << text;
  }
  for (const char* text : {"[", "[1,2", "1 2", "\"text", "nul", "[{]", "[]]", "[],"}) {
    EXPECT_EQ(verdict(text), "not_json") << text;
  }
}

TEST(JsonScanner, RefusesAByteOrderMark) { EXPECT_EQ(verdict("\xEF\xBB\xBF{}"), "not_json"); }

TEST(JsonScanner, RefusesWhatIsNotUtf8AsSuchWhereverItStands) {
  for (const char* text :
       {"\xFF", "{\"a\":\"\xFF\"}", "{\"a\xC3\":1}", "{\"a\":\"\xC0\x80\"}",
        "{\"a\":\"\xED\xA0\x80\"}", "{\"a\":\"\xF5\x80\x80\x80\"}", "{\"a\":\"\xE2\x82\"}",
        "{}\x80", "{\"a\":\"\xC3", "{\"a\":1,,\xC3}", "not json \xE9"}) {
    EXPECT_EQ(verdict(text), "not_utf8") << text;
  }
  EXPECT_EQ(verdict("{\"é€😀\":\"\xF4\x8F\xBF\xBF\"}"), "accepted");
}

TEST(JsonScanner, ChecksEscapesInEveryString) {
  for (const char* text :
       {R"({"a":"\x"})", R"({"a":"\u12"})", R"({"a":"\u12G4"})", R"({"a":"\u-123"})",
        R"({"a":"\ud800"})", R"({"a":"\udc00"})", R"({"a":"\ud800\u0041"})",
        R"({"a":"\ud800\ud800"})", R"({"\x":1})", R"({"a":["\x"]})", R"({"a":{"\x":1}})",
        R"({"a":{"b":"\'"}})", R"({"a":"\u"})", R"({"a":"\q"})", R"({"a":"\U0041"})"}) {
    EXPECT_EQ(verdict(text), "not_json") << text;
  }
  EXPECT_EQ(verdict(R"({"\"":"\\","b":"\u0000\uD83D\uDE00\/\b\f\n\r\t\\\\"})"), "accepted");
}

TEST(JsonScanner, BoundsTheDepthWithoutUsingTheStack) {
  const auto nested = [](std::size_t arrays) {
    return "{\"a\":" + std::string(arrays, '[') + std::string(arrays, ']') + "}";
  };
  EXPECT_EQ(verdict(nested(JsonScanner::kDepthMax - 1)), "accepted");
  EXPECT_EQ(verdict(nested(JsonScanner::kDepthMax)), "not_json");
  EXPECT_EQ(verdict("{\"a\":" + std::string(1'900'000, '[')), "not_json");
  std::string objects = "{\"a\":1}";
  for (std::size_t level = 1; level < JsonScanner::kDepthMax; ++level) {
    objects = "{\"a\":" + objects + "}";
  }
  EXPECT_EQ(verdict(objects), "accepted");
  EXPECT_EQ(verdict("{\"a\":" + objects + "}"), "not_json");
}

TEST(JsonScanner, NeverAcceptsABeginning) {
  for (const std::string_view whole : {kLiveCandle, kHistoricalCandle, kFilteredSignal}) {
    EXPECT_EQ(verdict(whole), "accepted");
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(verdict(whole.substr(0, size)), "not_json") << whole.substr(0, size);
    }
  }
}

TEST(JsonScanner, NeverAcceptsWhatFollowsTheObject) {
  for (int byte = 1; byte < 128; ++byte) {
    const char c = static_cast<char>(byte);
    const bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    EXPECT_EQ(verdict(std::string(kLiveCandle) + c), is_space ? "accepted" : "not_json") << byte;
  }
}

TEST(JsonScanner, FindsTokensAcrossTheBlocksOfTheFirstStage) {
  // The first stage reads 64 bytes at a time: each kind of token is moved over that border.
  for (std::size_t shift = 0; shift < 130; ++shift) {
    const std::string space(shift, ' ');
    EXPECT_EQ(verdict("{" + space + R"("k\"\\":"v\\\"","n":-1.5e3,"t":true})"), "accepted")
        << shift;
    EXPECT_EQ(verdict("{" + space + R"("k":"v\\"x})"), "not_json") << shift;
    EXPECT_EQ(verdict("{" + space + R"("k":tr ue})"), "not_json") << shift;
  }
}

TEST(JsonScanner, SaysWhereAndWhat) {
  JsonScanner scanner;
  ASSERT_FALSE(scanner.open(R"({"a":1,"b":tru})"));
  std::string_view key;
  JsonValue value;
  EXPECT_EQ(scanner.next_key(key), JsonStep::Key);
  EXPECT_TRUE(scanner.read_value(value));
  EXPECT_EQ(scanner.next_key(key), JsonStep::Key);
  EXPECT_FALSE(scanner.read_value(value));
  EXPECT_EQ(scanner.failure().detail, "expected a value at byte 11, found `tru}`");
}

TEST(Excerpt, IsShortAndPrintable) {
  EXPECT_EQ(excerpt("tru"), "tru");
  EXPECT_EQ(excerpt("a\nb\x7F"), "a?b?");
  EXPECT_EQ(excerpt(std::string(61, 'x')), std::string(60, 'x') + "…");
  // A character of two bytes that would be cut in the middle is left out.
  EXPECT_EQ(excerpt(std::string(59, 'x') + "éé"), std::string(59, 'x') + "…");
}

}  // namespace
}  // namespace signalbox
