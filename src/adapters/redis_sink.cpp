#include "adapters/redis_sink.hpp"

#include <map>

#include "adapters/redis_inspection.hpp"
#include "adapters/redis_keys.hpp"
#include "adapters/resp.hpp"
#include "base/check.hpp"
#include "base/log.hpp"
#include "domain/routing_note.hpp"
#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using Type = RedisReply::Type;

/// What is encoded is handed to the kernel from this size on, so that Redis queues the first
/// messages of a batch while we still encode its last ones.
constexpr std::size_t kEarlyBytes = 32 * 1024;

/// A buffer that one large batch made larger than this is given back after it.
constexpr std::size_t kKeptBytesMax = 4 * 1024 * 1024;

constexpr std::string_view kMulti = "*1\r\n$5\r\nMULTI\r\n";
constexpr std::string_view kExec = "*1\r\n$4\r\nEXEC\r\n";
constexpr std::string_view kPublish = "*3\r\n$7\r\nPUBLISH\r\n";

IoError redis_error(const std::string& why) { return IoError{"redis", why}; }

/// Whether a stored fence is the one that the batch was made for.
bool is_expected(const std::optional<std::string>& stored, const std::optional<Fence>& expected) {
  if (!stored || !expected) return !stored && !expected;
  const auto fence = decode_fence(*stored);
  return fence && *fence == *expected;
}

/// `*` and its like in a group's name stand for themselves in a SCAN pattern.
std::string glob_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view{"*?[]\\^"}.contains(c)) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// `<topic>:<partition>`: no topic has a colon in its name.
std::optional<TopicPartition> partition_from(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto partition = integer_from<std::int32_t>(text.substr(colon + 1));
  if (!partition) return std::nullopt;
  return TopicPartition{std::string(text.substr(0, colon)), *partition};
}

Fence fence_from(const std::string& key, const std::string& text) {
  auto fence = decode_fence(text);
  if (!fence) throw redis_error("key " + key + ": " + fence.error());
  return *std::move(fence);
}

}  // namespace

RedisSink::RedisSink(RedisSinkOptions options)
    : options_(std::move(options)), connection_(options_.redis) {}

/// Forgets what is watched and of which type the keys are: the next write asks the server anew.
void RedisSink::forget() {
  watched_.clear();
  checked_keys_.clear();
}

std::expected<void, std::string> RedisSink::ready() {
  auto ready = connection_.ready();
  if (!ready || connection_.generation() != generation_) forget();
  generation_ = connection_.generation();
  return ready;
}

WriteOutcome RedisSink::write(const WriteBatch& batch) {
  if (batch.messages.empty() && batch.moves.empty()) return Committed{};
  if (auto opened = ready(); !opened) return Unavailable{std::move(opened.error())};
  plan(batch);
  std::optional<WriteOutcome> outcome = prepare();
  if (!outcome) outcome = transact(batch);
  if (!std::holds_alternative<Committed>(*outcome)) forget();
  if (request_.capacity() > kKeptBytesMax) request_ = {};
  return *std::move(outcome);
}

/// Writes down the fence steps, and the keys whose type nobody has looked at yet.
void RedisSink::plan(const WriteBatch& batch) {
  steps_.clear();
  for (const FenceMove& move : batch.moves) {
    steps_.push_back({&move, fence_key(options_.group, move.partition), encode(move.next)});
  }
  unchecked_keys_.clear();
  const Route* planned = nullptr;
  for (const Routed& routed : batch.messages) {
    if (routed.route == planned) continue;
    planned = routed.route;
    for (const std::string& channel : planned->channels) {
      if (options_.mode == RedisSinkMode::Shadow) {
        plan_key(shadow_stream_key(channel), "stream");
        continue;
      }
      if (options_.stream_length_max) plan_key(stream_key(channel), "stream");
      if (options_.last_values == LastValues::On) plan_key(last_value_key(channel), "string");
    }
  }
}

void RedisSink::plan_key(std::string key, std::string_view type) {
  if (checked_keys_.contains(key)) return;
  for (const TypedKey& planned : unchecked_keys_) {
    if (planned.key == key) return;
  }
  unchecked_keys_.push_back({std::move(key), type});
}

void RedisSink::append_fence_command(std::string_view name) {
  append_command_head(request_, 1 + steps_.size());
  append_argument(request_, name);
  for (const FenceStep& step : steps_) append_argument(request_, step.key);
}

