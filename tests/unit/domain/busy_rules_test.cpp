#include "domain/busy_rules.hpp"

#include <array>

#include <gtest/gtest.h>

namespace signalbox {
namespace {

const Uuid kId = *parse_uuid("0a000000-0000-4000-8000-00000000000a");
constexpr BusyRule kSkip{.policy = BusyPolicy::Skip, .slots = 0};
constexpr BusyRule kLatest{.policy = BusyPolicy::KeepLatest, .slots = 1};
constexpr BusyRule kQueueOf3{.policy = BusyPolicy::Queue, .slots = 3};

IndexedPipeline pipeline(std::string_view name, std::optional<BusyRule> busy = {}) {
  return {.id = kId, .user = {}, .name = name, .busy = busy};
}

TEST(BusyRules, TheFirstOverrideThatNamesThePipelineWins) {
  const std::array overrides{BusyOverride{"momentum*", kLatest}, BusyOverride{"*", kQueueOf3}};
  EXPECT_EQ(busy_rule_of(pipeline("momentum AAPL"), overrides, kSkip), kLatest);
  EXPECT_EQ(busy_rule_of(pipeline("other", kSkip), overrides, kSkip), kQueueOf3);
}

TEST(BusyRules, AnIdNamesOnePipelineInAnyCase) {
  const std::array overrides{BusyOverride{"0A000000-0000-4000-8000-00000000000A", kLatest}};
  EXPECT_EQ(busy_rule_of(pipeline("x"), overrides, kSkip), kLatest);
}

TEST(BusyRules, WithoutAnOverrideItsOwnerDecidesThenTheService) {
  EXPECT_EQ(busy_rule_of(pipeline("x", kQueueOf3), {}, kSkip), kQueueOf3);
  EXPECT_EQ(busy_rule_of(pipeline("x"), {}, kLatest), kLatest);
}

TEST(BusyRules, StarsStandForAnythingAndQuestionMarksForOneCharacter) {
  const auto hits = [](std::string pattern, std::string_view name) {
    const std::array overrides{BusyOverride{std::move(pattern), kLatest}};
    return busy_rule_of(pipeline(name), overrides, kSkip) == kLatest;
  };
  EXPECT_TRUE(hits("a*b*c", "a--b--bc"));
  EXPECT_TRUE(hits("a?c", "abc"));
  EXPECT_TRUE(hits("abc**", "abc"));
  EXPECT_FALSE(hits("a?c", "ac"));
  EXPECT_FALSE(hits("a*b", "abc"));
  EXPECT_FALSE(hits("", "a"));
}

TEST(BusyRules, AreWrittenAsSkipKeepLatestOrQueueWithANumber) {
  EXPECT_EQ(parse_busy_rule("skip"), kSkip);
  EXPECT_EQ(parse_busy_rule("keep_latest"), kLatest);
  EXPECT_EQ(parse_busy_rule("queue:3"), kQueueOf3);
  EXPECT_TRUE(parse_busy_rule("queue:100"));
  for (const char* text : {"", "queue", "queue:", "queue:0", "queue:101", "queue:3x", "Skip"}) {
    EXPECT_FALSE(parse_busy_rule(text)) << text;
  }
}

}  // namespace
}  // namespace signalbox
