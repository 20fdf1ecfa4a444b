#include "adapters/redis_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "adapters/redis_keys.hpp"
#include "contract/redis_sink_fixture.hpp"
#include "contract/sink_suite.hpp"
#include "domain/routing_note.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

INSTANTIATE_TEST_SUITE_P(Redis, SinkContract,
                         testing::Values(SinkAdapter{"PubSub",
                                                     [](const std::string& word) {
                                                       return std::make_unique<RedisPlace>(word);
                                                     }}),
                         adapter_name);

/// A script that holds the server, from a connection of its own.
std::jthread keep_server_busy(std::chrono::milliseconds duration) {
  return std::jthread{[duration] {
    try {
      RedisControl{}.ask({"EVAL",
                          "local s = redis.call('TIME') repeat local t = redis.call('TIME') "
                          "until (t[1] - s[1]) * 1000 + (t[2] - s[2]) / 1000 > tonumber(ARGV[1])",
                          "0", std::to_string(duration.count())});
    } catch (const std::runtime_error& error) {
      ADD_FAILURE() << error.what();
    }
  }};
}

bool answers(Sink& sink) {
  try {
    sink.ping();
    return true;
  } catch (const IoError&) {
    return false;
  }
}

TEST_F(RedisSinkTest, ASubscriberGetsThePayloadWithRoutingAndNothingElse) {
  RedisSink sink{options()};
  const auto one = batch().candles(0, 41).move(0, std::nullopt, fence_at(42));

  const WriteOutcome outcome = sink.write(one.get());

  ASSERT_TRUE(committed(outcome));
  EXPECT_EQ(std::get<Committed>(outcome).publishes, 1U);
  EXPECT_EQ(std::get<Committed>(outcome).receivers, 1U);
  const auto& received = place_.subscriber().received(control());
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].channel, channel(0));
  std::string expected;
  append_with_routing(expected, one.get().messages[0], one.get().received_at,
                      iso_utc(one.get().received_at));
  EXPECT_EQ(received[0].payload, expected);
  const std::string_view payload = one.message(0).payload;
  EXPECT_THAT(received[0].payload, StartsWith(payload.substr(0, payload.size() - 1)));
  EXPECT_EQ(nlohmann::json::parse(received[0].payload)["_routing"]["offset"], 41);
}

TEST_F(RedisSinkTest, AnyByteGoesThrough) {
  RedisSink sink{options()};
  auto one = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));
  Message message = one.message(0);
  std::string payload = R"({"a": ")";
  for (int c = 1; c < 256; ++c) payload += static_cast<char>(c);
  payload += std::string("\0\r\n*3", 6) + "\"}";
  message.payload = payload;
  one.routed()[0].message = &message;
  one.routed()[0].facts.splice_at = payload.size() - 1;

  ASSERT_TRUE(committed(sink.write(one.get())));

  EXPECT_THAT(place_.subscriber().received(control()).at(0).payload,
              StartsWith(payload.substr(0, payload.size() - 1)));
}

TEST_F(RedisSinkTest, HourlyCandlesGoToBothChannels) {
  RedisSink sink{options()};
  auto one = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));
  const Route hourly = *route_for("market.data." + word_ + ".1h");
  one.routed()[0].route = &hourly;

  const WriteOutcome outcome = sink.write(one.get());

  ASSERT_TRUE(committed(outcome));
  EXPECT_EQ(std::get<Committed>(outcome).publishes, hourly.channels.size());
  const auto& received = place_.subscriber().received(control());
  ASSERT_THAT(received, SizeIs(2));
  EXPECT_EQ(received[0].channel, hourly.channels.at(0));
  EXPECT_EQ(received[1].channel, hourly.channels.at(1));
}

TEST_F(RedisSinkTest, OnlyKeysOfOursAreWritten) {
  RedisSinkOptions with_all = options();
  with_all.stream_length_max = 100;
  with_all.last_values = LastValues::On;
  RedisSink sink{with_all};
  ASSERT_TRUE(
      committed(sink.write(batch().candles(0, 0).move(0, std::nullopt, fence_at(1)).get())));

  EXPECT_THAT(control().ask_list({"KEYS", "*" + word_ + "*"}),
              testing::UnorderedElementsAre(fence_key(group_, source(0)), stream_key(channel(0)),
                                            last_value_key(channel(0))));
  EXPECT_EQ(control().ask({"TTL", fence_key(group_, source(0))}), "-1");
}