/// Makes sure, in at most one round trip, that the fences are watched and are the expected ones,
/// and that no command of the transaction can fail once others were executed. An outcome is the
/// end of this write.
std::optional<WriteOutcome> RedisSink::prepare() {
  const bool watch = !all_watched_and_expected();
  if (!watch && unchecked_keys_.empty()) return std::nullopt;
  request_.clear();
  std::size_t replies_expected = unchecked_keys_.size();
  if (watch) {
    watched_.clear();
    append_command(request_, {"UNWATCH"});
    append_fence_command("WATCH");
    append_fence_command("MGET");
    replies_expected += 3;
  }
  for (const TypedKey& key : unchecked_keys_) append_command(request_, {"TYPE", key.key});

  auto received = connection_.call(request_, replies_expected);
  if (!received) return Unavailable{std::move(received.error())};
  RedisReplies& replies = **received;
  if (watch) {
    for (int i = 0; i < 2; ++i) {
      const RedisReply reply = replies.take();
      if (reply.type == Type::Error) return Unavailable{std::string(reply.text)};
    }
    auto values = replies.take_texts();
    if (!values) return Unavailable{std::move(values.error())};
    if (!all_expected(*values)) return Refused{};
    for (std::size_t i = 0; i < steps_.size(); ++i) watched_[steps_[i].key] = (*values)[i];
  }
  for (TypedKey& key : unchecked_keys_) {
    const RedisReply reply = replies.take();
    if (reply.type == Type::Error) return Unavailable{std::string(reply.text)};
    if (reply.text != key.type && reply.text != "none") {
      return Unavailable{"key " + key.key + " is a " + std::string(reply.text) + ", not a " +
                         std::string(key.type) + ": rename or delete it"};
    }
    checked_keys_.insert(std::move(key.key));
  }
  return std::nullopt;
}

bool RedisSink::all_watched_and_expected() const {
  for (const FenceStep& step : steps_) {
    const auto watched = watched_.find(step.key);
    if (watched == watched_.end()) return false;
    // A value that is not the expected one may be out of date: only a fresh look can refuse.
    if (!is_expected(watched->second, step.move->expected)) return false;
  }
  return true;
}

bool RedisSink::all_expected(const std::vector<std::optional<std::string>>& values) const {
  if (values.size() != steps_.size()) return false;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (!is_expected(values[i], steps_[i].move->expected)) return false;
  }
  return true;
}

/// Sends the transaction and says what became of it. A conflict while every fence of the batch is
/// still the expected one came from a fence that was watched for an earlier batch, and the watches
/// are exact now: then it is sent once more.
WriteOutcome RedisSink::transact(const WriteBatch& batch) {
  constexpr int kAttemptsMax = 2;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const std::uint64_t sent_before = connection_.bytes_sent();
    const auto fate = [&](std::string why) -> WriteOutcome {
      if (connection_.bytes_sent() - sent_before < exec_end_) return Unavailable{std::move(why)};
      return Unknown{std::move(why)};
    };
    if (auto sent = send_request(batch); !sent) return fate(std::move(sent.error()));
    if (attempt == 0 && batch.meanwhile) batch.meanwhile();
    const std::size_t tail = steps_.empty() ? 0 : 2;
    auto received = connection_.receive(1 + commands_ + 1 + tail);
    if (!received) return fate(std::move(received.error()));
    RedisReplies& replies = **received;
    ExecOutcome outcome = read_exec(replies);
    watched_.clear();
    if (auto* unknown = std::get_if<Unknown>(&outcome)) return std::move(*unknown);
    if (auto* unavailable = std::get_if<Unavailable>(&outcome)) return std::move(*unavailable);
    bool still_expected = false;
    if (tail != 0 && replies.take().type != Type::Error) {
      if (const auto values = replies.take_texts()) {
        for (std::size_t i = 0; i < steps_.size(); ++i) watched_[steps_[i].key] = (*values)[i];
        still_expected = all_expected(*values);
      }
    }
    if (auto* committed = std::get_if<Committed>(&outcome)) return *committed;
    if (!still_expected) break;
  }
  return Refused{};
}

/// Encodes the transaction and sends it as it grows.
std::expected<void, std::string> RedisSink::send_request(const WriteBatch& batch) {
  received_at_text_ = iso_utc(batch.received_at);
  request_.clear();
  request_ += kMulti;
  commands_ = 0;
  exec_end_ = SIZE_MAX;
  std::size_t sent = 0;
  const std::span<const Routed> messages = batch.messages;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool is_last = i + 1 == messages.size() || messages[i + 1].route != messages[i].route ||
                         messages[i + 1].is_replay != messages[i].is_replay;
    encode_message(messages[i], batch, is_last);
    if (request_.size() - sent < kEarlyBytes) continue;
    const auto taken = connection_.send_some(std::string_view{request_}.substr(sent));
    if (!taken) return std::unexpected(taken.error());
    sent += *taken;
  }
  encode_tail();
  return connection_.send(std::string_view{request_}.substr(sent));
}

void RedisSink::encode_message(const Routed& routed, const WriteBatch& batch,
                               bool is_last_of_channel) {
  payload_.clear();
  append_with_routing(payload_, routed, batch.received_at, received_at_text_);
  for (const std::string& channel : routed.route->channels) {
    if (options_.mode == RedisSinkMode::Shadow) {
      append_command(request_,
                     {"XADD", shadow_stream_key(channel), "MAXLEN", "~",
                      std::to_string(options_.shadow_stream_length_max), "*", "payload", payload_});
      ++commands_;
      continue;
    }
    request_ += kPublish;
    append_argument(request_, channel);
    append_argument(request_, payload_);
    ++commands_;
    if (options_.stream_length_max) {
      append_command(request_,
                     {"XADD", stream_key(channel), "MAXLEN", "~",
                      std::to_string(*options_.stream_length_max), "*", "payload", payload_});
      ++commands_;
    }
    // Inside a transaction nobody sees the values before the last. A replayed message is older
    // than what the channel had since.
    if (options_.last_values == LastValues::On && is_last_of_channel && !routed.is_replay) {
      append_command(request_, {"SET", last_value_key(channel), payload_});
      ++commands_;
    }
  }
}

