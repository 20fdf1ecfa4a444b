#include "adapters/redis_task_queue.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/redis_claim_script.hpp"
#include "adapters/redis_script_common.hpp"
#include "adapters/redis_sweep_scripts.hpp"
#include "adapters/resp.hpp"
#include "base/check.hpp"
#include "base/log.hpp"
#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using Type = RedisReply::Type;
using std::chrono::milliseconds;

/// A script that was forgotten (SCRIPT FLUSH) and a clock that jumped may meet in one call.
constexpr int kAttemptsMax = 3;

IoError redis_error(std::string_view why) { return IoError{"redis", std::string(why)}; }

milliseconds steady_ms() {
  return std::chrono::floor<milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

/// Whether Redis refused before it wrote anything. It says so before a script starts, or at the
/// script's first write; Redis 6 puts the reason into the middle of the text.
bool is_refused_whole(std::string_view error) {
  constexpr std::string_view kReasons[] = {"OOM ",
                                           "READONLY ",
                                           "MISCONF ",
                                           "LOADING ",
                                           "BUSY ",
                                           "NOREPLICAS ",
                                           "NOAUTH ",
                                           "NOSCRIPT ",
                                           "NOPERM ",
                                           "MASTERDOWN ",
                                           "WRONGTYPE ",
                                           "-OOM ",
                                           "Unknown Redis command"};
  return std::ranges::any_of(kReasons, [&](std::string_view reason) {
    return error.starts_with(reason) || error.find(reason) != std::string_view::npos;
  });
}

std::string advice(std::string_view error) {
  std::string text{error};
  if (error.find("Unknown Redis command") != std::string_view::npos) {
    text += ". Redis 6.2 or newer is needed";
  }
  return text;
}

/// Every command of the scripts that writes, with keys of the right names: to be queued and thrown
/// away, which tells whether we may use them before half of a call has been done.
std::size_t append_permission_probe(std::string& request, const TaskKeys& keys,
                                    const RedisTaskQueueOptions& options) {
  const std::string fence = keys.fence(kGroupStarted);
  const std::string cut = keys.cut(kGroupStarted);
  const std::initializer_list<std::initializer_list<std::string_view>> commands{
      {"HSET", keys.claims, "f", "v"},
      {"HSET", keys.state, "f", "v"},
      {"HSET", keys.slots, "f", "v"},
      {"HSET", keys.held, "f", "v"},
      {"HDEL", keys.claims, "f"},
      {"HGETALL", keys.slots},
      {"HSCAN", keys.claims, "0"},
      {"LPUSH", options.celery.queue, "v"},
      {"LPUSH", options.celery.backtest_queue, "v"},
      {"SADD", keys.seen[0], "v"},
      {"SMISMEMBER", keys.seen[0], "v"},
      {"UNLINK", keys.seen[0], "celery-task-meta-x"},
      {"MSET", fence, "v", cut, "v"},
      {"MGET", fence, cut, "celery-task-meta-x"},
      {"DEL", cut},
      {"XADD", keys.outcomes, "*", "f", "v"},
      {"XTRIM", keys.outcomes, "MINID", "0"}};
  for (const auto& command : commands) append_command(request, command);
  return commands.size();
}

}  // namespace

RedisTaskQueue::RedisTaskQueue(RedisTaskQueueOptions options)
    : options_(std::move(options)),
      keys_(options_.mode, options_.group),
      connection_(options_.redis),
      messages_(options_.celery),
      shas_(kScripts) {
  if (options_.results) results_.emplace(*options_.results);
}

RedisTaskQueue::~RedisTaskQueue() = default;

std::string_view RedisTaskQueue::sha(Script script) const {
  return shas_[static_cast<std::size_t>(script)];
}

milliseconds RedisTaskQueue::redis_now() const { return steady_ms() + clock_offset_; }

void RedisTaskQueue::set_redis_now(milliseconds now) { clock_offset_ = now - steady_ms(); }

std::expected<void, std::string> RedisTaskQueue::ready() {
  if (auto opened = connection_.ready(); !opened) return opened;
  if (connection_.generation() == generation_) return {};
  return prepare_connection();
}

