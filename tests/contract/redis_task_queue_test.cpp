#include "adapters/redis_task_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <variant>

#include "adapters/redis_claim_script.hpp"
#include "adapters/redis_script_common.hpp"
#include "adapters/resp.hpp"
#include "contract/redis_queue_place.hpp"
#include "contract/redis_sink_fixture.hpp"
#include "contract/reply_eater.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using enum TriggerOutcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

using Builder = ClaimBatchBuilder;

INSTANTIATE_TEST_SUITE_P(
    Redis, TaskQueueContract,
    testing::Values(TaskQueueAdapter{
        "Redis", [](const ClaimRules& rules) { return std::make_unique<RedisQueuePlace>(rules); }}),
    [](const auto& adapter) { return adapter.param.name; });

constexpr BusyRule kLatest{BusyPolicy::KeepLatest, 1};
const TopicPartition kPartition{"trading-signals", 3};

Fence fence_at(std::int64_t next) {
  Fence fence;
  fence.next = Offset{next};
  return fence;
}

class RedisTaskQueueTest : public testing::Test {
 protected:
  RedisControl& control() { return place_.control(); }
  std::vector<std::string> keys() { return control().ask_list({"KEYS", "*"}); }

  static Builder one_task(const std::string& signal, int pipeline = 1) {
    Builder builder;
    builder.ask({.signal = signal, .pipeline = pipeline});
    return builder;
  }

  RedisQueuePlace place_{{}};
};

std::string why_not(const ClaimOutcome& outcome) {
  const auto* away = std::get_if<Unavailable>(&outcome);
  return away ? away->why : "outcome " + std::to_string(outcome.index());
}

TriggerOutcome only_outcome(const ClaimOutcome& outcome) {
  const auto* claimed = std::get_if<Claimed>(&outcome);
  EXPECT_NE(claimed, nullptr) << why_not(outcome);
  return claimed && claimed->outcomes.size() == 1 ? claimed->outcomes[0] : Expired;
}

TEST_F(RedisTaskQueueTest, WritesNothingWhenAnyKeyIsOfAnotherType) {
  const auto queue = place_.make_queue();
  for (const std::string key :
       {"celery", "backtest_pipeline_execution", "signalbox:trigger:claims",
        "signalbox:trigger:slots", "signalbox:trigger:held", "signalbox:trigger:state",
        "signalbox:trigger:outcomes", "signalbox:trigger:seen:0", "signalbox:trigger:seen:3",
        "signalbox:fence:queue-tests:trading-signals:3"}) {
    control().ask({"FLUSHDB"});
    control().ask({"ZADD", key, "1", "member"});
    Builder builder = one_task("s1");
    builder.move(kPartition, std::nullopt, fence_at(5));
    EXPECT_THAT(why_not(queue->claim(builder.batch())), HasSubstr(key));
    EXPECT_THAT(keys(), ElementsAre(key));
  }
}

TEST_F(RedisTaskQueueTest, WritesNothingWhenTheMemoryIsFull) {
  const auto queue = place_.make_queue();
  ASSERT_EQ(only_outcome(queue->claim(one_task("s0", 7).batch())), Enqueued);
  control().ask({"FLUSHDB"});
  Builder builder = one_task("s1");
  builder.ask({.signal = "s2", .pipeline = 2, .busy = kLatest, .is_running = true})
      .move(kPartition, std::nullopt, fence_at(5));
  {
    const ServerSetting policy{control(), "maxmemory-policy", "noeviction"};
    const ServerSetting limit{control(), "maxmemory", "1mb"};
    EXPECT_THAT(why_not(queue->claim(builder.batch())), HasSubstr("OOM"));
    EXPECT_THAT(keys(), IsEmpty());
  }
  EXPECT_TRUE(std::holds_alternative<Claimed>(queue->claim(builder.batch())));
}

