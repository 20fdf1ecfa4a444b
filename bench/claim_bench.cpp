// RedisTaskQueue::claim() beside a bare script that does SET NX EX and LPUSH task by task, 200 a
// call and four calls in flight, on the same Redis (REDIS_HOST, REDIS_PORT; its database 9 is
// emptied) in the same run, with the same elements. The ways take turns, round by round; ratios
// are medians of the ratios of each round.
//
// usage: claim_bench [rounds] [tasks a round]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "adapters/redis_task_queue.hpp"
#include "adapters/resp.hpp"
#include "support/claim_batch.hpp"

namespace signalbox {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBareCall = 200;
constexpr int kBareInFlight = 4;
constexpr int kPairs = 60'000;

constexpr std::string_view kBareScript = R"lua(
local done = 0
for i = 2, #ARGV, 3 do
  if redis.call('SET', ARGV[i], ARGV[i + 1], 'NX', 'EX', ARGV[1]) then
    redis.call('LPUSH', KEYS[1], ARGV[i + 2])
    done = done + 1
  end
end
return done
)lua";

RedisOptions redis() {
  RedisOptions options;
  if (const char* host = std::getenv("REDIS_HOST")) options.host = host;
  if (const char* port = std::getenv("REDIS_PORT")) {
    options.port = static_cast<std::uint16_t>(std::atoi(port));
  }
  options.database = 9;
  return options;
}

[[noreturn]] void fail(const std::string& why) { throw std::runtime_error(why); }

RedisReplies& ask(RedisConnection& connection, std::initializer_list<std::string_view> command) {
  std::string request;
  append_command(request, command);
  if (auto ready = connection.ready(); !ready) fail(ready.error());
  auto replies = connection.call(request, 1);
  if (!replies) fail(replies.error());
  return **replies;
}

/// A builder with requests `first` up to `first` + `count`: a signal each, and a pair each.
std::unique_ptr<ClaimBatchBuilder> batch_of(int first, int count) {
  auto builder = std::make_unique<ClaimBatchBuilder>();
  for (int i = first; i < first + count; ++i) {
    builder->ask({.signal = "550e8400-e29b-41d4-a716-" + std::to_string(100'000'000'000 + i),
                  .pipeline = i % kPairs});
  }
  return builder;
}

double tasks_a_second(int tasks, Clock::time_point began) {
  return tasks / std::chrono::duration<double>(Clock::now() - began).count();
}

double run_product(int tasks, int call) {
  RedisTaskQueue queue{{.redis = redis(), .group = "bench"}};
  queue.ping();
  std::vector<std::unique_ptr<ClaimBatchBuilder>> batches;
  for (int first = 0; first < tasks; first += call) {
    batches.push_back(batch_of(first, std::min(call, tasks - first)));
  }
  const TopicPartition partition{"trading-signals", 0};
  std::int64_t next = 0;
  std::size_t enqueued = 0;
  const auto began = Clock::now();
  for (const auto& batch : batches) {
    Fence before;
    before.next = Offset{next};
    Fence after;
    after.next = Offset{next + call};
    batch->move(partition, next == 0 ? std::nullopt : std::optional{before}, after);
    next += call;
    const ClaimOutcome outcome = queue.claim(batch->batch());
    if (!std::holds_alternative<Claimed>(outcome))
      fail(std::holds_alternative<Unavailable>(outcome) ? std::get<Unavailable>(outcome).why
           : std::holds_alternative<Unknown>(outcome)   ? std::get<Unknown>(outcome).why
                                                        : "refused");
    enqueued += std::get<Claimed>(outcome).enqueued.size();
  }
  const double rate = tasks_a_second(tasks, began);
  if (enqueued != static_cast<std::size_t>(tasks)) fail("not every task was enqueued");
  return rate;
}

double run_bare(int tasks) {
  CeleryMessages messages{CeleryOptions{}};
  RedisConnection connection{redis()};
  const std::string sha{ask(connection, {"SCRIPT", "LOAD", kBareScript}).take().text};
  std::vector<std::string> calls;
  for (int first = 0; first < tasks; first += kBareCall) {
    const auto batch = batch_of(first, kBareCall);
    std::string& request = calls.emplace_back();
    append_command_head(request, 4 + 1 + 3 * kBareCall);
    for (const std::string_view argument : {"EVALSHA", sha.c_str(), "1", "celery", "1260"}) {
      append_argument(request, argument);
    }
    for (const TaskRequest& task : batch->batch().requests) {
      const std::string pair = pair_name(task.pipeline, "AAPL");
      const std::string id = messages.task_id(task.signal_key, task.pipeline, "AAPL");
      const std::string tag = messages.delivery_tag();
      std::string element;
      messages.append(
          element, task,
          {.task_id = id, .delivery_tag = tag, .expires = "2026-11-21T16:10:00.000000+00:00"});
      append_argument(request, "claim:" + pair);
      append_argument(request, id);
      append_argument(request, element);
    }
  }
  if (auto ready = connection.ready(); !ready) fail(ready.error());
  const auto began = Clock::now();
  std::size_t sent = 0;
  std::size_t answered = 0;
  std::int64_t done = 0;
  while (answered < calls.size()) {
    while (sent < calls.size() && sent - answered < kBareInFlight) {
      if (auto result = connection.send(calls[sent++]); !result) fail(result.error());
    }
    auto replies = connection.receive(1);
    if (!replies) fail(replies.error());
    done += (*replies)->take().integer;
    ++answered;
  }
  const double rate = tasks_a_second(tasks, began);
  if (done != tasks) fail("not every bare task was enqueued");
  return rate;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void run(int rounds, int tasks) {
  constexpr int kCalls[]{200, 500, 1'000, 2'000};
  std::vector<double> bare;
  std::vector<double> product[std::size(kCalls)];
  std::vector<double> ratios[std::size(kCalls)];
  RedisConnection control{redis()};
  for (int round = 0; round < rounds; ++round) {
    ask(control, {"FLUSHDB"});
    bare.push_back(run_bare(tasks));
    for (std::size_t i = 0; i < std::size(kCalls); ++i) {
      ask(control, {"FLUSHDB"});
      product[i].push_back(run_product(tasks, kCalls[i]));
      ratios[i].push_back(product[i].back() / bare.back());
    }
  }
  ask(control, {"FLUSHDB"});
  std::printf("bare SET NX EX + LPUSH, 200 a call, 4 in flight  %8.0f tasks/s\n", median(bare));
  for (std::size_t i = 0; i < std::size(kCalls); ++i) {
    std::printf("claim(), %4d a call, 1 in flight                %8.0f tasks/s  %.2f of bare\n",
                kCalls[i], median(product[i]), median(ratios[i]));
  }
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) {
  try {
    signalbox::run(argc > 1 ? std::atoi(argv[1]) : 5, argc > 2 ? std::atoi(argv[2]) : 20'000);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "claim_bench: %s\n", error.what());
    return 1;
  }
}
