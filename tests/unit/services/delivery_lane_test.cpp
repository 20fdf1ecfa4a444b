#include "services/delivery_lane.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <utility>

#include "base/log.hpp"

namespace signalbox {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const TopicPartition kPartition{"market.data.btcusdc.1m", 0};

/// One partition that is assigned at once and brings one message at each poll while there are any.
class OnePartition final : public MessageSource {
 public:
  std::int64_t end = 0;

  Polled poll(const PollLimits&, std::chrono::milliseconds) override {
    Polled polled;
    if (!std::exchange(is_assigned_, true)) polled.assigned.push_back(kPartition);
    if (!fetch_ || next_ >= end) return polled;
    std::vector<Run> runs{{kPartition,
                           *fetch_,
                           {{.offset = Offset{next_++},
                             .timestamp = EventTime{std::chrono::seconds{1}},
                             .key = {},
                             .payload = "{}"}}}};
    polled.batch = MessageBatch(std::move(runs), nullptr);
    return polled;
  }

  std::optional<FetchId> begin(const TopicPartition&, Offset offset) override {
    next_ = offset.value;
    fetch_ = FetchId{fetch_ ? fetch_->value + 1 : 1};
    return fetch_;
  }

  bool owns(const TopicPartition&) const override { return true; }

  std::map<TopicPartition, LogRange> ranges(std::span<const TopicPartition>) override {
    return {{kPartition, {.begin = Offset{0}, .end = Offset{end}, .committed = committed_}}};
  }

  Offset offset_at(const TopicPartition&, EventTime) override { return Offset{0}; }
  std::vector<TopicPartition> all_partitions() override { return {kPartition}; }
  void commit(const TopicPartition&, Offset next) override { committed_ = next; }
  std::string lineage() override { return "a"; }

 private:
  bool is_assigned_ = false;
  std::int64_t next_ = 0;
  std::optional<FetchId> fetch_;
  std::optional<Offset> committed_;
};

/// Holds fences; refuses to write, for a reason, as long as a test says so.
class UnwillingSink final : public Sink {
 public:
  std::string unwilling;  ///< why; empty: it takes writes

  FenceMap read_fences(std::span<const TopicPartition> partitions) override {
    FenceMap found;
    for (const TopicPartition& partition : partitions) {
      if (fences_.contains(partition)) found.emplace(partition, fences_.at(partition));
    }
    return found;
  }

  WriteOutcome write(const WriteBatch& batch) override {
    if (!unwilling.empty()) return Unavailable{unwilling};
    for (const FenceMove& move : batch.moves) fences_.insert_or_assign(move.partition, move.next);
    return Committed{.publishes = batch.messages.size()};
  }

  void ping() override {}
  std::vector<SinkWarning> inspect() override { return {}; }

 private:
  FenceMap fences_;
};

class NoLetters final : public DeadLetters {
 public:
  void put(std::span<const DeadLetter>) override {}
};

class EverythingPasses final : public PayloadReader {
 public:
  std::expected<Facts, Reject> read(const Route&, const Message&, ReceivedAt) override {
    return Facts{};
  }
};

/// Goes on by a second with each look, so that whatever is done now and then is done.
class QuickClock final : public Clock {
 public:
  ReceivedAt now() const override { return ReceivedAt{time_.time_since_epoch()}; }
  std::chrono::steady_clock::time_point steady_now() const override {
    time_ += std::chrono::seconds{1};
    return std::chrono::steady_clock::time_point{time_.time_since_epoch()};
  }
  void wait(std::chrono::milliseconds, std::stop_token) override {}

 private:
  mutable ReceivedAt time_{std::chrono::years{50}};
};

class DeliveryLaneTest : public testing::Test {
 protected:
  void steps(int count) {
    for (int i = 0; i < count; ++i) lane_.step();
  }

  std::vector<std::string> lines_with(const std::string& event) const {
    std::vector<std::string> found;
    for (const std::string& line : log_.lines()) {
      if (line.find("\"event\":\"" + event + "\"") != std::string::npos) found.push_back(line);
    }
    return found;
  }

  LogCapture log_;
  OnePartition source_;
  UnwillingSink sink_;
  NoLetters letters_;
  EverythingPasses reader_;
  QuickClock clock_;
  LatencySummary delays_;
  DeliveryLane lane_{{source_, sink_, letters_, reader_, clock_, delays_},
                     {.name = "redis", .label = "redis"}};
};

TEST_F(DeliveryLaneTest, ASinkThatAnswersButTakesNoWritesIsSaidToBeDownOnce) {
  source_.end = 1;
  steps(5);
  ASSERT_EQ(lane_.status().counters.delivered, 1U);
  sink_.unwilling = "OOM";
  source_.end = 2;
  steps(50);
  EXPECT_FALSE(lane_.status().sink.is_up);
  EXPECT_THAT(lines_with("sink_down"), SizeIs(1));
  EXPECT_THAT(lines_with("sink_up"), SizeIs(1));  // that of the start

  sink_.unwilling.clear();
  steps(5);
  EXPECT_TRUE(lane_.status().sink.is_up);
  EXPECT_EQ(lane_.status().counters.delivered, 2U);
  EXPECT_THAT(lines_with("sink_up"), SizeIs(2));
}

TEST_F(DeliveryLaneTest, ASinkThatTakesNoFirstFenceIsSaidToBeDownOnce) {
  sink_.unwilling = "READONLY";
  source_.end = 1;
  steps(50);
  EXPECT_FALSE(lane_.status().sink.is_up);
  EXPECT_THAT(lines_with("sink_down"), SizeIs(1));
  sink_.unwilling.clear();
  steps(5);
  EXPECT_TRUE(lane_.status().sink.is_up);
  EXPECT_EQ(lane_.status().counters.delivered, 1U);
}

TEST_F(DeliveryLaneTest, AnotherReasonForTheSameOutageIsNews) {
  source_.end = 1;
  sink_.unwilling = "LOADING";
  steps(20);
  sink_.unwilling = "OOM";
  steps(20);
  EXPECT_THAT(lines_with("sink_down"), SizeIs(1));
  ASSERT_THAT(lines_with("sink_still_down"), SizeIs(1));
  EXPECT_THAT(lines_with("sink_still_down")[0], HasSubstr("OOM"));
}

}  // namespace
}  // namespace signalbox
