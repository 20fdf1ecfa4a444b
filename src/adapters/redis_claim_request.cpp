#include "adapters/redis_claim_request.hpp"

#include <algorithm>
#include <utility>

#include "adapters/redis_keys.hpp"
#include "adapters/resp.hpp"
#include "base/check.hpp"
#include "base/text.hpp"
#include "domain/routing_note.hpp"
#include "domain/text.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kPairUuidLength = 36;
constexpr std::size_t kKeptBytesMax = 4'000'000;

/// What is encoded is handed over from this size on, so that Redis reads the first tasks of a
/// batch while we still encode its last ones.
constexpr std::size_t kEarlyBytes = 64 * 1024;

constexpr std::size_t kNumbersBeforeRequests = 17;
constexpr std::size_t kNumbersPerRequest = 3;

std::uint64_t unsigned_ms(std::chrono::milliseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
}

/// A pair that is running and takes no place needs no task: it ends as busy, or as a duplicate.
bool needs_task(const TaskRequest& request) {
  return !request.is_running || request.busy.policy != BusyPolicy::Skip;
}

std::string_view ticker_of(const TaskRequest& request) {
  return request.signal->tickers[request.ticker].ticker;
}

/// Writes `[["signal","pipeline|ticker",…],…` without the last bracket, one array a signal.
class PairsJson {
 public:
  void add(std::string_view signal_key, const Uuid& pipeline, std::string_view ticker) {
    if (!is_open_ || signal_key != signal_key_) {
      if (is_open_) json_ += ']';
      json_ += json_.size() > 1 ? ",[" : "[";
      append_json_string(json_, signal_key);
      signal_key_ = signal_key;
      is_open_ = true;
    }
    json_ += ',';
    append_json_string(json_, pair_name(pipeline, ticker));
  }
  std::string take() {
    if (is_open_) json_ += ']';
    return std::move(json_);
  }

 private:
  std::string json_ = "[";
  std::string_view signal_key_;
  bool is_open_ = false;
};

}  // namespace

TaskKeys::TaskKeys(TaskQueueMode mode, std::string_view group_name)
    : group(group_name),
      prefix(mode == TaskQueueMode::Shadow ? "signalbox:shadow:" : "signalbox:trigger:"),
      claims(prefix + "claims"),
      slots(prefix + "slots"),
      held(prefix + "held"),
      state(prefix + "state"),
      outcomes(prefix + "outcomes"),
      seen{prefix + "seen:0", prefix + "seen:1", prefix + "seen:2", prefix + "seen:3"} {}

std::string TaskKeys::cut(const TopicPartition& partition) const {
  return prefix + "cut:" + group + ":" + partition.topic + ":" +
         std::to_string(partition.partition);
}

std::string TaskKeys::fence(const TopicPartition& partition) const {
  return fence_key(group, partition);
}

std::string pair_name(const Uuid& pipeline, std::string_view ticker) {
  std::string name = to_text(pipeline);
  name += '|';
  name += ticker;
  return name;
}

std::optional<PairName> read_pair_name(std::string_view name) {
  if (name.size() <= kPairUuidLength || name[kPairUuidLength] != '|') return std::nullopt;
  const auto pipeline = parse_uuid(name.substr(0, kPairUuidLength));
  if (!pipeline) return std::nullopt;
  return PairName{*pipeline, name.substr(kPairUuidLength + 1)};
}

std::string encode_cut(const Cut& cut, const Fence& fence) {
  std::string text;
  append_integer(text, fence.next.value);
  text += ' ';
  append_integer(text, fence.part);
  text += ' ';
  append_integer(text, cut.pairs_done);
  text += ' ';
  text += cut.last_pair;
  return text;
}

std::optional<Cut> decode_cut(std::string_view text, const TopicPartition& partition,
                              const Fence& fence) {
  std::string_view fields[3];
  for (std::string_view& field : fields) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    field = text.substr(0, space);
    text.remove_prefix(space + 1);
  }
  const auto next = integer_from<std::int64_t>(fields[0]);
  const auto part = integer_from<std::int32_t>(fields[1]);
  const auto done = integer_from<std::uint64_t>(fields[2]);
  // An operator who moved the fence left the cut behind.
  if (!next || !part || !done || *next != fence.next.value || *part != fence.part) {
    return std::nullopt;
  }
  return Cut{.partition = partition, .pairs_done = *done, .last_pair = std::string(text)};
}

