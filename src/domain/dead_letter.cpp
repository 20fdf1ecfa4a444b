#include "domain/dead_letter.hpp"

#include <algorithm>

#include "domain/text.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kLane = "signalbox-lane";
constexpr std::string_view kTopic = "signalbox-topic";
constexpr std::string_view kPartition = "signalbox-partition";
constexpr std::string_view kOffset = "signalbox-offset";
constexpr std::string_view kKey = "signalbox-key";
constexpr std::string_view kReason = "signalbox-reason";
constexpr std::string_view kDetail = "signalbox-detail";
constexpr std::string_view kMessageTime = "signalbox-message-time-ms";
constexpr std::string_view kRejectedAt = "signalbox-rejected-at-ms";
constexpr std::string_view kReplayPrefix = "signalbox.replay.";

Header header(std::string_view name, std::string value) {
  return {std::string(name), std::move(value)};
}

std::string milliseconds_text(EventTime time) {
  return std::to_string(time.time_since_epoch().count());
}

const std::string* find(const std::vector<Header>& headers, std::string_view name) {
  const auto found = std::ranges::find(headers, name, &Header::name);
  return found == headers.end() ? nullptr : &found->value;
}

std::optional<EventTime> time_of(const std::string* text) {
  if (!text) return std::nullopt;
  const auto ms = integer_from<std::int64_t>(*text);
  if (!ms) return std::nullopt;
  return EventTime{std::chrono::milliseconds{*ms}};
}

}  // namespace

std::string dead_letter_key(const DeadLetter& letter) {
  return letter.lane + "|" + letter.source.topic + "|" + std::to_string(letter.source.partition) +
         "|" + std::to_string(letter.offset.value);
}

std::vector<Header> dead_letter_headers(const DeadLetter& letter) {
  std::vector<Header> headers{header(kLane, letter.lane),
                              header(kTopic, letter.source.topic),
                              header(kPartition, std::to_string(letter.source.partition)),
                              header(kOffset, std::to_string(letter.offset.value)),
                              header(kReason, std::string(name_of(letter.reject.reason))),
                              header(kDetail, letter.reject.detail),
                              header(kMessageTime, milliseconds_text(letter.timestamp)),
                              header(kRejectedAt, milliseconds_text(letter.rejected_at))};
  if (letter.key.data()) headers.push_back(header(kKey, std::string(letter.key)));
  return headers;
}

std::expected<DeadLetterFields, std::string> dead_letter_fields(
    const std::vector<Header>& headers) {
  const auto missing = [](std::string_view name) {
    return std::unexpected("header " + std::string(name) + " is missing or malformed");
  };
  DeadLetterFields fields;
  const std::string* lane = find(headers, kLane);
  if (!lane || lane->empty()) return missing(kLane);
  const std::string* topic = find(headers, kTopic);
  if (!topic || topic->empty()) return missing(kTopic);
  const std::string* partition_text = find(headers, kPartition);
  const auto partition =
      partition_text ? integer_from<std::int32_t>(*partition_text) : std::nullopt;
  if (!partition || *partition < 0) return missing(kPartition);
  const std::string* offset_text = find(headers, kOffset);
  const auto offset = offset_text ? integer_from<std::int64_t>(*offset_text) : std::nullopt;
  if (!offset || *offset < 0) return missing(kOffset);
  if (const std::string* reason = find(headers, kReason)) fields.reason = *reason;
  if (const std::string* detail = find(headers, kDetail)) fields.detail = *detail;
  if (const std::string* key = find(headers, kKey)) fields.key = *key;
  if (const std::string* size = find(headers, kDeadLetterSizeHeader)) {
    fields.whole_size = integer_from<std::int64_t>(*size);
  }
  if (const std::string* sha256 = find(headers, kDeadLetterSha256Header)) fields.sha256 = *sha256;
  fields.lane = *lane;
  fields.topic = *topic;
  fields.partition = *partition;
  fields.offset = Offset{*offset};
  fields.message_time = time_of(find(headers, kMessageTime));
  fields.rejected_at = time_of(find(headers, kRejectedAt));
  return fields;
}

std::string replay_topic(std::string_view lane) {
  return std::string(kReplayPrefix) + std::string(lane);
}

bool is_replay_topic(std::string_view topic) { return topic.starts_with(kReplayPrefix); }

}  // namespace signalbox
