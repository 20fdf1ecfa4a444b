#include "app/env.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

Environment parsed(std::string_view text) { return parse_env_file(text).value(); }

TEST(EnvFile, ReadsNamesAndValues) {
  EXPECT_EQ(parsed("A=1\nB = two words \nC=\n"),
            (Environment{{{"A", "1"}, {"B", "two words"}, {"C", ""}}}));
}

TEST(EnvFile, TakesExportBlankLinesAndComments) {
  EXPECT_EQ(parsed("# first\n\n  export A=1\nexport\tB=2 # second\n#C=3\n"),
            (Environment{{{"A", "1"}, {"B", "2"}}}));
}

TEST(EnvFile, KeepsAHashThatFollowsNoBlank) {
  EXPECT_EQ(parsed("PASSWORD=a#b\n").find("PASSWORD"), "a#b");
}

TEST(EnvFile, KeepsSingleQuotedTextAsItIs) {
  EXPECT_EQ(parsed(R"(A=' a "b" \n #c ' # comment)").find("A"), R"( a "b" \n #c )");
}

TEST(EnvFile, ReplacesEscapesInDoubleQuotes) {
  EXPECT_EQ(parsed(R"(A="a\n\"b\" \\ \$c #d \x" # comment)").find("A"), "a\n\"b\" \\ $c #d \\x");
}

TEST(EnvFile, TakesWindowsLineEndsAndAByteOrderMark) {
  const Environment expected{{{"A", "1"}, {"B", "2"}}};
  EXPECT_EQ(parsed("\xEF\xBB\xBF\x41=1\r\nB=\"2\"\r\n"), expected);
}

TEST(EnvFile, SplitsAtTheFirstEqualsSign) {
  EXPECT_EQ(parsed("URL=redis://h?a=b=c\n").find("URL"), "redis://h?a=b=c");
}

TEST(EnvFile, LetsTheLastOfTwoWin) { EXPECT_EQ(parsed("A=1\nA=2").find("A"), "2"); }

TEST(EnvFile, DoesNotReplaceDollarNames) { EXPECT_EQ(parsed("A=$B${C}").find("A"), "$B${C}"); }

TEST(EnvFile, NamesTheLineOfAnErrorAndNotItsText) {
  for (const std::string_view bad :
       {"hunter2", "A=\"hunter2", "A='hunter2", "A=\"x\" hunter2", "1A=hunter2", "=hunter2"}) {
    const auto result = parse_env_file("OK=1\n" + std::string{bad} + "\n");
    ASSERT_FALSE(result.has_value()) << bad;
    EXPECT_TRUE(result.error().starts_with("line 2 ")) << result.error();
    EXPECT_FALSE(result.error().contains("hunter2"));
  }
}

TEST(Environment, CountsAnEmptyVariableAsNotSet) {
  EXPECT_EQ((Environment{{{"A", ""}}}.find("A")), std::nullopt);
}

TEST(Environment, WinsOverTheOneBelow) {
  const Environment process{{{"A", "process"}}};
  const Environment file{{{"A", "file"}, {"B", "file"}}};
  EXPECT_EQ(process.over(file), (Environment{{{"A", "process"}, {"B", "file"}}}));
}

}  // namespace
}  // namespace signalbox