PackedNumbers::PackedNumbers(std::size_t count) {
  bytes_.reserve(8 + 2 * count);
  bytes_ += '\xdd';
  for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(count >> shift & 0xFF);
}

void PackedNumbers::add(std::uint64_t value) {
  const auto append = [&](char mark, int bytes) {
    bytes_ += mark;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
      bytes_ += static_cast<char>(value >> shift & 0xFF);
    }
  };
  if (value < 0x80) {
    bytes_ += static_cast<char>(value);
  } else if (value <= 0xFFFF) {
    append('\xcd', 2);
  } else if (value <= 0xFFFF'FFFF) {
    append('\xce', 4);
  } else {
    append('\xcf', 8);
  }
}

/// Numbers the pairs and the signals, and names the tasks.
void ClaimRequest::collect(const ClaimBatch& batch, CeleryMessages& messages) {
  pair_numbers_.clear();
  pair_names_.clear();
  pair_of_.clear();
  digests_.clear();
  digest_of_.clear();
  digest_numbers_.clear();
  is_repeat_.clear();
  task_ids_.clear();
  const TaskRequest* before = nullptr;
  for (const TaskRequest& request : batch.requests) {
    const auto [found, is_new] =
        pair_numbers_.try_emplace(pair_name(request.pipeline, ticker_of(request)),
                                  static_cast<std::uint32_t>(pair_numbers_.size() + 1));
    if (is_new) pair_names_.push_back(found->first);
    pair_of_.push_back(found->second);
    // The pairs of one message follow each other; the same name in another message is a repeat.
    if (!request.is_repeat_checked) {
      digest_of_.push_back(0);
      is_repeat_.push_back(false);
    } else if (before != nullptr && before->signal == request.signal && before->is_repeat_checked) {
      digest_of_.push_back(digest_of_.back());
      is_repeat_.push_back(is_repeat_.back());
    } else {
      std::string digest = messages.digest(request.signal_key);
      const auto [known, is_first] =
          digest_numbers_.try_emplace(digest, static_cast<std::uint32_t>(digests_.size() + 1));
      if (is_first) digests_.push_back(std::move(digest));
      digest_of_.push_back(known->second);
      is_repeat_.push_back(!is_first);
    }
    before = &request;
    task_ids_.push_back(needs_task(request) ? messages.task_id(request.signal_key, request.pipeline,
                                                               ticker_of(request))
                                            : std::string{});
  }
}

std::string ClaimRequest::numbers(const ClaimBatch& batch, const ClaimContext& context) const {
  const ClaimRules& rules = context.rules;
  PackedNumbers packed{kNumbersBeforeRequests + kNumbersPerRequest * batch.requests.size()};
  for (const std::uint64_t value :
       {unsigned_ms(context.now), kClockTolerance, unsigned_ms(rules.claim_length()),
        std::uint64_t{batch.requests.size()}, std::uint64_t{pair_names_.size()},
        std::uint64_t{digests_.size()}, std::uint64_t{batch.moves.size()},
        std::uint64_t{context.mode == TaskQueueMode::Shadow}, context.reads_results,
        unsigned_ms(rules.generation_length), rules.generation_max, rules.held_max,
        rules.held_bytes_max, rules.segment_bytes, rules.segment_entries, rules.segments_max,
        rules.outcome_bytes_max}) {
    packed.add(value);
  }
  for (std::size_t i = 0; i < batch.requests.size(); ++i) {
    const TaskRequest& request = batch.requests[i];
    packed.add(pair_of_[i]);
    packed.add(digest_of_[i]);
    packed.add(static_cast<std::uint64_t>(request.busy.policy) | (request.is_running ? 4U : 0U) |
               (request.is_backtest ? 8U : 0U) | (is_repeat_[i] ? 16U : 0U) |
               std::uint64_t{request.busy.slots} * 32);
  }
  return packed.bytes();
}

std::string ClaimRequest::pairs_json(const ClaimBatch& batch) const {
  PairsJson json;
  for (const TaskRequest& request : batch.requests) {
    json.add(request.signal_key, request.pipeline, ticker_of(request));
  }
  for (const SettledPair& pair : batch.settled) {
    json.add(pair.signal_key, pair.pipeline, pair.ticker);
  }
  return json.take();
}

