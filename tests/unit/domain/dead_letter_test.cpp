#include "domain/dead_letter.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

DeadLetter letter() {
  return {.lane = "redis",
          .source = {"signals", 3},
          .offset = Offset{17},
          .timestamp = EventTime{std::chrono::milliseconds{1'700'000'000'000}},
          .rejected_at = EventTime{std::chrono::milliseconds{1'700'000'000'500}},
          .reject = {RejectReason::NotJson, "unexpected end"},
          .key = "k",
          .payload = "{"};
}

TEST(DeadLetter, HasOneKeyHoweverOftenItIsPut) {
  EXPECT_EQ(dead_letter_key(letter()), "redis|signals|3|17");
}

TEST(DeadLetter, ReadsBackItsPlaceAndReasonFromTheHeaders) {
  const auto fields = dead_letter_fields(dead_letter_headers(letter()));
  ASSERT_TRUE(fields) << fields.error();
  EXPECT_EQ(fields->lane, "redis");
  EXPECT_EQ(fields->topic, "signals");
  EXPECT_EQ(fields->partition, 3);
  EXPECT_EQ(fields->offset, Offset{17});
  EXPECT_EQ(fields->reason, "not_json");
  EXPECT_EQ(fields->detail, "unexpected end");
  EXPECT_EQ(fields->message_time, letter().timestamp);
  EXPECT_EQ(fields->rejected_at, letter().rejected_at);
}

TEST(DeadLetter, ReadsWhatWasSaidAboutACutPayload) {
  auto headers = dead_letter_headers(letter());
  headers.push_back({"signalbox-truncated", "1900000"});
  headers.push_back({"signalbox-sha256", "ab12"});
  const auto fields = dead_letter_fields(headers);
  ASSERT_TRUE(fields) << fields.error();
  EXPECT_EQ(fields->whole_size, 1'900'000);
  EXPECT_EQ(fields->sha256, "ab12");
}

TEST(DeadLetter, NamesTheHeaderThatIsMissing) {
  for (const std::string name :
       {"signalbox-lane", "signalbox-topic", "signalbox-partition", "signalbox-offset"}) {
    auto headers = dead_letter_headers(letter());
    std::erase_if(headers, [&](const Header& header) { return header.name == name; });
    const auto fields = dead_letter_fields(headers);
    ASSERT_FALSE(fields);
    EXPECT_NE(fields.error().find(name), std::string::npos);
  }
}

TEST(DeadLetter, IsReplayedToTheLaneThatRefused) {
  EXPECT_EQ(replay_topic("postgres"), "signalbox.replay.postgres");
  EXPECT_TRUE(is_replay_topic("signalbox.replay.redis"));
  EXPECT_FALSE(is_replay_topic("signalbox.dead-letters"));
}

}  // namespace
}  // namespace signalbox
