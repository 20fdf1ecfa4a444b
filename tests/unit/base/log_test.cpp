#include "base/log.hpp"

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/log_limiter.hpp"

namespace signalbox {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using std::chrono::system_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const system_clock::time_point kNoon = std::chrono::sys_days{std::chrono::year{2024} / 5 / 1} +
                                       std::chrono::hours{12} + std::chrono::milliseconds{250};

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A directory of this test's own, gone when it ends.
class TestDirectory {
 public:
  TestDirectory() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path{testing::TempDir()} /
            (std::string{test->test_suite_name()} + "." + test->name());
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(Log, WritesTimeLevelServiceEventAndFieldsInThatOrder) {
  const LogCapture capture{[] { return kNoon; }};
  log_info("batch_delivered", {{"lane", "redis"},
                               {"messages", 500U},
                               {"offset", -1},
                               {"rate", 2.5},
                               {"priority", true},
                               {"topic", std::string{"signals"}}});
  EXPECT_THAT(
      capture.lines(),
      ElementsAre(R"({"time":"2024-05-01T12:00:00.250Z","level":"INFO","service":"signalbox",)"
                  R"("event":"batch_delivered","lane":"redis","messages":500,"offset":-1,)"
                  R"("rate":2.5,"priority":true,"topic":"signals"})"));
}

TEST(Log, StaysValidJsonWhateverTheTextHolds) {
  const LogCapture capture;
  using namespace std::string_view_literals;
  // Quote, backslash, line end, NUL, a lone continuation byte, an overlong slash, a surrogate, a
  // cut sequence, and two characters that are fine.
  log_warn("odd", {{"text",
                    "a\"b\\c\nd\0e\x80"
                    "f\xC0\xAFg\xED\xA0\x80h\u20AC\U0001F600i\xE2\x82"sv}});
  const json line = json::parse(capture.lines().at(0));
  EXPECT_EQ(line["text"].get<std::string>(),
            "a\"b\\c\nd\0e\uFFFD"
            "f\uFFFD\uFFFDg\uFFFD\uFFFD\uFFFDh\u20AC\U0001F600i\uFFFD\uFFFD"sv);
}

TEST(Log, WritesListsOfTexts) {
  const LogCapture log;
  constexpr std::array<std::string_view, 2> kTickers{"AAPL", "a\"b"};
  log_info("signal_received",
           {{"tickers", LogValue::Texts{kTickers}}, {"none", LogValue::Texts{}}});
  const json line = json::parse(log.lines().at(0));
  EXPECT_EQ(line["tickers"], json({"AAPL", "a\"b"}));
  EXPECT_EQ(line["none"], json::array());
}

TEST(Log, WritesNumbersThatAreNoneAsText) {
  const LogCapture capture;
  log_info("odd", {{"nan", std::nan("")},
                   {"up", std::numeric_limits<double>::infinity()},
                   {"down", -std::numeric_limits<double>::infinity()},
                   {"most", std::numeric_limits<std::uint64_t>::max()},
                   {"least", std::numeric_limits<std::int64_t>::min()}});
  EXPECT_THAT(capture.lines().at(0),
              HasSubstr(R"("nan":"NaN","up":"Infinity","down":"-Infinity",)"
                        R"("most":18446744073709551615,"least":-9223372036854775808})"));
}

TEST(Log, KnowsThePythonNamesOfLevelsInAnyCase) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::Debug);
  EXPECT_EQ(parse_log_level("Info"), LogLevel::Info);
  EXPECT_EQ(parse_log_level("WARN"), LogLevel::Warning);
  EXPECT_EQ(parse_log_level("warning"), LogLevel::Warning);
  EXPECT_EQ(parse_log_level("ERROR"), LogLevel::Error);
  EXPECT_EQ(parse_log_level("Critical"), LogLevel::Critical);
  EXPECT_EQ(parse_log_level("loud"), std::nullopt);
  EXPECT_EQ(parse_log_level(""), std::nullopt);
}

TEST(Log, CountsRepeatsWithinThirtySecondsAndTellsThemWithTheNextLine) {
  auto now = kNoon;
  const LogCapture capture{[&now] { return now; }};
  log_warn_limited("redis:6379", "redis_unreachable", {{"error", "refused"}});
  now += seconds{29};
  log_warn_limited("redis:6379", "redis_unreachable", {{"error", "refused"}});
  log_warn_limited("redis:6379", "redis_unreachable", {{"error", "refused"}});
  EXPECT_THAT(capture.lines(), SizeIs(1));

  now += seconds{1};
  log_warn_limited("redis:6379", "redis_unreachable", {{"error", "refused"}});
  ASSERT_THAT(capture.lines(), SizeIs(2));
  EXPECT_THAT(capture.lines().at(1), HasSubstr(R"("error":"refused","repeated":2})"));

  now += seconds{30};
  log_warn_limited("redis:6379", "redis_unreachable");
  EXPECT_THAT(capture.lines().at(2), testing::Not(HasSubstr("repeated")));
}