TEST_F(RedisTaskQueueTest, WaitsWhileRedisIsAReplica) {
  const auto queue = place_.make_queue();
  queue->ping();
  control().ask({"REPLICAOF", "127.0.0.1", "1"});
  const std::string why = why_not(queue->claim(one_task("s1").batch()));
  control().ask({"REPLICAOF", "NO", "ONE"});
  EXPECT_THAT(why, testing::AnyOf(HasSubstr("READONLY"), HasSubstr("MASTERDOWN")));
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_F(RedisTaskQueueTest, LoadsItsScriptsAgainWhenTheyWereForgotten) {
  const auto queue = place_.make_queue();
  queue->ping();
  control().ask({"SCRIPT", "FLUSH"});
  EXPECT_EQ(only_outcome(queue->claim(one_task("s1").batch())), Enqueued);
  control().ask({"SCRIPT", "FLUSH"});
  EXPECT_THAT(queue->held(10), IsEmpty());
}

TEST_F(RedisTaskQueueTest, ALostReplyIsUnknownAndTheFenceTellsThatItLanded) {
  RedisTaskQueueOptions options = place_.options();
  ReplyEater relay{options.redis.host, options.redis.port};
  options.redis.host = "127.0.0.1";
  options.redis.port = relay.port();
  RedisTaskQueue queue{options};
  queue.ping();
  relay.eat_next_reply();
  Builder builder = one_task("s1");
  builder.move(kPartition, std::nullopt, fence_at(5));
  EXPECT_TRUE(std::holds_alternative<Unknown>(queue.claim(builder.batch())));
  EXPECT_EQ(queue.read_fences({&kPartition, 1}), (FenceMap{{kPartition, fence_at(5)}}));
  EXPECT_TRUE(std::holds_alternative<Refused>(queue.claim(builder.batch())));
  EXPECT_TRUE(place_.take());
  EXPECT_FALSE(place_.take());
}

TEST_F(RedisTaskQueueTest, AServerThatIsNotThereIsUnavailable) {
  RedisTaskQueueOptions options = place_.options();
  options.redis.port = 1;
  RedisTaskQueue queue{options};
  EXPECT_THAT(why_not(queue.claim(one_task("s1").batch())), HasSubstr(":1"));
  EXPECT_THROW(static_cast<void>(queue.held(1)), IoError);
  EXPECT_THROW(queue.ping(), IoError);
}

TEST_F(RedisTaskQueueTest, AUserWhoMayNotDoAllOfACallDoesNothingOfIt) {
  control().ask({"ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-xadd"});
  RedisTaskQueueOptions options = place_.options();
  options.redis.user = "limited";
  options.redis.password = "secret";
  RedisTaskQueue queue{options};
  const std::string why = why_not(queue.claim(one_task("s1").batch()));
  control().ask({"ACL", "DELUSER", "limited"});
  EXPECT_THAT(why, HasSubstr("NOPERM"));
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_F(RedisTaskQueueTest, ACallThatRestsOnAWrongClockIsRefusedWithTheRightOne) {
  RedisConnection connection{place_.options().redis};
  ASSERT_TRUE(connection.ready());
  std::string load;
  append_command(load, {"SCRIPT", "LOAD", std::string(kScriptCommon) + std::string(kClaimScript)});
  const std::string sha{connection.call(load, 1).value()->take().text};
  CeleryMessages messages{CeleryOptions{}};
  const RedisTaskQueueOptions options = place_.options();
  const TaskKeys names{options.mode, options.group};
  const Builder builder = one_task("s1");
  const auto verdict_at = [&](std::chrono::milliseconds now) {
    ClaimRequest request;
    request.build(builder.batch(), sha,
                  {.rules = options.rules,
                   .celery = options.celery,
                   .keys = names,
                   .mode = options.mode,
                   .reads_results = 1,
                   .now = now},
                  messages, [](std::string_view) {});
    RedisReplies& replies = *connection.call(request.bytes(), 1).value();
    replies.take();
    const std::string verdict{replies.take().text};
    return std::pair{verdict,
                     std::chrono::milliseconds{std::stoll(std::string(replies.take().text))}};
  };
  const auto time = control().ask_list({"TIME"});
  const std::chrono::milliseconds now{std::stoll(time.at(0)) * 1'000};
  for (const auto wrong : {now - std::chrono::seconds{7}, now + std::chrono::hours{1}}) {
    const auto [verdict, told] = verdict_at(wrong);
    EXPECT_EQ(verdict, "clock");
    EXPECT_LT(std::chrono::abs(told - now), std::chrono::seconds{5});
    EXPECT_THAT(keys(), IsEmpty());
  }
  EXPECT_EQ(verdict_at(now).first, "ok");
}

TEST_F(RedisTaskQueueTest, AClaimEndsByEachFinalStateAndByNoOther) {
  const auto queue = place_.make_queue();
  int number = 0;
  const auto outcome_after = [&](const std::string& state) {
    const std::string signal = "s" + std::to_string(++number);
    queue->claim(one_task(signal, number).batch());
    const auto task = place_.take().value();
    control().ask({"SET", "celery-task-meta-" + task.task_id,
                   R"({"status": ")" + state + R"(", "result": "SUCCESS"})"});
    const auto outcome = only_outcome(queue->claim(one_task(signal + " again", number).batch()));
    control().ask({"DEL", "celery"});
    return outcome;
  };
  for (const std::string state : {"SUCCESS", "FAILURE", "REVOKED"}) {
    EXPECT_EQ(outcome_after(state), Enqueued) << state;
  }
  for (const std::string state : {"STARTED", "RETRY", "PENDING"}) {
    EXPECT_EQ(outcome_after(state), Busy) << state;
  }
}

TEST_F(RedisTaskQueueTest, AReplyOfAnEarlierRunDoesNotFreeThePair) {
  const auto queue = place_.make_queue();
  queue->claim(one_task("s1").batch());
  place_.finish(place_.take().value());
  control().ask({"DEL", "signalbox:trigger:seen:0", "signalbox:trigger:seen:1",
                 "signalbox:trigger:seen:2", "signalbox:trigger:seen:3"});
  EXPECT_EQ(only_outcome(queue->claim(one_task("s1").batch())), Enqueued);
  EXPECT_EQ(only_outcome(queue->claim(one_task("s2").batch())), Busy);
}

TEST_F(RedisTaskQueueTest, ResultsInAnotherDatabaseFreeThePairOnceTheSweepHasSeenThem) {
  RedisTaskQueueOptions options = place_.options();
  options.results = options.redis;
  options.results->database = kResultsDatabase;
  RedisTaskQueue queue{options};
  queue.claim(one_task("s1").batch());
  const auto task = place_.take().value();
  EXPECT_THAT(queue.open_claims(10, std::chrono::milliseconds{0}), SizeIs(1));
  control().ask({"SELECT", std::to_string(kResultsDatabase)});
  place_.finish(task);
  control().ask({"SELECT", std::to_string(kQueueDatabase)});
  EXPECT_THAT(queue.open_claims(10, std::chrono::milliseconds{0}), IsEmpty());
  EXPECT_EQ(only_outcome(queue.claim(one_task("s2").batch())), Enqueued);
}

TEST_F(RedisTaskQueueTest, AShadowClaimsUnderItsOwnKeysAndEnqueuesNothing) {
  RedisTaskQueueOptions options = place_.options();
  options.mode = TaskQueueMode::Shadow;
  RedisTaskQueue queue{options};
  Builder builder = one_task("s1");
  builder.ask({.signal = "s2", .pipeline = 1, .busy = kLatest});
  EXPECT_TRUE(std::holds_alternative<Claimed>(queue.claim(builder.batch())));
  queue.release(queue.open_claims(10, std::chrono::milliseconds{0}));
  const std::vector<HeldTask> held = queue.held(10);
  ASSERT_THAT(held, SizeIs(1));
  const std::vector<HeldDecision> decisions{{held.data(), std::nullopt}};
  EXPECT_THAT(queue.settle_held(decisions, {}).outcomes, ElementsAre(Enqueued));
  for (const std::string& key : keys()) EXPECT_THAT(key, HasSubstr("signalbox:shadow:"));
}

TEST_F(RedisTaskQueueTest, NoKeyOfOursHasATimeToLive) {
  const auto queue = place_.make_queue();
  Builder builder = one_task("s1");
  builder.ask({.signal = "s2", .pipeline = 1, .busy = kLatest})
      .move(kPartition, std::nullopt, fence_at(5))
      .cut({.partition = kPartition, .pairs_done = 1, .last_pair = "x"});
  queue->claim(builder.batch());
  EXPECT_THAT(keys(),
              UnorderedElementsAre("celery", "signalbox:trigger:claims", "signalbox:trigger:slots",
                                   "signalbox:trigger:held", "signalbox:trigger:state",
                                   "signalbox:trigger:outcomes", testing::_,
                                   "signalbox:fence:queue-tests:trading-signals:3",
                                   "signalbox:trigger:cut:queue-tests:trading-signals:3"));
  for (const std::string& key : keys()) EXPECT_EQ(control().ask({"TTL", key}), "-1") << key;
}

TEST_F(RedisTaskQueueTest, ATaskThatWaitedExpiresLaterThanItWasMade) {
  const auto queue = place_.make_queue();
  Builder builder;
  builder.ask({.signal = "s1", .pipeline = 1, .busy = kLatest, .is_running = true});
  queue->claim(builder.batch());
  const std::string content = control().ask_list({"HVALS", "signalbox:trigger:held"}).at(0);
  const std::vector<HeldTask> held = queue->held(10);
  const std::vector<HeldDecision> decisions{{held.data(), std::nullopt}};
  queue->settle_held(decisions, {});
  const std::string element = control().ask({"LINDEX", "celery", "0"});
  EXPECT_EQ(read_element(element).signal_key, "s1");
  const auto expires = [](const std::string& text) {
    return text.substr(text.find(R"("expires": ")") + 12, 32);
  };
  EXPECT_GE(expires(element), expires(content));
  EXPECT_TRUE(expires(element).ends_with("+00:00")) << expires(element);
  EXPECT_EQ(element.size(), content.size() - content.find('{'));
}

TEST_F(RedisTaskQueueTest, TheOutcomesAreBounded) {
  RedisTaskQueueOptions options = place_.options();
  options.rules.segment_entries = 10;
  options.rules.segments_max = 3;
  RedisTaskQueue queue{options};
  for (int i = 0; i < 200; ++i) queue.claim(one_task("s" + std::to_string(i), i).batch());
  const std::vector<PairOutcome> outcomes = place_.outcomes();
  EXPECT_GT(outcomes.size(), 15U);
  EXPECT_LE(outcomes.size(), 30U);
  EXPECT_EQ(outcomes.back().signal_key, "s199");
  options.rules.segment_entries = 2'000;
  options.rules.segment_bytes = 2'000;
  options.rules.outcome_bytes_max = 6'000;
  RedisTaskQueue smaller{options};
  for (int i = 200; i < 400; ++i) smaller.claim(one_task("s" + std::to_string(i), i).batch());
  EXPECT_LE(place_.outcomes().size(), 40U);
  EXPECT_EQ(place_.outcomes().back().signal_key, "s399");
}

TEST_F(RedisTaskQueueTest, ManyClaimsAndSlotsPassTheLimitsOfTheScriptLanguage) {
  const auto queue = place_.make_queue();
  for (int call = 0; call < 5; ++call) {
    Builder builder;
    for (int i = 0; i < 2'000; ++i) {
      builder.ask({.signal = "s" + std::to_string(call * 2'000 + i),
                   .pipeline = call * 2'000 + i,
                   .busy = kLatest,
                   .is_running = true});
    }
    ASSERT_TRUE(std::holds_alternative<Claimed>(queue->claim(builder.batch())));
  }
  const std::vector<HeldTask> held = queue->held(5'000);
  ASSERT_THAT(held, SizeIs(5'000));
  std::vector<HeldDecision> decisions;
  for (const HeldTask& task : held) decisions.push_back({&task, std::nullopt});
  EXPECT_THAT(queue->settle_held(decisions, {}).enqueued, SizeIs(5'000));
  EXPECT_EQ(queue->report().waiting_tasks, 5'000U);
  EXPECT_EQ(queue->report().held, 5'000U);
}

TEST_F(RedisTaskQueueTest, WarnsWhereClaimsOrResultsMayBeEvicted) {
  const auto queue = place_.make_queue();
  const auto codes = [&] {
    std::vector<std::string> found;
    for (const SinkWarning& warning : queue->inspect()) found.push_back(warning.code);
    return found;
  };
  const ServerSetting limit{control(), "maxmemory", "1gb"};
  {
    const ServerSetting policy{control(), "maxmemory-policy", "allkeys-lru"};
    EXPECT_THAT(codes(), testing::Contains("KEYS_MAY_BE_EVICTED"));
  }
  const ServerSetting policy{control(), "maxmemory-policy", "volatile-ttl"};
  EXPECT_THAT(codes(), testing::Contains("RESULTS_MAY_BE_EVICTED"));
  EXPECT_THAT(codes(), testing::Not(testing::Contains("KEYS_MAY_BE_EVICTED")));
}

TEST_F(RedisTaskQueueTest, CountsThePriorityListsToo) {
  const auto queue = place_.make_queue();
  control().ask({"LPUSH", "celery", "a task of somebody else"});
  control().ask({"LPUSH",
                 "celery\x06\x16"
                 "9",
                 "another"});
  EXPECT_EQ(queue->report().waiting_tasks, 2U);
  EXPECT_FALSE(queue->report().oldest_enqueued_at);
}

}  // namespace
}  // namespace signalbox
