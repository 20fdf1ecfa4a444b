#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/redis_connection.hpp"

namespace signalbox {
namespace {

using Type = RedisReply::Type;
using testing::ElementsAre;
using testing::Optional;

TEST(RedisReplies, AreTakenInTheOrderOfTheWire) {
  RedisReplies replies;
  replies.add(Type::Status, 0, "OK");
  replies.add(Type::Array, 2, {});
  replies.add(Type::Integer, 7, {});
  replies.add(Type::Nil, 0, {});

  EXPECT_EQ(replies.take().text, "OK");
  EXPECT_EQ(replies.take().integer, 2);
  EXPECT_EQ(replies.take().integer, 7);
  EXPECT_EQ(replies.take().type, Type::Nil);
}

TEST(RedisReplies, SkippingAnArrayPassesAllOfIt) {
  RedisReplies replies;
  replies.add(Type::Array, 2, {});
  replies.add(Type::Array, 1, {});
  replies.add(Type::Text, 0, "inner");
  replies.add(Type::Text, 0, "last");
  replies.add(Type::Text, 0, "next");

  replies.skip();

  EXPECT_EQ(replies.take().text, "next");
}

TEST(RedisReplies, AnArrayOfTextsKeepsWhatIsAbsent) {
  RedisReplies replies;
  replies.add(Type::Array, 2, {});
  replies.add(Type::Text, 0, "12 0");
  replies.add(Type::Nil, 0, {});

  EXPECT_THAT(replies.take_texts().value(),
              ElementsAre(Optional(std::string("12 0")), std::nullopt));
}

TEST(RedisReplies, AnErrorInPlaceOfTextsIsHandedOn) {
  RedisReplies replies;
  replies.add(Type::Error, 0, "NOPERM no");
  EXPECT_EQ(replies.take_texts().error(), "NOPERM no");
}

}  // namespace
}  // namespace signalbox
