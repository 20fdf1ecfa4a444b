#include "domain/fence.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

using std::chrono::milliseconds;

Fence fence_at(std::int64_t next) {
  return {.next = Offset{next},
          .part = 0,
          .last_timestamp = EventTime{milliseconds{1'700'000'000'000}},
          .seq = 7,
          .epoch = 1'690'000'000'000,
          .lineage = "cluster",
          .gap = 0};
}

Offset offset_of(const Resume& resume) { return std::get<ResumeAt>(resume.where).offset; }

TEST(Fence, ReadsBackEveryFieldThatItWrote) {
  Fence fence = fence_at(42);
  fence.part = 3;
  fence.gap = -12;
  EXPECT_EQ(decode_fence(encode(fence)), fence);
  fence.lineage.clear();
  EXPECT_EQ(decode_fence(encode(fence)), fence);
}

TEST(Fence, RefusesTextThatIsNoFence) {
  EXPECT_FALSE(decode_fence(""));
  EXPECT_FALSE(decode_fence("42"));
  EXPECT_FALSE(decode_fence("-1 0 0 0 0 - 0"));
  EXPECT_FALSE(decode_fence("1 0 0 0 0  0"));
  EXPECT_FALSE(decode_fence("1 0 0 0 0 - 0 0"));
  EXPECT_FALSE(decode_fence("1 0 x 0 0 - 0"));
}

TEST(Amnesia, AFirstStartObeysTheConfiguredEnd) {
  const LogRange log{.begin = Offset{5}, .end = Offset{90}, .committed = std::nullopt};
  const auto latest = resume_from(std::nullopt, log, StartAt::Latest, GroupHistory::None);
  EXPECT_EQ(latest.resume_case, ResumeCase::FirstStart);
  EXPECT_EQ(offset_of(latest), Offset{90});
  const auto earliest = resume_from(std::nullopt, log, StartAt::Earliest, GroupHistory::None);
  EXPECT_EQ(offset_of(earliest), Offset{5});
}

TEST(Amnesia, APartitionThatAppearsLaterIsReadFromItsBeginning) {
  const LogRange log{.begin = Offset{0}, .end = Offset{90}, .committed = std::nullopt};
  const auto resume = resume_from(std::nullopt, log, StartAt::Latest, GroupHistory::Started);
  EXPECT_EQ(resume.resume_case, ResumeCase::NewPartition);
  EXPECT_EQ(offset_of(resume), Offset{0});
}

TEST(Amnesia, ASinkThatForgotResumesAtTheCommit) {
  const LogRange log{.begin = Offset{0}, .end = Offset{90}, .committed = Offset{60}};
  const auto resume = resume_from(std::nullopt, log, StartAt::Latest, GroupHistory::Started);
  EXPECT_EQ(resume.resume_case, ResumeCase::SinkForgot);
  EXPECT_EQ(offset_of(resume), Offset{60});
}

TEST(Amnesia, ACommitOutsideTheLogResumesAtTheLogsNearestEnd) {
  const LogRange log{.begin = Offset{70}, .end = Offset{90}, .committed = Offset{60}};
  EXPECT_EQ(offset_of(resume_from(std::nullopt, log, StartAt::Latest, GroupHistory::Started)),
            Offset{70});
}

TEST(Amnesia, TheFenceOutranksTheCommit) {
  const LogRange log{.begin = Offset{0}, .end = Offset{90}, .committed = Offset{60}};
  const auto ahead = resume_from(fence_at(70), log, StartAt::Latest, GroupHistory::Started);
  EXPECT_EQ(ahead.resume_case, ResumeCase::AtFence);
  EXPECT_EQ(offset_of(ahead), Offset{70});
  const auto behind = resume_from(fence_at(50), log, StartAt::Latest, GroupHistory::Started);
  EXPECT_EQ(behind.resume_case, ResumeCase::SinkRestored);
  EXPECT_EQ(offset_of(behind), Offset{50});
}

TEST(Amnesia, AFenceAtEitherEndOfTheLogIsInside) {
  const LogRange log{.begin = Offset{10}, .end = Offset{90}, .committed = std::nullopt};
  for (const std::int64_t next : {10, 90}) {
    EXPECT_EQ(resume_from(fence_at(next), log, StartAt::Latest, GroupHistory::Started).resume_case,
              ResumeCase::AtFence);
  }
}

TEST(Amnesia, AFenceOutsideTheLogResumesASecondBeforeItsLastMessage) {
  const LogRange log{.begin = Offset{10}, .end = Offset{90}, .committed = std::nullopt};
  for (const std::int64_t next : {9, 91}) {
    const auto resume = resume_from(fence_at(next), log, StartAt::Latest, GroupHistory::Started);
    EXPECT_EQ(resume.resume_case, ResumeCase::OutsideLog);
    EXPECT_EQ(std::get<ResumeByTime>(resume.where).time,
              EventTime{milliseconds{1'699'999'999'000}});
  }
}

}  // namespace
}  // namespace signalbox