TEST(Log, LimitsEachEventAndKeyOnItsOwn) {
  const LogCapture capture{[] { return kNoon; }};
  log_warn_limited("a", "away");
  log_warn_limited("b", "away");
  log_error_limited("a", "refused");
  log_warn_limited("a", "away");
  EXPECT_THAT(capture.lines(), SizeIs(3));
}

TEST(Log, TellsWhichLinesMatter) {
  const LogCapture capture;
  log_debug("a");
  log_warn("b");
  log_error("c");
  EXPECT_THAT(capture.lines(LogLevel::Warning), SizeIs(2));
  EXPECT_THAT(capture.lines(LogLevel::Critical), IsEmpty());
}

TEST(Log, KeepsLinesOfManyThreadsWhole) {
  const LogCapture capture;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 250; ++i) log_info("tick", {{"thread", t}, {"i", i}});
      });
    }
  }
  ASSERT_THAT(capture.lines(), SizeIs(1000));
  for (const std::string& line : capture.lines()) EXPECT_TRUE(json::accept(line)) << line;
}

TEST(LogSetup, WritesTheFileOfItsServiceAndLeavesOutLowerLevels) {
  const TestDirectory directory;
  {
    const LogSetup setup{{.service = "dispatcher",
                          .level = LogLevel::Warning,
                          .console = LogConsole::None,
                          .directory = directory.path() / "logs"}};
    EXPECT_FALSE(log_enabled(LogLevel::Info));
    log_info("unseen");
    log_warn("seen", {{"n", 1}});
  }
  const std::string text = text_of(directory.path() / "logs" / "dispatcher.log");
  EXPECT_THAT(text, HasSubstr(R"("level":"WARNING","service":"dispatcher","event":"seen","n":1})"
                              "\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("unseen")));
}

TEST(LogSetup, EndsWithTheRepeatsThatNobodyHasTold) {
  const TestDirectory directory;
  {
    const LogSetup setup{
        {.service = "dispatcher", .console = LogConsole::None, .directory = directory.path()}};
    log_warn_limited("db", "postgres_unreachable");
    log_warn_limited("db", "postgres_unreachable");
  }
  EXPECT_THAT(text_of(directory.path() / "dispatcher.log"),
              HasSubstr(R"("event":"log_repeats","of_event":"postgres_unreachable","key":"db",)"
                        R"("repeated":1})"));
}

TEST(LogSetup, StartsWithOneWarningWhereTheDirectoryCannotBeWritten) {
  const TestDirectory directory;
  std::ofstream{directory.path() / "file"} << "in the way";
  testing::internal::CaptureStdout();
  {
    const LogSetup setup{
        {.service = "dispatcher", .directory = directory.path() / "file" / "logs"}};
    log_info("started");
  }
  const std::string out = testing::internal::GetCapturedStdout();
  EXPECT_THAT(out, HasSubstr(R"("level":"WARNING","service":"dispatcher",)"
                             R"("event":"log_file_unavailable")"));
  EXPECT_THAT(out, HasSubstr(R"("event":"started")"));
}

TEST(LogSetup, TurnsTheFileOverAtTenMegabytesAndKeepsFiveOlderOnes) {
  const TestDirectory directory;
  const std::string megabyte(1'000'000, 'x');
  {
    const LogSetup setup{
        {.service = "dispatcher", .console = LogConsole::None, .directory = directory.path()}};
    for (int i = 0; i < 75; ++i) log_info("filler", {{"text", megabyte}});
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator{directory.path()}) {
    EXPECT_LE(entry.file_size(), 10U * 1024 * 1024);
    ++files;
  }
  EXPECT_EQ(files, 6U);
}

TEST(LogLimiter, ForgetsTheOldestKeyForANewOneAndKeepsItsCount) {
  LogLimiter limiter{{.window = seconds{30}, .keys_max = 2}};
  EXPECT_EQ(limiter.admit("away", "a", kNoon), 0U);
  EXPECT_EQ(limiter.admit("away", "a", kNoon), std::nullopt);
  EXPECT_EQ(limiter.admit("away", "b", kNoon + seconds{1}), 0U);
  EXPECT_EQ(limiter.admit("away", "c", kNoon + seconds{2}), 0U);
  EXPECT_EQ(limiter.admit("away", "b", kNoon + seconds{3}), std::nullopt);
  EXPECT_THAT(limiter.drain(),
              ElementsAre(LogLimiter::Untold{"away", "a", 1}, LogLimiter::Untold{"away", "b", 1}));
  EXPECT_THAT(limiter.drain(), IsEmpty());
}

TEST(LogLimiter, WritesAgainWhenTheClockWasSetBack) {
  LogLimiter limiter;
  EXPECT_EQ(limiter.admit("away", "a", kNoon), 0U);
  EXPECT_EQ(limiter.admit("away", "a", kNoon - std::chrono::hours{2}), 0U);
}

}  // namespace
}  // namespace signalbox
