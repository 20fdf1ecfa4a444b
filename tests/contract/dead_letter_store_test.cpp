#include "adapters/dead_letter_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/postgres_schema.hpp"
#include "contract/postgres_place.hpp"

namespace signalbox {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class DeadLetterStoreTest : public testing::Test {
 protected:
  DeadLetterStoreTest() {
    migrate(database_.connection());
    database_.sql(
        "INSERT INTO signalbox.dead_letters (lane, topic, partition, \"offset\", reason, detail, "
        "message_time, rejected_at, received_at, key, payload) VALUES "
        "('redis', 'signals', 0, 1, 'not_json', 'd', '2025-01-01 10:00:00.5', '2025-01-01 10:00', "
        "now(), '\\x6b00', '\\x7bff'), "
        "('postgres', 'signals', 0, 1, 'not_json', 'd', NULL, '2025-01-01 11:00', now(), NULL, "
        "NULL)"
        ", ('postgres', 'orders', 2, 7, 'refused_by_sink', 'd', NULL, '2025-01-01 12:00', "
        "now() - interval '91 days', NULL, convert_to(repeat('x', 300), 'UTF8'))");
    database_.sql(
        "UPDATE signalbox.dead_letters SET truncated_size = 950000, sha256 = 'ab' WHERE topic = "
        "'orders'");
  }

  std::vector<std::string> topics(const DeadLetterFilter& filter) {
    std::vector<std::string> topics;
    for (const StoredLetter& letter : store_.list(filter)) {
      topics.push_back(letter.place.lane + " " + letter.place.source.topic);
    }
    return topics;
  }

  TestDatabase database_;
  DeadLetterStore store_{database_.connection()};
};

TEST_F(DeadLetterStoreTest, ListsTheNewestFirst) {
  EXPECT_THAT(topics({}), ElementsAre("postgres orders", "postgres signals", "redis signals"));
  EXPECT_THAT(topics({.limit = 1}), ElementsAre("postgres orders"));
}

TEST_F(DeadLetterStoreTest, ListsByLaneReasonAndTopic) {
  EXPECT_THAT(topics({.lane = "redis"}), ElementsAre("redis signals"));
  EXPECT_THAT(topics({.reason = "refused_by_sink"}), ElementsAre("postgres orders"));
  EXPECT_THAT(topics({.lane = "postgres", .topic = "signals"}), ElementsAre("postgres signals"));
  EXPECT_THAT(topics({.topic = "' OR true --"}), IsEmpty());
}

TEST_F(DeadLetterStoreTest, ShowsEveryByteOfOneLetter) {
  const auto letter = store_.show({"redis", {"signals", 0}, Offset{1}});
  ASSERT_TRUE(letter);
  EXPECT_EQ(letter->key, std::string("k\0", 2));
  EXPECT_EQ(letter->payload, "{\xff");
  EXPECT_EQ(letter->payload_size, 2);
  EXPECT_EQ(letter->message_time, "2025-01-01T10:00:00.500Z");
  EXPECT_EQ(letter->rejected_at, "2025-01-01T10:00:00.000Z");
  EXPECT_FALSE(letter->is_truncated);
  EXPECT_FALSE(store_.show({"redis", {"signals", 0}, Offset{2}}));
}

TEST_F(DeadLetterStoreTest, ACutPayloadSaysItsWholeSizeAndAListShowsItsHead) {
  const auto listed = store_.list({.topic = "orders"});
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].payload, std::string(200, 'x'));
  const auto shown = store_.show(listed[0].place);
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->payload, std::string(300, 'x'));
  EXPECT_EQ(shown->payload_size, 950'000);
  EXPECT_TRUE(shown->is_truncated);
  EXPECT_EQ(shown->sha256, "ab");
}

TEST_F(DeadLetterStoreTest, ATombstoneHasNoPayload) {
  const auto letter = store_.show({"postgres", {"signals", 0}, Offset{1}});
  ASSERT_TRUE(letter);
  EXPECT_EQ(letter->payload, std::nullopt);
  EXPECT_EQ(letter->key, std::nullopt);
}

TEST_F(DeadLetterStoreTest, CountsReplays) {
  const DeadLetterPlace place{"redis", {"signals", 0}, Offset{1}};
  EXPECT_TRUE(store_.mark_replayed(place));
  EXPECT_TRUE(store_.mark_replayed(place));
  const auto letter = store_.show(place);
  ASSERT_TRUE(letter);
  EXPECT_EQ(letter->replays, 2);
  EXPECT_TRUE(letter->replayed_at);
  EXPECT_FALSE(store_.mark_replayed({"redis", {"signals", 9}, Offset{1}}));
}

TEST_F(DeadLetterStoreTest, PruneTakesWhatIsOlderThanItsRetentionInChunks) {
  database_.sql(
      "INSERT INTO signalbox.signals (kind, source_topic, source_partition, source_offset, "
      "message_time, received_at, payload) SELECT 'signal', 't', 0, i, now(), now() - make_interval"
      "(days => i), '{}' FROM generate_series(1, 100) i");
  database_.sql(
      "INSERT INTO market_data (time, symbol, timeframe, open, high, low, close, volume) VALUES "
      "('2010-01-01', 'BTCUSDC', '1m', 1, 1, 1, 1, 1)");
  const Retention retention{.records = std::chrono::days{30}};

  const auto part =
      prune(database_.connection(), retention, {.rows_per_chunk = 20, .chunks_max = 2});
  EXPECT_THAT(part, Contains(Pruned{"signalbox.signals", 40, false}));
  const auto rest = prune(database_.connection(), retention, {.rows_per_chunk = 20});
  EXPECT_THAT(rest, Contains(Pruned{"signalbox.signals", 31, true}));

  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.signals"), "29");
  EXPECT_EQ(database_.value("SELECT count(*) FROM signalbox.dead_letters"), "2");
  EXPECT_EQ(database_.value("SELECT count(*) FROM market_data"), "1");
}

}  // namespace
}  // namespace signalbox