/// What a connection needs before its first call: the server's clock, the scripts, and whether we
/// may use what they use. One round trip.
std::expected<void, std::string> RedisTaskQueue::prepare_connection() {
  constexpr std::array<std::string_view, kScripts> kScriptTexts{
      kClaimScript, kHeldScript, kSettleScript, kSweepScript, kReleaseScript};
  std::string request;
  append_command(request, {"TIME"});
  for (const std::string_view text : kScriptTexts) {
    append_command(request, {"SCRIPT", "LOAD", std::string(kScriptCommon) + std::string(text)});
  }
  append_command(request, {"MULTI"});
  const std::size_t probes = append_permission_probe(request, keys_, options_);
  append_command(request, {"DISCARD"});
  auto received = connection_.call(request, 1 + kScripts + 2 + probes);
  if (!received) return std::unexpected(std::move(received.error()));
  RedisReplies& replies = **received;

  const auto time = replies.take_texts();
  if (!time) return std::unexpected(advice(time.error()));
  const auto seconds = integer_from<std::int64_t>(time->at(0).value_or(""));
  const auto micros = integer_from<std::int64_t>(time->at(1).value_or(""));
  if (!seconds || !micros) return std::unexpected("TIME answers with no time");
  set_redis_now(milliseconds{*seconds * 1'000 + *micros / 1'000});
  for (std::string& sha : shas_) {
    const RedisReply loaded = replies.take();
    if (loaded.type != Type::Text) return std::unexpected("SCRIPT LOAD: " + advice(loaded.text));
    sha = loaded.text;
  }
  replies.skip();
  for (std::size_t i = 0; i < probes; ++i) {
    const RedisReply queued = replies.take();
    if (queued.type == Type::Error) return std::unexpected(advice(queued.text));
  }
  generation_ = connection_.generation();
  return {};
}

/// Builds the call and sends it as it grows.
std::expected<void, std::string> RedisTaskQueue::send_claim(const ClaimBatch& batch) {
  std::expected<std::size_t, std::string> sent = 0;
  request_.build(batch, sha(Script::Claim),
                 {.rules = options_.rules,
                  .celery = options_.celery,
                  .keys = keys_,
                  .mode = options_.mode,
                  .reads_results = results_ ? 0U : 1U,
                  .now = redis_now()},
                 messages_, [&](std::string_view built) {
                   if (!sent) return;
                   const auto taken = connection_.send_some(built.substr(*sent));
                   if (taken) {
                     *sent += *taken;
                   } else {
                     sent = std::unexpected(taken.error());
                   }
                 });
  if (!sent) return std::unexpected(sent.error());
  return connection_.send(request_.bytes().substr(*sent));
}

ClaimOutcome RedisTaskQueue::claim(const ClaimBatch& batch) {
  SB_CHECK(batch.requests.size() <= kMaxTasksPerCall);
  std::string why;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (auto opened = ready(); !opened) return Unavailable{std::move(opened.error())};
    const std::expected<void, std::string> sent = send_claim(batch);
    request_.trim();
    // A command that did not arrive whole is not executed.
    if (!sent) return Unavailable{sent.error()};
    auto received = connection_.receive(1);
    if (!received) return Unknown{std::move(received.error())};
    RedisReplies& replies = **received;
    const RedisReply head = replies.take();
    if (head.type == Type::Error) {
      why = advice(head.text);
      if (head.text.starts_with("NOSCRIPT")) {
        generation_ = 0;
        continue;
      }
      if (is_refused_whole(head.text)) return Unavailable{std::move(why)};
      return Unknown{std::move(why)};
    }
    const std::string_view verdict = replies.take().text;
    if (verdict == "ok") return read_claimed(batch, replies);
    if (verdict == "stale") {
      const auto index = static_cast<std::size_t>(replies.take().integer - 1);
      const TopicPartition& partition = batch.moves[index].partition;
      log_debug("claim_refused_by_fence",
                {{"topic", partition.topic}, {"partition", partition.partition}});
      return Refused{};
    }
    why = replies.take().text;
    if (verdict != "clock") return Unavailable{std::move(why)};
    set_redis_now(milliseconds{integer_from<std::int64_t>(why).value_or(0)});
    why = "Redis's clock does not stand still";
  }
  return Unavailable{std::move(why)};
}

