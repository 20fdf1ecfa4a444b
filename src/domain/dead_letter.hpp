#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/facts.hpp"
#include "domain/message.hpp"
#include "domain/reject.hpp"

namespace signalbox {

/// A message that a lane refused, with its place and the reason. Views borrow from the batch.
struct DeadLetter {
  std::string lane;  ///< redis, redis-priority, postgres, postgres-priority
  TopicPartition source;
  Offset offset;
  EventTime timestamp;  ///< of the refused message
  EventTime rejected_at;
  Reject reject;
  std::string_view key;
  std::string_view payload;  ///< data() == nullptr for a tombstone
};

/// Above this only the head of a payload and its hash are kept: brokers refuse more than 1 MB.
inline constexpr std::size_t kDeadLetterPayloadMax = 900'000;

/// Headers that the topic's writer adds when it keeps only the head: bytes of the whole payload,
/// and its hash in lower-case hexadecimal.
inline constexpr std::string_view kDeadLetterSizeHeader = "signalbox-truncated";
inline constexpr std::string_view kDeadLetterSha256Header = "signalbox-sha256";

/// `lane|topic|partition|offset`: the key of the letter's message, the same for every copy.
std::string dead_letter_key(const DeadLetter& letter);

/// The letter's place and reason as message headers, names beginning with `signalbox-`.
std::vector<Header> dead_letter_headers(const DeadLetter& letter);

/// The reverse; the error names the header that is missing or malformed.
std::expected<DeadLetterFields, std::string> dead_letter_fields(const std::vector<Header>& headers);

/// `signalbox.replay.<lane>`: what is produced there goes to that lane only.
std::string replay_topic(std::string_view lane);
bool is_replay_topic(std::string_view topic);

}  // namespace signalbox