TEST_F(RedisSinkTest, StreamAndLastValueHoldWhatWasPublished) {
  RedisSinkOptions with_all = options();
  with_all.stream_length_max = 1'000;
  with_all.last_values = LastValues::On;
  RedisSink sink{with_all};
  ASSERT_TRUE(committed(sink.write(batch()
                                       .candles(0, 0, 3)
                                       .candles(1, 0, 1)
                                       .move(0, std::nullopt, fence_at(3))
                                       .move(1, std::nullopt, fence_at(1))
                                       .get())));

  const auto& received = place_.subscriber().received(control());
  ASSERT_THAT(received, SizeIs(4));
  const auto entries = control().ask_list({"XRANGE", stream_key(channel(0)), "-", "+"});
  ASSERT_THAT(entries, SizeIs(9));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(entries[3 * i + 1], "payload");
    EXPECT_EQ(entries[3 * i + 2], received[i].payload);
  }
  EXPECT_EQ(control().ask({"GET", last_value_key(channel(0))}), received[2].payload);
  EXPECT_EQ(control().ask({"GET", last_value_key(channel(1))}), received[3].payload);
}

TEST_F(RedisSinkTest, AReplayedMessageDoesNotBecomeTheLastValue) {
  RedisSinkOptions with_last = options();
  with_last.last_values = LastValues::On;
  RedisSink sink{with_last};
  auto two = batch().candles(0, 7, 2).move(0, std::nullopt, fence_at(9));
  two.routed()[1].is_replay = true;
  ASSERT_TRUE(committed(sink.write(two.get())));

  EXPECT_EQ(control().ask({"GET", last_value_key(channel(0))}),
            place_.subscriber().received(control()).at(0).payload);
}

TEST_F(RedisSinkTest, AStreamIsBounded) {
  RedisSinkOptions bounded = options();
  bounded.stream_length_max = 200;
  RedisSink sink{bounded};
  for (std::int64_t at = 0; at < 3'000; at += 500) {
    ASSERT_TRUE(committed(sink.write(
        batch()
            .candles(0, at, 500)
            .move(0, at == 0 ? std::nullopt : std::optional{fence_at(at)}, fence_at(at + 500))
            .get())));
  }
  EXPECT_LE(std::stoi(control().ask({"XLEN", stream_key(channel(0))})), 400);
}

TEST_F(RedisSinkTest, AShadowPublishesNothing) {
  RedisSinkOptions shadow = options();
  shadow.mode = RedisSinkMode::Shadow;
  shadow.stream_length_max = 100;
  shadow.last_values = LastValues::On;
  RedisSink sink{shadow};
  const WriteOutcome outcome =
      sink.write(batch().candles(0, 0, 5).move(0, std::nullopt, fence_at(5)).get());

  ASSERT_TRUE(committed(outcome));
  EXPECT_EQ(std::get<Committed>(outcome).publishes, 0U);
  EXPECT_THAT(place_.subscriber().received(control()), IsEmpty());
  EXPECT_EQ(control().ask({"XLEN", shadow_stream_key(channel(0))}), "5");
  EXPECT_THAT(
      control().ask_list({"KEYS", "*" + word_ + "*"}),
      testing::UnorderedElementsAre(fence_key(group_, source(0)), shadow_stream_key(channel(0))));
}

TEST_F(RedisSinkTest, OutOfMemoryCostsNothingAndIsWaitedOut) {
  RedisSink sink{options()};
  const auto one = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));
  {
    const ServerSetting policy{control(), "maxmemory-policy", "noeviction"};
    const ServerSetting memory{control(), "maxmemory", "1"};
    EXPECT_THAT(why_unavailable(sink.write(one.get())), StartsWith("OOM"));
    EXPECT_THAT(why_unavailable(sink.write(one.get())), StartsWith("OOM"));
  }
  EXPECT_EQ(fence_of(sink, 0), std::nullopt);
  EXPECT_THAT(place_.subscriber().received(control()), IsEmpty());
  EXPECT_TRUE(committed(sink.write(one.get())));
  EXPECT_THAT(place_.subscriber().received(control()), SizeIs(1));
}

TEST_F(RedisSinkTest, TooFewReplicasCostNothing) {
  RedisSink sink{options()};
  const auto one = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));
  {
    const ServerSetting replicas{control(), "min-replicas-to-write", "1"};
    EXPECT_THAT(why_unavailable(sink.write(one.get())), StartsWith("NOREPLICAS"));
  }
  EXPECT_TRUE(committed(sink.write(one.get())));
}

TEST_F(RedisSinkTest, AReplicaThatOnlyReadsCostsNothing) {
  RedisSink sink{options()};
  const auto one = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));
  control().ask({"REPLICAOF", "127.0.0.1", "1"});
  const WriteOutcome outcome = sink.write(one.get());
  const std::vector<SinkWarning> warnings = sink.inspect();
  control().ask({"REPLICAOF", "NO", "ONE"});

  EXPECT_THAT(why_unavailable(outcome), StartsWith("READONLY"));
  EXPECT_THAT(warnings, Contains(Field(&SinkWarning::code, "READ_ONLY_REPLICA")));
  EXPECT_THAT(place_.subscriber().received(control()), IsEmpty());
  EXPECT_TRUE(committed(sink.write(one.get())));
}

