#include "domain/event_time.hpp"

#include <string>

#include <gtest/gtest.h>

namespace signalbox {
namespace {

using std::chrono::milliseconds;

constexpr EventTime kOpen{milliseconds{1'761'573'360'000}};  // 2025-10-27T13:56:00Z

EventTime at(std::int64_t ms) { return EventTime{milliseconds{ms}}; }

TEST(TimeFromIso, ReadsEveryWayOfWritingUtc) {
  for (const char* text :
       {"2025-10-27T13:56:00+00:00", "2025-10-27T13:56:00Z", "2025-10-27T13:56:00",
        "2025-10-27 13:56:00", "2025-10-27t13:56:00z", "2025-10-27T13:56", "2025-10-27T13:56Z",
        "2025-10-27T13:56:00.000", "2025-10-27T13:56:00.000000+00:00", "2025-10-27T13:56:00-00:00",
        "2025-10-27T13:56:00+0000", "2025-10-27T13:56:00+00"}) {
    EXPECT_EQ(time_from_iso(text), kOpen) << text;
  }
}

TEST(TimeFromIso, SubtractsTheOffset) {
  EXPECT_EQ(time_from_iso("2025-10-27T15:56:00+02:00"), kOpen);
  EXPECT_EQ(time_from_iso("2025-10-27T08:26:00-05:30"), kOpen);
  EXPECT_EQ(time_from_iso("2025-10-28T03:56:00+14"), kOpen);
}

TEST(TimeFromIso, CutsTheFractionOffAtMilliseconds) {
  EXPECT_EQ(time_from_iso("2025-10-27T13:56:00.5Z"), kOpen + milliseconds{500});
  EXPECT_EQ(time_from_iso("2025-10-27T13:56:00.12Z"), kOpen + milliseconds{120});
  EXPECT_EQ(time_from_iso("2025-10-27T13:56:00.120999+00:00"), kOpen + milliseconds{120});
  EXPECT_EQ(time_from_iso("2025-10-27T13:56:00.1239999999999999"), kOpen + milliseconds{123});
}

TEST(TimeFromIso, TakesADateAsItsMidnight) {
  EXPECT_EQ(time_from_iso("2025-10-27"), at(1'761'523'200'000));
  EXPECT_EQ(time_from_iso("1970-01-01"), at(0));
  EXPECT_EQ(time_from_iso("2024-02-29"), at(1'709'164'800'000));
}

TEST(TimeFromIso, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "yesterday",
                           "2025",
                           "2025-10",
                           "2025-13-01",
                           "2025-00-10",
                           "2025-02-29",
                           "2025-04-31",
                           "2025-1-1",
                           "25-10-27",
                           "2025/10/27",
                           "20251027",
                           "2025-10-27T",
                           "2025-10-27T13",
                           "2025-10-27T24:00",
                           "2025-10-27T13:60",
                           "2025-10-27T13:56:60",
                           "2025-10-27T13:56:00.",
                           "2025-10-27T13:56:00.Z",
                           "2025-10-27T13:56:00+",
                           "2025-10-27T13:56:00+1",
                           "2025-10-27T13:56:00+24:00",
                           "2025-10-27T13:56:00+01:60",
                           "2025-10-27T13:56:00+01:",
                           "2025-10-27T13:56:00ZZ",
                           "2025-10-27T13:56:00 UTC",
                           " 2025-10-27T13:56:00",
                           "2025-10-27T13:56:00+00:00 ",
                           "2025-10-27X13:56:00",
                           "+025-10-27T13:56:00",
                           "1761573360000",
                           "-2025-10-27"}) {
    EXPECT_EQ(time_from_iso(text), std::nullopt) << text;
  }
}

TEST(TimeFromIso, RefusesEveryBeginningOfATimeThatIsNoTimeItself) {
  const std::string full = "2025-10-27T13:56:07.123+00:00";
  EXPECT_TRUE(time_from_iso(full));
  for (const std::size_t size : {9U, 11U, 12U, 13U, 14U, 15U, 17U, 18U, 20U, 24U, 25U, 27U, 28U}) {
    EXPECT_EQ(time_from_iso(full.substr(0, size)), std::nullopt) << full.substr(0, size);
  }
}

TEST(TimeFromEpoch, ReadsWholeMilliseconds) {
  const auto ms = EpochUnit::Milliseconds;
  EXPECT_EQ(time_from_epoch("1761573360000", ms), kOpen);
  EXPECT_EQ(time_from_epoch("1761573360000.0", ms), kOpen);
  EXPECT_EQ(time_from_epoch("1.76157336e12", ms), kOpen);
  EXPECT_EQ(time_from_epoch("1761573360000.5", ms), std::unexpected(RejectReason::TimeMalformed));
}

TEST(TimeFromEpoch, KnowsSecondsWhereMillisecondsAreMeant) {
  const auto ms = EpochUnit::Milliseconds;
  const auto in_seconds = std::unexpected(RejectReason::TimeInSeconds);
  EXPECT_EQ(time_from_epoch("1761573360", ms), in_seconds);
  EXPECT_EQ(time_from_epoch("1761573360.25", ms), in_seconds);
  EXPECT_EQ(time_from_epoch("978307200", ms), in_seconds);
  EXPECT_EQ(time_from_epoch("978307199", ms), at(978'307'199));
  EXPECT_EQ(time_from_epoch("4102444799", ms), in_seconds);
  EXPECT_EQ(time_from_epoch("4102444800", ms), at(4'102'444'800));
}

TEST(TimeFromEpoch, TakesSecondsAndMillisecondsOfSignals) {
  const auto either = EpochUnit::SecondsOrMilliseconds;
  EXPECT_EQ(time_from_epoch("1761573360", either), kOpen);
  EXPECT_EQ(time_from_epoch("1761573360.112", either), kOpen + milliseconds{112});
  EXPECT_EQ(time_from_epoch("1761573360000", either), kOpen);
  EXPECT_EQ(time_from_epoch("1761573360000.4", either), kOpen);
}

TEST(TimeFromEpoch, RefusesNumbersThatAreNoTimeWithoutOverflow) {
  for (const EpochUnit unit : {EpochUnit::Milliseconds, EpochUnit::SecondsOrMilliseconds}) {
    EXPECT_EQ(time_from_epoch("1e308", unit), std::unexpected(RejectReason::TimeInFuture));
    EXPECT_EQ(time_from_epoch("-1e308", unit), std::unexpected(RejectReason::TimeBefore2009));
    EXPECT_EQ(time_from_epoch("1761573360000000000", unit),
              std::unexpected(RejectReason::TimeInFuture));
    EXPECT_EQ(time_from_epoch("1e400", unit), std::unexpected(RejectReason::NotFinite));
  }
}

TEST(PlausibleTime, BeginsWith2009) {
  const ReceivedAt now = kOpen;
  EXPECT_EQ(plausible_time(at(1'230'768'000'000), now), at(1'230'768'000'000));
  EXPECT_EQ(plausible_time(at(1'230'767'999'999), now),
            std::unexpected(RejectReason::TimeBefore2009));
}

TEST(PlausibleTime, EndsADayAhead) {
  const ReceivedAt now = kOpen;
  const EventTime last = kOpen + std::chrono::days{1};
  EXPECT_EQ(plausible_time(last, now), last);
  EXPECT_EQ(plausible_time(last + milliseconds{1}, now),
            std::unexpected(RejectReason::TimeInFuture));
}

}  // namespace
}  // namespace signalbox