ClaimOutcome RedisTaskQueue::read_claimed(const ClaimBatch& batch, RedisReplies& replies) {
  const auto now = integer_from<std::int64_t>(replies.take().text);
  if (now) set_redis_now(milliseconds{*now});
  const std::string_view letters = replies.take().text;
  SB_CHECK(letters.size() == batch.requests.size());
  Claimed claimed;
  claimed.outcomes.reserve(letters.size());
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const TriggerOutcome outcome = outcome_from(letters[i]).value();
    claimed.outcomes.push_back(outcome);
    if (outcome == TriggerOutcome::Enqueued) {
      claimed.enqueued.push_back({i, request_.take_task_id(i)});
    }
  }
  const std::int64_t ended = replies.take().integer / 2;
  for (std::int64_t i = 0; i < ended; ++i) {
    const std::string name{replies.take().text};
    const std::string_view key = replies.take().text;
    if (const auto pair = read_pair_name(name)) {
      claimed.ended.push_back({pair->pipeline, std::string(pair->ticker), std::string(key)});
    }
  }
  last_note_ = replies.take().text;
  return claimed;
}

RedisReplies& RedisTaskQueue::call(std::string_view request, std::size_t replies) {
  if (auto opened = ready(); !opened) throw redis_error(opened.error());
  auto received = connection_.call(request, replies);
  if (!received) throw redis_error(received.error());
  return **received;
}

/// The reply's head is taken: it was an array, or a number.
RedisReplies& RedisTaskQueue::call_script(Script script, std::span<const std::string_view> keys,
                                          std::span<const std::string> arguments) {
  for (int attempt = 1;; ++attempt) {
    if (auto opened = ready(); !opened) throw redis_error(opened.error());
    std::string request;
    append_command_head(request, 3 + keys.size() + arguments.size());
    append_argument(request, "EVALSHA");
    append_argument(request, sha(script));
    append_argument(request, std::to_string(keys.size()));
    for (const std::string_view key : keys) append_argument(request, key);
    for (const std::string& argument : arguments) append_argument(request, argument);
    RedisReplies& replies = call(request, 1);
    const RedisReply head = replies.take();
    if (head.type != Type::Error) {
      last_array_size_ = static_cast<std::size_t>(head.integer);
      return replies;
    }
    if (!head.text.starts_with("NOSCRIPT") || attempt == kAttemptsMax) {
      throw redis_error(advice(head.text));
    }
    generation_ = 0;
  }
}

FenceMap RedisTaskQueue::read_fences(std::span<const TopicPartition> partitions) {
  if (partitions.empty()) return {};
  std::string request;
  append_command_head(request, 1 + partitions.size());
  append_argument(request, "MGET");
  for (const TopicPartition& partition : partitions) {
    append_argument(request, keys_.fence(partition));
  }
  const auto values = call(request, 1).take_texts();
  if (!values) throw redis_error(values.error());
  FenceMap fences;
  for (std::size_t i = 0; i < partitions.size() && i < values->size(); ++i) {
    if (!(*values)[i]) continue;
    auto fence = decode_fence(*(*values)[i]);
    if (!fence) throw redis_error("key " + keys_.fence(partitions[i]) + ": " + fence.error());
    fences.emplace(partitions[i], *std::move(fence));
  }
  return fences;
}

std::optional<Cut> RedisTaskQueue::read_cut(const TopicPartition& partition) {
  std::string request;
  append_command(request, {"MGET", keys_.fence(partition), keys_.cut(partition)});
  const auto values = call(request, 1).take_texts();
  if (!values) throw redis_error(values.error());
  const auto& fence_text = values->at(0);
  const auto& cut_text = values->at(1);
  if (!fence_text || !cut_text) return std::nullopt;
  const auto fence = decode_fence(*fence_text);
  if (!fence) throw redis_error("key " + keys_.fence(partition) + ": " + fence.error());
  return decode_cut(*cut_text, partition, *fence);
}

void RedisTaskQueue::ping() {
  std::string request;
  append_command(request, {"PING"});
  const RedisReply reply = call(request, 1).take();
  if (reply.type == Type::Error) throw redis_error(reply.text);
}

}  // namespace signalbox
