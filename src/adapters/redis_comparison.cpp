#include "adapters/redis_comparison.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "adapters/redis_keys.hpp"
#include "adapters/resp.hpp"
#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;
using Type = RedisReply::Type;

constexpr int kPageEntries = 1'000;

EventTime local_now() { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }

/// Throws what went wrong as IoError.
template <typename Value>
Value checked(std::expected<Value, std::string> answer) {
  if (!answer) throw IoError{"redis", answer.error()};
  if constexpr (!std::is_void_v<Value>) return std::move(*answer);
}

RedisReplies& ask(RedisConnection& connection, std::initializer_list<std::string_view> arguments) {
  checked(connection.ready());
  std::string request;
  append_command(request, arguments);
  return *checked(connection.call(request, 1));
}

/// The next reply or element; throws the error that it may be.
RedisReply take(RedisReplies& replies) {
  const RedisReply reply = replies.take();
  if (reply.type == Type::Error) throw IoError{"redis", std::string(reply.text)};
  return reply;
}

EventTime redis_now(RedisConnection& connection) {
  RedisReplies& replies = ask(connection, {"TIME"});
  take(replies);
  const auto seconds = integer_from<std::int64_t>(take(replies).text);
  const auto micros = integer_from<std::int64_t>(take(replies).text);
  if (!seconds || !micros) throw IoError{"redis", "TIME gave no time"};
  return EventTime{milliseconds{*seconds * 1'000 + *micros / 1'000}};
}

/// `1761573420112-0`
struct EntryId {
  std::int64_t ms = 0;
  std::uint64_t sequence = 0;

  std::string text() const { return std::to_string(ms) + "-" + std::to_string(sequence); }
};

EntryId entry_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) throw IoError{"redis", "a stream entry without an id"};
  return {integer_from<std::int64_t>(text.substr(0, dash)).value_or(0),
          integer_from<std::uint64_t>(text.substr(dash + 1)).value_or(0)};
}

std::vector<std::string> shadow_stream_keys(RedisConnection& connection) {
  const std::string pattern = shadow_stream_key("*");
  std::vector<std::string> keys;
  std::string cursor = "0";
  do {
    RedisReplies& replies =
        ask(connection, {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", "stream"});
    take(replies);
    cursor = take(replies).text;
    for (const auto& key : checked(replies.take_texts())) keys.push_back(key.value_or(""));
  } while (cursor != "0");
  std::ranges::sort(keys);  // SCAN may say a key twice
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  return keys;
}

/// Appends a page of entries; nullopt when there are no more, else where the next page begins.
std::optional<EntryId> read_page(RedisConnection& connection, const std::string& key,
                                 const EntryId& from, EventTime until,
                                 std::vector<ChannelMessage>& messages) {
  const std::string channel = key.substr(shadow_stream_key("").size());
  RedisReplies& replies =
      ask(connection, {"XRANGE", key, from.text(), std::to_string(until.time_since_epoch().count()),
                       "COUNT", std::to_string(kPageEntries)});
  const std::int64_t entries = take(replies).integer;
  EntryId last;
  for (std::int64_t i = 0; i < entries; ++i) {
    take(replies);
    last = entry_id(take(replies).text);
    const std::int64_t texts = take(replies).integer;
    for (std::int64_t field = 0; field + 1 < texts; field += 2) {
      const bool is_payload = take(replies).text == "payload";
      const std::string_view value = take(replies).text;
      if (is_payload) {
        messages.push_back({channel, std::string(value), EventTime{milliseconds{last.ms}}});
      }
    }
  }
  if (entries < kPageEntries) return std::nullopt;
  return EntryId{last.ms, last.sequence + 1};
}

}  // namespace

HeardMessages listen(const RedisOptions& redis, std::span<const std::string_view> patterns,
                     milliseconds duration, std::size_t messages_max) {
  RedisConnection connection{redis};
  const auto clock_difference = redis_now(connection) - local_now();
  checked(connection.ready());
  std::string request;
  append_command_head(request, 1 + patterns.size());
  append_argument(request, "PSUBSCRIBE");
  for (const std::string_view pattern : patterns) append_argument(request, pattern);
  take(*checked(connection.call(request, patterns.size())));

  HeardMessages heard{.messages = {}, .began = local_now() + clock_difference, .ended = {}};
  const auto deadline = std::chrono::steady_clock::now() + duration;
  connection.wait_up_to(duration);
  while (heard.messages.size() < messages_max) {
    const auto received = connection.receive(1);
    if (!received) {
      if (std::chrono::steady_clock::now() >= deadline) break;
      throw IoError{"redis", received.error()};
    }
    if (std::chrono::steady_clock::now() >= deadline) break;
    RedisReplies& replies = **received;
    if (take(replies).integer != 4) continue;
    take(replies);  // pmessage
    take(replies);  // the pattern
    std::string channel{take(replies).text};
    heard.messages.push_back(
        {std::move(channel), std::string(take(replies).text), local_now() + clock_difference});
  }
  heard.ended = local_now() + clock_difference;
  return heard;
}

std::vector<ShadowStream> read_shadow_streams(const RedisOptions& redis, EventTime from,
                                              EventTime until, std::size_t messages_max) {
  RedisConnection connection{redis};
  std::vector<ShadowStream> streams;
  std::size_t left = messages_max;
  for (const std::string& key : shadow_stream_keys(connection)) {
    ShadowStream stream{.messages = {}, .oldest = {}, .length = 0};
    stream.length = static_cast<std::uint64_t>(take(ask(connection, {"XLEN", key})).integer);
    RedisReplies& replies = ask(connection, {"XRANGE", key, "-", "+", "COUNT", "1"});
    if (take(replies).integer == 1) {
      take(replies);
      stream.oldest = EventTime{milliseconds{entry_id(take(replies).text).ms}};
    }
    std::optional<EntryId> next = EntryId{from.time_since_epoch().count(), 0};
    while (next && stream.messages.size() < left) {
      next = read_page(connection, key, *next, until, stream.messages);
    }
    left -= std::min(left, stream.messages.size());
    streams.push_back(std::move(stream));
  }
  return streams;
}

}  // namespace signalbox
