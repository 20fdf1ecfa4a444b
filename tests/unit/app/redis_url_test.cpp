#include "app/config/redis_url.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

TEST(RedisUrl, TakesTheFullForm) {
  EXPECT_EQ(parse_redis_url("redis://bot:p%40ss:@cache.local:6380/3"),
            (RedisUrl{"cache.local", 6380, "bot", "p@ss:", 3}));
}

TEST(RedisUrl, TakesAPasswordWithoutAUser) {
  EXPECT_EQ(parse_redis_url("redis://:secret@redis:6379/0"),
            (RedisUrl{"redis", 6379, "", "secret", 0}));
}

TEST(RedisUrl, LeavesOutWhatIsLeftOut) {
  EXPECT_EQ(parse_redis_url("redis://redis"), (RedisUrl{"redis", 6379, "", {}, {}}));
  EXPECT_EQ(parse_redis_url("REDIS://redis/"), (RedisUrl{"redis", 6379, "", {}, {}}));
}

TEST(RedisUrl, TakesAnAddressInBrackets) {
  EXPECT_EQ(parse_redis_url("redis://[::1]:6380/1"), (RedisUrl{"::1", 6380, "", {}, 1}));
  EXPECT_EQ(parse_redis_url("redis://[::1]"), (RedisUrl{"::1", 6379, "", {}, {}}));
}

TEST(RedisUrl, RefusesTlsInClearWords) {
  EXPECT_TRUE(parse_redis_url("rediss://redis").error().contains("no TLS"));
}

TEST(RedisUrl, NamesTheBrokersOfCeleryThatItDoesNotKnow) {
  EXPECT_TRUE(parse_redis_url("sentinel://:hunter2@a:26379").error().contains("sentinel://"));
  EXPECT_TRUE(parse_redis_url("amqp://u:hunter2@a//").error().contains("amqp://"));
  EXPECT_TRUE(parse_redis_url("redis://a;redis://b").error().contains("a list of servers"));
  EXPECT_TRUE(parse_redis_url("redis://:semi;colon@a").has_value());
}

TEST(RedisUrl, RefusesWhatItCannotReadAndNeverShowsIt) {
  for (const std::string_view bad :
       {"hunter2", "http://hunter2", "redis://", "redis://hunter2@redis", "redis://:hunter2@",
        "redis://:hunter2@redis:x", "redis://:hunter2@redis:70000", "redis://:hunter2@redis/x",
        "redis://:hunter2@redis/-1", "redis://:hunter2@redis?db=1", "redis://:hunter2%@redis",
        "redis://:hunter2@[::1", "redis://:hunter2@[::1]x"}) {
    const auto result = parse_redis_url(bad);
    ASSERT_FALSE(result.has_value()) << bad;
    EXPECT_FALSE(result.error().contains("hunter2")) << result.error();
    EXPECT_TRUE(result.error().contains("accepted is")) << result.error();
  }
}

}  // namespace
}  // namespace signalbox
