#include "adapters/redis_outcomes.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "adapters/resp.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kEntriesAtOnce = "200";

struct Entry {
  std::string id;
  std::string pairs;
  std::string outcomes;
};

/// The millisecond before the dash.
EventTime time_of(std::string_view id) {
  std::int64_t ms = 0;
  std::from_chars(id.data(), id.data() + id.size(), ms);
  return EventTime{std::chrono::milliseconds{ms}};
}

Entry take_entry(RedisReplies& replies) {
  Entry entry;
  replies.take();  // [id, fields]
  entry.id = replies.take().text;
  const auto fields = replies.take_texts();
  if (!fields) return entry;
  for (std::size_t i = 0; i + 1 < fields->size(); i += 2) {
    const std::string name = (*fields)[i].value_or("");
    if (name == "pairs") entry.pairs = (*fields)[i + 1].value_or("");
    if (name == "outcomes") entry.outcomes = (*fields)[i + 1].value_or("");
  }
  return entry;
}

ReadOn tell_entry(const Entry& entry, const std::function<ReadOn(const RecordedOutcome&)>& tell) {
  const auto signals = nlohmann::json::parse(entry.pairs, nullptr, false);
  if (!signals.is_array()) return ReadOn::Yes;
  std::size_t at = 0;
  for (const auto& signal : signals) {
    if (!signal.is_array() || signal.empty() || !signal[0].is_string()) return ReadOn::Yes;
    const std::string& key = signal[0].get_ref<const std::string&>();
    for (std::size_t i = 1; i < signal.size(); ++i, ++at) {
      if (at >= entry.outcomes.size() || !signal[i].is_string()) return ReadOn::Yes;
      const std::string_view pair = signal[i].get_ref<const std::string&>();
      const auto outcome = outcome_from(entry.outcomes[at]);
      const std::size_t bar = pair.find('|');
      if (!outcome || bar == std::string_view::npos) continue;
      const RecordedOutcome recorded{.recorded_at = time_of(entry.id),
                                     .signal_key = key,
                                     .pipeline = pair.substr(0, bar),
                                     .ticker = pair.substr(bar + 1),
                                     .outcome = *outcome};
      if (tell(recorded) == ReadOn::Stop) return ReadOn::Stop;
    }
  }
  return ReadOn::Yes;
}

}  // namespace

RedisOutcomes::RedisOutcomes(RedisOptions redis, TaskQueueMode mode)
    : connection_(std::move(redis)), stream_(TaskKeys(mode, "").outcomes) {}

void RedisOutcomes::read(const std::function<ReadOn(const RecordedOutcome&)>& tell) {
  std::string from = "+";
  for (;;) {
    if (auto opened = connection_.ready(); !opened) throw IoError("redis", opened.error());
    std::string request;
    append_command(request, {"XREVRANGE", stream_, from, "-", "COUNT", kEntriesAtOnce});
    const auto replies = connection_.call(request, 1);
    if (!replies) throw IoError("redis", replies.error());
    const RedisReply head = (*replies)->take();
    if (head.type == RedisReply::Type::Error) throw IoError("redis", std::string(head.text));
    std::vector<Entry> entries;
    for (std::int64_t i = 0; i < head.integer; ++i) entries.push_back(take_entry(**replies));
    if (entries.empty()) return;
    for (const Entry& entry : entries) {
      if (tell_entry(entry, tell) == ReadOn::Stop) return;
    }
    from = "(" + entries.back().id;
  }
}

}  // namespace signalbox
