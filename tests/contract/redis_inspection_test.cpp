#include "adapters/redis_inspection.hpp"

#include <gmock/gmock.h>

#include <deque>

#include "contract/redis_sink_fixture.hpp"

namespace signalbox {
namespace {

using testing::Contains;
using testing::Each;
using testing::Field;
using testing::Not;

class RedisInspectionTest : public RedisSinkTest {};

TEST_F(RedisInspectionTest, TellsWhenFencesMayBeEvicted) {
  RedisSink sink{options()};
  const auto warns = Contains(Field(&SinkWarning::code, "KEYS_MAY_BE_EVICTED"));
  const ServerSetting memory{control(), "maxmemory", "10gb"};
  {
    const ServerSetting policy{control(), "maxmemory-policy", "allkeys-lru"};
    EXPECT_THAT(sink.inspect(), warns);
  }
  {
    const ServerSetting policy{control(), "maxmemory-policy", "volatile-lru"};
    EXPECT_THAT(sink.inspect(), Not(warns));
  }
  const ServerSetting policy{control(), "maxmemory-policy", "noeviction"};
  EXPECT_THAT(sink.inspect(), Not(warns));
}

TEST_F(RedisInspectionTest, TellsWhatARestartOfRedisWouldForget) {
  RedisSink sink{options()};
  const ServerSetting save{control(), "save", ""};
  {
    const ServerSetting append{control(), "appendonly", "no"};
    EXPECT_THAT(sink.inspect(), Contains(Field(&SinkWarning::code, "NOTHING_ON_DISK")));
    const ServerSetting snapshots{control(), "save", "3600 1"};
    EXPECT_THAT(sink.inspect(), Contains(Field(&SinkWarning::code, "SNAPSHOTS_ONLY")));
  }
  const ServerSetting append{control(), "appendonly", "yes"};
  {
    const ServerSetting fsync{control(), "appendfsync", "everysec"};
    EXPECT_THAT(sink.inspect(), Contains(Field(&SinkWarning::code, "LAST_SECOND_AT_RISK")));
  }
  const ServerSetting fsync{control(), "appendfsync", "always"};
  EXPECT_THAT(sink.inspect(), Each(Not(Field(&SinkWarning::code, "LAST_SECOND_AT_RISK"))));
}

TEST_F(RedisInspectionTest, TellsOfManyPatternSubscriptions) {
  RedisSink sink{options()};
  std::deque<RedisSubscriber> subscribers;
  for (int i = 0; i < 60; ++i) subscribers.emplace_back(word_ + std::to_string(i) + "*");
  EXPECT_THAT(sink.inspect(), Contains(Field(&SinkWarning::code, "MANY_PATTERN_SUBSCRIPTIONS")));
}

TEST_F(RedisInspectionTest, TellsWhenItMayNotLook) {
  control().ask({"ACL", "SETUSER", word_, "on", ">secret", "~*", "&*", "+@all", "-config"});
  RedisSinkOptions limited = options();
  limited.redis.user = word_;
  limited.redis.password = "secret";
  EXPECT_THAT(RedisSink{limited}.inspect(), Contains(Field(&SinkWarning::code, "CANNOT_INSPECT")));
  control().ask({"ACL", "DELUSER", word_});
}

}  // namespace
}  // namespace signalbox
