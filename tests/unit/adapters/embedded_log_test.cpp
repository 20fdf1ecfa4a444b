#include "adapters/embedded_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "adapters/embedded_producer.hpp"
#include "adapters/embedded_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr EventTime kTime{1'700'000'000'000ms};

OutgoingMessage message(std::string_view topic, std::string_view payload) {
  return {.topic = topic, .key = "k", .payload = payload, .timestamp = kTime};
}

class EmbeddedLogTest : public testing::Test {
 protected:
  EmbeddedLogOptions options() const {
    return {.file = folder / "log.db", .messages_per_partition_max = 100, .prune_chunk = 10};
  }
  EmbeddedSourceOptions reading(const std::string& topic) const {
    return {.group = "g", .topics = {topic}, .heartbeats = Heartbeats::WithPoll};
  }

  /// A source that has been assigned all of `topic` and begins each partition at 0.
  std::unique_ptr<EmbeddedSource> begun(const std::string& topic) {
    auto source = std::make_unique<EmbeddedSource>(log, clock, reading(topic));
    for (const TopicPartition& partition : source->poll({}, 0ms).assigned) {
      source->begin(partition, Offset{0});
    }
    return source;
  }

  static std::vector<std::string> payloads(const Polled& polled) {
    std::vector<std::string> payloads;
    for (const signalbox::Run& run : polled.batch.runs) {
      for (const Message& message : run.messages) payloads.emplace_back(message.payload);
    }
    return payloads;
  }

  TemporaryFolder folder;
  ManualClock clock;
  EmbeddedLog log{options()};
  EmbeddedProducer producer{log};
};

TEST_F(EmbeddedLogTest, ABatchIsAllOrNothing) {
  producer.create_topic("t", 1);
  OutgoingMessage nowhere = message("t", "b");
  nowhere.partition = 7;
  EXPECT_THROW(producer.produce(std::vector{message("t", "a"), nowhere}), IoError);

  producer.produce(std::vector{message("t", "c")});

  EXPECT_THAT(payloads(begun("t")->poll({}, 0ms)), ElementsAre("c"));
}

TEST_F(EmbeddedLogTest, TheSameKeyAlwaysGoesToTheSamePartition) {
  producer.create_topic("t", 8);
  const std::vector<OutgoingMessage> twice{message("t", "a"), message("t", "b")};
  producer.produce(twice);
  EmbeddedProducer{log}.produce(twice);

  const Polled polled = begun("t")->poll({}, 0ms);

  ASSERT_THAT(polled.batch.runs, SizeIs(1));
  EXPECT_THAT(polled.batch.runs[0].messages, SizeIs(4));
}

TEST_F(EmbeddedLogTest, KeepsTheNewestMessagesAndSaysThatTheOthersAreGone) {
  const TopicPartition only{"t", 0};
  producer.produce(std::vector{message("t", "0")});
  auto source = begun("t");
  for (int i = 0; i < 25; ++i) producer.produce(std::vector(10, message("t", "x")));

  const LogRange range = source->ranges(std::vector{only}).at(only);
  EXPECT_EQ(range.end, Offset{251});
  EXPECT_GE(range.end.value - range.begin.value, 100);
  EXPECT_LE(range.end.value - range.begin.value, 110);
  EXPECT_THAT(source->poll({}, 0ms).out_of_range, ElementsAre(only));
  EXPECT_THAT(source->poll({}, 0ms).out_of_range, IsEmpty()) << "said once";

  source->begin(only, range.begin);
  EXPECT_EQ(source->poll({}, 0ms).batch.runs.at(0).messages.at(0).offset, range.begin);
}

TEST_F(EmbeddedLogTest, AMemberThatFallsSilentIsTakenForDeadAndLearnsIt) {
  producer.create_topic("t", 2);
  auto silent = begun("t");
  auto heir = std::make_unique<EmbeddedSource>(log, clock, reading("t"));
  EXPECT_THAT(heir->poll({}, 0ms).assigned, IsEmpty());
  EXPECT_TRUE(silent->owns({"t", 0}));

  clock.advance(4s);
  EXPECT_THAT(heir->poll({}, 0ms).assigned, SizeIs(2));

  EXPECT_FALSE(silent->owns({"t", 0}));
  const Polled polled = silent->poll({}, 0ms);
  EXPECT_THAT(polled.lost, SizeIs(2));
  EXPECT_THAT(polled.assigned, IsEmpty()) << "its share comes when the heir gives it up";
  EXPECT_THAT(heir->poll({}, 0ms).lost, SizeIs(1));
  EXPECT_THAT(silent->poll({}, 0ms).assigned, SizeIs(1));
}

TEST_F(EmbeddedLogTest, MembersOfBeforeTheMachineStartedAnewAreDead) {
  producer.create_topic("t", 1);
  clock.advance(1h);
  auto old = begun("t");
  clock.advance(-1h);

  EXPECT_THAT(EmbeddedSource(log, clock, reading("t")).poll({}, 0ms).assigned, SizeIs(1));
}