TEST_F(RedisSinkTest, AServerBusyWithAScriptCostsNothing) {
  RedisSink sink{options()};
  const auto one = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));
  const ServerSetting threshold{control(), "busy-reply-threshold", "20"};
  {
    const std::jthread blocker = keep_server_busy(std::chrono::milliseconds{500});
    while (answers(sink)) {
    }
    EXPECT_THAT(why_unavailable(sink.write(one.get())), StartsWith("BUSY"));
  }
  EXPECT_TRUE(committed(sink.write(one.get())));
  EXPECT_THAT(place_.subscriber().received(control()), SizeIs(1));
}

TEST_F(RedisSinkTest, AnIdleConnectionThatTheServerClosedIsMadeAnew) {
  RedisSink sink{options()};
  ASSERT_TRUE(committed(sink.write(batch().move(0, std::nullopt, fence_at(1)).get())));
  place_.break_connections();

  EXPECT_TRUE(committed(sink.write(batch().candles(0, 1).move(0, fence_at(1), fence_at(2)).get())));
}

/// The server holds the transaction back; then the connection is cut.
TEST_F(RedisSinkTest, AConnectionLostBeforeTheReplyIsUnknownAndTheFenceTells) {
  RedisSink sink{options()};
  ASSERT_TRUE(committed(sink.write(batch().move(0, std::nullopt, fence_at(1)).get())));
  const auto next = batch().candles(0, 1).move(0, fence_at(1), fence_at(2));
  control().ask({"CLIENT", "PAUSE", "10000", "WRITE"});
  std::optional<WriteOutcome> outcome;
  {
    const std::jthread writer{[&] { outcome = sink.write(next.get()); }};
    EXPECT_TRUE(control().wait_for_paused_write(place_.client_name()));
    place_.break_connections();
  }
  control().ask({"CLIENT", "UNPAUSE"});

  ASSERT_TRUE(std::holds_alternative<Unknown>(*outcome));
  EXPECT_EQ(fence_of(sink, 0), fence_at(1));
  EXPECT_THAT(place_.subscriber().received(control()), IsEmpty());
  EXPECT_TRUE(committed(sink.write(next.get())));
  EXPECT_THAT(place_.subscriber().received(control()), SizeIs(1));
}

/// The server is busy, the time-out passes, and then the write happens all the same.
TEST_F(RedisSinkTest, AWriteThatLandsAfterItsTimeOutIsUnknownAndTheFenceTells) {
  RedisSinkOptions impatient = options();
  impatient.redis.command_timeout = std::chrono::milliseconds{150};
  RedisSink sink{impatient};
  ASSERT_TRUE(committed(sink.write(batch().move(0, std::nullopt, fence_at(1)).get())));
  const auto next = batch().candles(0, 1).move(0, fence_at(1), fence_at(2));
  const std::jthread blocker = keep_server_busy(std::chrono::milliseconds{700});
  RedisSink probe{impatient};
  while (answers(probe)) {
  }

  EXPECT_TRUE(std::holds_alternative<Unknown>(sink.write(next.get())));

  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  RedisSink patient{options()};
  while (fence_of(patient, 0) != fence_at(2) && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_EQ(fence_of(sink, 0), fence_at(2));
  EXPECT_TRUE(std::holds_alternative<Refused>(sink.write(next.get())));
  EXPECT_THAT(place_.subscriber().received(control()), SizeIs(1));
}

TEST_F(RedisSinkTest, AStreamKeyOfAnotherTypeIsNamedAndNothingIsWritten) {
  RedisSinkOptions with_stream = options();
  with_stream.stream_length_max = 100;
  RedisSink sink{with_stream};
  control().ask({"LPUSH", stream_key(channel(0)), "not ours"});
  const auto one = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));

  EXPECT_THAT(why_unavailable(sink.write(one.get())),
              AllOf(HasSubstr(stream_key(channel(0))), HasSubstr("list")));

  EXPECT_EQ(fence_of(sink, 0), std::nullopt);
  EXPECT_THAT(place_.subscriber().received(control()), IsEmpty());
  control().ask({"DEL", stream_key(channel(0))});
  EXPECT_TRUE(committed(sink.write(one.get())));
}

TEST_F(RedisSinkTest, ALastValueKeyOfAnotherTypeIsNotOverwritten) {
  RedisSinkOptions with_last = options();
  with_last.last_values = LastValues::On;
  RedisSink sink{with_last};
  control().ask({"LPUSH", last_value_key(channel(0)), "not ours"});

  EXPECT_THAT(
      why_unavailable(sink.write(batch().candles(0, 0).move(0, std::nullopt, fence_at(1)).get())),
      HasSubstr(last_value_key(channel(0))));
  EXPECT_EQ(control().ask({"TYPE", last_value_key(channel(0))}), "list");
}