void RedisSink::encode_tail() {
  for (const FenceStep& step : steps_) append_command(request_, {"SET", step.key, step.next});
  commands_ += steps_.size();
  request_ += kExec;
  exec_end_ = request_.size();
  if (steps_.empty()) return;
  append_fence_command("WATCH");
  append_fence_command("MGET");
}

RedisSink::ExecOutcome RedisSink::read_exec(RedisReplies& replies) {
  const RedisReply multi = replies.take();
  if (multi.type == Type::Error) {
    // The right to MULTI was taken away since the connection was made: the commands ran one by one.
    std::string why = "MULTI: " + std::string(multi.text);
    connection_.close();
    return Unknown{std::move(why)};
  }
  std::string first_error;
  for (std::size_t i = 0; i < commands_; ++i) {
    const RedisReply queued = replies.take();
    if (queued.type == Type::Error && first_error.empty()) first_error = queued.text;
  }
  const RedisReply exec = replies.take();
  if (exec.type == Type::Nil) return Conflict{};
  if (exec.type == Type::Error) {
    return Unavailable{first_error.empty() ? std::string(exec.text) : first_error};
  }
  return read_results(replies, exec.integer);
}

/// Only PUBLISH answers with a number: how many got it.
Committed RedisSink::read_results(RedisReplies& replies, std::int64_t count) {
  Committed committed;
  for (std::int64_t i = 0; i < count; ++i) {
    const RedisReply result = replies.take();
    if (result.type == Type::Integer) {
      ++committed.publishes;
      committed.receivers += static_cast<std::uint64_t>(result.integer);
    } else if (result.type == Type::Error) {
      ++commands_failed_;
      last_failure_ = result.text;
      checked_keys_.clear();
    }
  }
  return committed;
}

RedisReplies& RedisSink::call(std::string_view request, std::size_t replies) {
  if (auto opened = ready(); !opened) throw redis_error(opened.error());
  auto received = connection_.call(request, replies);
  if (!received) {
    forget();
    throw redis_error(received.error());
  }
  return **received;
}

FenceMap RedisSink::read_fences(std::span<const TopicPartition> partitions) {
  if (partitions.empty()) return {};
  std::string request;
  append_command_head(request, 1 + partitions.size());
  append_argument(request, "MGET");
  for (const TopicPartition& partition : partitions) {
    append_argument(request, fence_key(options_.group, partition));
  }
  const auto values = call(request, 1).take_texts();
  if (!values) throw redis_error(values.error());
  FenceMap fences;
  for (std::size_t i = 0; i < partitions.size() && i < values->size(); ++i) {
    const std::optional<std::string>& text = (*values)[i];
    if (!text) continue;
    fences.emplace(partitions[i], fence_from(fence_key(options_.group, partitions[i]), *text));
  }
  return fences;
}

void RedisSink::ping() {
  std::string request;
  append_command(request, {"PING"});
  const RedisReply reply = call(request, 1).take();
  if (reply.type == Type::Error) throw redis_error(std::string(reply.text));
}

std::vector<SinkWarning> RedisSink::inspect() {
  if (auto opened = ready(); !opened) throw redis_error(opened.error());
  auto warnings = inspect_redis(connection_);
  if (!warnings) throw redis_error(warnings.error());
  if (commands_failed_ > 0) {
    warnings->push_back({"COMMAND_FAILED_IN_TRANSACTION",
                         std::to_string(commands_failed_) +
                             " commands failed inside committed transactions, the last with: " +
                             last_failure_ + ". Keep other programs off keys in signalbox:"});
  }
  return *std::move(warnings);
}

std::vector<std::pair<TopicPartition, Fence>> RedisSink::list_fences() {
  const std::string prefix = fence_key_prefix(options_.group);
  std::map<TopicPartition, Fence> fences;
  std::string cursor = "0";
  do {
    std::string request;
    append_command(request, {"SCAN", cursor, "MATCH", glob_escaped(prefix) + "*", "COUNT", "1000"});
    RedisReplies& replies = call(request, 1);
    const RedisReply head = replies.take();
    if (head.type != Type::Array) throw redis_error("SCAN: " + std::string(head.text));
    cursor = replies.take().text;
    const auto keys = replies.take_texts();
    if (!keys) throw redis_error("SCAN: " + keys.error());
    std::vector<TopicPartition> found;
    for (const auto& key : *keys) {
      if (!key || !key->starts_with(prefix)) continue;
      if (auto partition = partition_from(std::string_view{*key}.substr(prefix.size()))) {
        found.push_back(*std::move(partition));
      }
    }
    for (auto& [partition, fence] : read_fences(found)) fences.insert_or_assign(partition, fence);
  } while (cursor != "0");
  return {fences.begin(), fences.end()};
}

}  // namespace signalbox