void ClaimRequest::add_fences(const ClaimBatch& batch) {
  for (const FenceMove& move : batch.moves) {
    append_argument(bytes_, move.expected ? encode(*move.expected) : "");
    append_argument(bytes_, encode(move.next));
    const bool is_cut = batch.cut && batch.cut->partition == move.partition;
    append_argument(bytes_, is_cut ? encode_cut(*batch.cut, move.next) : "");
  }
}

void ClaimRequest::add_tasks(const ClaimBatch& batch, const ClaimContext& context,
                             CeleryMessages& messages, const Early& early) {
  const std::size_t begin = bytes_.size();
  std::size_t shown = 0;
  const std::string expires = iso_utc(ReceivedAt{context.now + context.rules.task_expires});
  for (std::size_t i = 0; i < batch.requests.size(); ++i) {
    const TaskRequest& request = batch.requests[i];
    element_.clear();
    std::size_t expires_at = 0;
    if (needs_task(request) && context.mode == TaskQueueMode::Live) {
      const std::string tag = messages.delivery_tag();
      expires_at = messages.append(
          element_, request, {.task_id = task_ids_[i], .delivery_tag = tag, .expires = expires});
    }
    append_argument(bytes_, task_ids_[i]);
    append_argument(bytes_, element_);
    if (bytes_.size() - shown >= kEarlyBytes) {
      early(bytes_);
      shown = bytes_.size();
    }
    if (request.busy.policy == BusyPolicy::Skip) continue;
    head_ = task_ids_[i];
    head_ += request.is_backtest ? " 2 " : " 1 ";
    append_integer(head_, request.signal_logged_at.time_since_epoch().count());
    head_ += ' ';
    append_integer(head_, expires_at);
    head_ += ' ';
    append_integer(head_, request.signal_key.size());
    head_ += ' ';
    head_ += request.signal_key;
    append_argument(bytes_, head_);
  }
  SB_CHECK(batch.requests.size() <= 1 || bytes_.size() - begin <= kMaxBytesPerCall);
}

void ClaimRequest::add_head(const ClaimBatch& batch, std::string_view sha,
                            const ClaimContext& context) {
  constexpr std::size_t kFixedArguments = 4;
  const TaskKeys& keys = context.keys;
  const std::size_t key_count = 11 + 2 * batch.moves.size();
  std::size_t argument_count = kFixedArguments + pair_names_.size() + digests_.size() +
                               3 * batch.moves.size() + 2 * batch.requests.size();
  for (const TaskRequest& request : batch.requests) {
    if (request.busy.policy != BusyPolicy::Skip) ++argument_count;
  }
  append_command_head(bytes_, 3 + key_count + argument_count);
  append_argument(bytes_, "EVALSHA");
  append_argument(bytes_, sha);
  append_argument(bytes_, std::to_string(key_count));
  for (const std::string_view key :
       {std::string_view{keys.claims}, std::string_view{keys.slots}, std::string_view{keys.held},
        std::string_view{keys.state}, std::string_view{keys.outcomes},
        std::string_view{keys.seen[0]}, std::string_view{keys.seen[1]},
        std::string_view{keys.seen[2]}, std::string_view{keys.seen[3]},
        std::string_view{context.celery.queue}, std::string_view{context.celery.backtest_queue}}) {
    append_argument(bytes_, key);
  }
  for (const FenceMove& move : batch.moves) append_argument(bytes_, keys.fence(move.partition));
  for (const FenceMove& move : batch.moves) append_argument(bytes_, keys.cut(move.partition));
}

void ClaimRequest::build(const ClaimBatch& batch, std::string_view sha, const ClaimContext& context,
                         CeleryMessages& messages, const Early& early) {
  bytes_.clear();
  collect(batch, messages);
  add_head(batch, sha, context);
  append_argument(bytes_, numbers(batch, context));
  append_argument(bytes_, std::to_string(batch.database_now.time_since_epoch().count()));
  append_argument(bytes_, pairs_json(batch));
  std::string settled;
  for (const SettledPair& pair : batch.settled) settled += letter_of(pair.outcome);
  append_argument(bytes_, settled);
  for (const std::string_view name : pair_names_) append_argument(bytes_, name);
  for (const std::string& digest : digests_) append_argument(bytes_, digest);
  add_fences(batch);
  add_tasks(batch, context, messages, early);
}

void ClaimRequest::trim() {
  if (bytes_.capacity() > kKeptBytesMax) bytes_ = {};
}

}  // namespace signalbox