TEST_F(RedisSinkTest, AStreamKeyThatChangesItsTypeLaterIsCountedAndReported) {
  RedisSinkOptions with_stream = options();
  with_stream.stream_length_max = 100;
  RedisSink sink{with_stream};
  ASSERT_TRUE(
      committed(sink.write(batch().candles(0, 0).move(0, std::nullopt, fence_at(1)).get())));
  control().ask({"DEL", stream_key(channel(0))});
  control().ask({"LPUSH", stream_key(channel(0)), "not ours"});

  EXPECT_TRUE(committed(sink.write(batch().candles(0, 1).move(0, fence_at(1), fence_at(2)).get())));

  EXPECT_EQ(sink.commands_failed(), 1U);
  EXPECT_THAT(sink.inspect(), Contains(Field(&SinkWarning::code, "COMMAND_FAILED_IN_TRANSACTION")));
  EXPECT_THAT(
      why_unavailable(sink.write(batch().candles(0, 2).move(0, fence_at(2), fence_at(3)).get())),
      HasSubstr("list"));
}

TEST_F(RedisSinkTest, AFenceThatIsNoFenceIsAnErrorForAPerson) {
  RedisSink sink{options()};
  control().ask({"SET", fence_key(group_, source(0)), "12"});
  EXPECT_THROW(fence_of(sink, 0), IoError);
  EXPECT_TRUE(std::holds_alternative<Refused>(
      sink.write(batch().move(0, std::nullopt, fence_at(1)).get())));
}

TEST_F(RedisSinkTest, ListsTheFencesOfItsGroupOnly) {
  RedisSink sink{options()};
  RedisSinkOptions of_other = options();
  of_other.group = group_ + "-priority";
  RedisSink other{of_other};
  auto many = batch().move(kGroupStarted, std::nullopt, fence_at(0));
  for (int number = 0; number < 150; ++number) many.move(number, std::nullopt, fence_at(number));
  ASSERT_TRUE(committed(sink.write(many.get())));
  ASSERT_TRUE(committed(other.write(batch().move(0, std::nullopt, fence_at(5)).get())));

  const auto fences = sink.list_fences();
  ASSERT_THAT(fences, SizeIs(151));
  EXPECT_EQ(fences.front().first, kGroupStarted);
  EXPECT_THAT(fences, Contains(testing::Pair(source(149), fence_at(149))));
  EXPECT_THAT(other.list_fences(), ElementsAre(testing::Pair(source(0), fence_at(5))));
}

TEST_F(RedisSinkTest, AMissingRightIsSaidAndCostsNothing) {
  control().ask({"ACL", "SETUSER", word_, "on", ">secret", "~*", "&*", "+@all", "-publish"});
  RedisSinkOptions limited = options();
  limited.redis.user = word_;
  limited.redis.password = "secret";
  RedisSink sink{limited};
  const auto one = batch().candles(0, 0).move(0, std::nullopt, fence_at(1));

  EXPECT_THAT(why_unavailable(sink.write(one.get())),
              AllOf(StartsWith("NOPERM"), HasSubstr("publish")));

  EXPECT_EQ(fence_of(sink, 0), std::nullopt);
  control().ask({"ACL", "SETUSER", word_, "+publish"});
  EXPECT_TRUE(committed(sink.write(one.get())));
  control().ask({"ACL", "DELUSER", word_});
}

TEST_F(RedisSinkTest, AWrongPasswordIsSaid) {
  control().ask({"ACL", "SETUSER", word_, "on", ">secret", "~*", "&*", "+@all"});
  RedisSinkOptions wrong = options();
  wrong.redis.user = word_;
  wrong.redis.password = "guess";
  RedisSink sink{wrong};
  EXPECT_THAT(why_unavailable(sink.write(batch().move(0, std::nullopt, fence_at(1)).get())),
              HasSubstr("WRONGPASS"));
  EXPECT_THROW(sink.ping(), IoError);
  control().ask({"ACL", "DELUSER", word_});
}

TEST_F(RedisSinkTest, WithoutAServerAWriteIsUnavailableAndAPingThrows) {
  RedisSinkOptions nowhere = options();
  nowhere.redis.port = 1;
  RedisSink sink{nowhere};
  EXPECT_THAT(why_unavailable(sink.write(batch().move(0, std::nullopt, fence_at(1)).get())),
              HasSubstr("Connection refused"));
  EXPECT_THROW(sink.ping(), IoError);
  EXPECT_THROW(sink.inspect(), IoError);
  EXPECT_THROW(fence_of(sink, 0), IoError);
}

}  // namespace
}  // namespace signalbox