/// A ring, not the next look, ends the wait: a look every hour would fail the test by its time.
TEST_F(EmbeddedLogTest, AnAppendWakesAWaitingPollOfTheSameProcess) {
  producer.create_topic("t", 1);
  EmbeddedSourceOptions patient = reading("t");
  patient.look_every = 1h;
  EmbeddedSource source{log, clock, patient};
  source.begin(source.poll({}, 0ms).assigned.at(0), Offset{0});

  const std::jthread appender{
      [&] { EmbeddedProducer{log}.produce(std::vector{message("t", "a")}); }};

  EXPECT_THAT(payloads(source.poll({}, 1h)), ElementsAre("a"));
}

TEST_F(EmbeddedLogTest, LettersAreMessagesWithTheirPlaceInTheHeaders) {
  EmbeddedDeadLetters letters{log};
  letters.put(std::vector{DeadLetter{.lane = "redis",
                                     .source = {"orders", 2},
                                     .offset = Offset{41},
                                     .timestamp = kTime,
                                     .rejected_at = kTime + 1s,
                                     .reject = {RejectReason::NotJson, "at byte 3"},
                                     .key = "BTC",
                                     .payload = "{]"}});

  const Polled polled = begun("signalbox.dead-letters")->poll({}, 0ms);

  const Message& letter = polled.batch.runs.at(0).messages.at(0);
  EXPECT_EQ(letter.key, "redis|orders|2|41");
  EXPECT_EQ(letter.payload, "{]");
  EXPECT_EQ(letter.timestamp, kTime + 1s);
  const auto fields = dead_letter_fields(letter.headers);
  ASSERT_TRUE(fields) << fields.error();
  EXPECT_EQ(fields->offset, Offset{41});
  EXPECT_EQ(fields->reason, "not_json");
}

TEST_F(EmbeddedLogTest, ALogKeepsItsLineageAndAnotherFileHasAnother) {
  const std::string lineage = begun("t")->lineage();
  EXPECT_EQ(EmbeddedSource(log, clock, reading("t")).lineage(), lineage);

  EmbeddedLog other{{.file = folder / "other.db"}};
  EXPECT_NE(EmbeddedSource(other, clock, reading("t")).lineage(), lineage);
}

TEST_F(EmbeddedLogTest, AFileThatIsTakenAwayIsNoticed) {
  producer.produce(std::vector{message("t", "a")});
  auto source = begun("t");
  for (const char* file : {"log.db", "log.db-wal", "log.db-shm"}) {
    std::filesystem::remove(folder / file);
  }

  EXPECT_THROW(producer.produce(std::vector{message("t", "b")}), IoError);
  EXPECT_THROW(source->poll({}, 0ms), IoError);

  producer.produce(std::vector{message("t", "c")});
  const Polled polled = source->poll({}, 0ms);
  EXPECT_THAT(polled.lost, SizeIs(1)) << "it is another log";
  EXPECT_THAT(polled.assigned, SizeIs(1));
}

/// Each batch of the child is ten messages; it says so when a batch is durable, and is killed
/// while it writes the next.
TEST_F(EmbeddedLogTest, AKilledProducerLeavesWholeBatchesAndAllThatItAcknowledged) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    EmbeddedLog own{{.file = folder / "log.db"}};
    EmbeddedProducer writer{own};
    const std::vector<OutgoingMessage> batch(10, message("t", "x"));
    for (;;) {
      writer.produce(batch);
      if (write(pipe_ends[1], "b", 1) != 1) _exit(1);
    }
  }
  std::int64_t acknowledged = 0;
  for (char byte = 0; acknowledged < 50 && read(pipe_ends[0], &byte, 1) == 1;) ++acknowledged;
  ASSERT_EQ(kill(child, SIGKILL), 0);
  close(pipe_ends[1]);
  for (char byte = 0; read(pipe_ends[0], &byte, 1) == 1;) ++acknowledged;
  close(pipe_ends[0]);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);

  auto source = begun("t");
  const LogRange range = source->ranges(std::vector{TopicPartition{"t", 0}}).at({"t", 0});
  EXPECT_EQ(range.end.value % 10, 0);
  EXPECT_GE(range.end.value, acknowledged * 10);
  EXPECT_LE(range.end.value, acknowledged * 10 + 10);
  std::int64_t found = 0;
  for (Polled polled = source->poll({}, 0ms); !polled.batch.empty();
       polled = source->poll({}, 0ms)) {
    found += static_cast<std::int64_t>(payloads(polled).size());
  }
  EXPECT_EQ(found, range.end.value);
}

/// The clock stands still in both, so nobody expires before the test says so.
TEST_F(EmbeddedLogTest, MembersOfTwoProcessesShareAndTheOneThatStaysTakesOver) {
  constexpr int kTries = 1'000;
  producer.create_topic("t", 2);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    EmbeddedLog own{{.file = folder / "log.db"}};
    EmbeddedSource member{own, clock, reading("t")};
    for (;;) member.poll({}, 20ms);
  }
  EmbeddedSource member{log, clock, reading("t")};
  std::size_t owned = 0;
  const auto step = [&] {
    const Polled polled = member.poll({}, 20ms);
    owned = owned + polled.assigned.size() - polled.lost.size();
  };
  // Until both are members it has none, or both.
  for (int tries = 0; owned != 1 && tries < kTries; ++tries) step();
  EXPECT_EQ(owned, 1U);

  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  clock.advance(4s);
  step();

  EXPECT_EQ(owned, 2U);
}

}  // namespace
}  // namespace signalbox
