#include "adapters/resp.hpp"

#include <gtest/gtest.h>

#include <string>

namespace signalbox {
namespace {

TEST(Resp, ACommandIsItsCountAndThenEachArgumentWithItsSize) {
  std::string out = "before";
  append_command(out, {"SET", "key", ""});
  EXPECT_EQ(out, "before*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n");
}

TEST(Resp, AnArgumentMayHoldAnyByte) {
  std::string out;
  append_argument(out, std::string_view{"a\r\n\0$1", 6});
  EXPECT_EQ(out, std::string("$6\r\na\r\n\0$1\r\n", 12));
}

TEST(Resp, ALargeArgumentSaysItsSizeInDecimal) {
  std::string out;
  append_argument(out, std::string(2'000'000, 'x'));
  EXPECT_TRUE(out.starts_with("$2000000\r\nxx"));
  EXPECT_EQ(out.size(), 2'000'000U + 12);
}

}  // namespace
}  // namespace signalbox
