#include "adapters/kafka_handover.hpp"

#include <algorithm>
#include <utility>

#include <librdkafka/rdkafka.h>

namespace signalbox {
namespace {

/// The library's own record of a message, measured; its payload shares the fetch's buffer.
constexpr std::size_t kOverheadBytes = 200;

std::vector<Header> headers_of(const rd_kafka_message_t* message) {
  std::vector<Header> headers;
  rd_kafka_headers_t* raw = nullptr;
  if (rd_kafka_message_headers(message, &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) return headers;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(raw, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    headers.push_back({name, value ? std::string(static_cast<const char*>(value), size) : ""});
  }
  return headers;
}

Message message_of(const rd_kafka_message_t* raw, bool with_headers) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(raw, &type);
  Message message{
      .offset = Offset{raw->offset},
      .timestamp = EventTime{std::chrono::milliseconds{std::max<std::int64_t>(0, timestamp)}},
      .key = {static_cast<const char*>(raw->key), raw->key ? raw->key_len : 0},
      .payload = {static_cast<const char*>(raw->payload), raw->payload ? raw->len : 0}};
  if (with_headers) message.headers = headers_of(raw);
  return message;
}

/// The messages, and the client that they came from.
struct KafkaStorage final : public MessageBatch::Storage {
  // Shared: batches may outlive the source. Declared first, as it must go last.
  std::shared_ptr<rd_kafka_s> client;
  std::vector<KafkaMessages> messages;
};

}  // namespace

KafkaPartition::KafkaPartition(TopicPartition its_name)
    : name(std::move(its_name)), carries_headers(name.topic.starts_with("signalbox.")) {}

KafkaMessages::~KafkaMessages() {
  for (rd_kafka_message_s* message : all_) {
    if (message) rd_kafka_message_destroy(message);
  }
}

void KafkaMessages::move_range(std::size_t begin, std::size_t end, KafkaMessages& target) {
  target.all_.reserve(target.all_.size() + end - begin);
  for (std::size_t i = begin; i < end; ++i) {
    target.all_.push_back(std::exchange(all_[i], nullptr));
  }
}

std::size_t kafka_cost_of(const rd_kafka_message_s* message) {
  return message->len + message->key_len + kOverheadBytes;
}

void KafkaHandOver::set_client(std::shared_ptr<rd_kafka_s> client) {
  const std::lock_guard lock(mutex_);
  client_ = std::move(client);
}

void KafkaHandOver::clear() {
  std::shared_ptr<rd_kafka_s> client;  // both are freed when the mutex is open again
  std::deque<KafkaChunk> chunks;
  const std::lock_guard lock(mutex_);
  std::swap(chunks, chunks_);
  std::swap(client, client_);
  bytes_ = 0;
  messages_ = 0;
}

KafkaPartition& KafkaHandOver::partition(const TopicPartition& name) {
  const std::lock_guard lock(mutex_);
  return partitions_.try_emplace(name, name).first->second;
}

void KafkaHandOver::assigned(std::span<KafkaPartition* const> partitions) {
  const std::lock_guard lock(mutex_);
  for (KafkaPartition* partition : partitions) {
    partition->owned = true;
    partition->reported = false;
    assigned_.insert(partition);
  }
  something_.notify_one();
}

void KafkaHandOver::lost(std::span<KafkaPartition* const> partitions) {
  const std::lock_guard lock(mutex_);
  for (KafkaPartition* partition : partitions) {
    if (partition->reported) lost_.insert(partition);
    assigned_.erase(partition);
    begins_.erase(partition);
    partition->owned = false;
    partition->reported = false;
    partition->current = FetchId{};
  }
  something_.notify_one();
}

std::size_t KafkaHandOver::publish(std::vector<KafkaChunk>& chunks) {
  if (chunks.empty()) return bytes();
  const std::lock_guard lock(mutex_);
  for (KafkaChunk& chunk : chunks) {
    bytes_ += chunk.bytes;
    messages_ += chunk.messages.size();
    chunks_.push_back(std::move(chunk));
  }
  chunks.clear();
  something_.notify_one();
  return bytes_;
}

KafkaCommands KafkaHandOver::commands(bool paused) {
  const std::lock_guard lock(mutex_);
  KafkaCommands commands;
  commands.resume = paused && bytes_ < resume_below_;
  wants_room_ = paused && !commands.resume;
  if (!wants_room_) {
    for (const auto& [partition, wanted] : begins_) commands.begins.push_back(wanted);
    begins_.clear();
  }
  has_commands_.store(false, std::memory_order_release);
  return commands;
}

bool KafkaHandOver::something_waits() const {
  return !chunks_.empty() || !lost_.empty() || !assigned_.empty();
}

/// A part of a chunk, or all of it, that goes into one batch.
struct KafkaHandOver::Slice {
  KafkaPartition* partition;
  FetchId fetch;
  KafkaMessages messages;
};

Polled KafkaHandOver::take(const PollLimits& limits, std::chrono::milliseconds wait) {
  Polled polled;
  std::vector<KafkaChunk> dropped;  // freed when the mutex is open again
  auto storage = std::make_unique<KafkaStorage>();
  std::vector<Slice> slices;
  {
    std::unique_lock lock(mutex_);
    something_.wait_for(lock, wait, [this] { return something_waits(); });
    report_changes(polled);
    slices = take_slices(limits, polled, dropped);
    storage->client = client_;
    if (wants_room_ && bytes_ < resume_below_) has_commands_.store(true);
  }
  if (slices.empty()) return polled;

  std::vector<Run> runs;
  for (Slice& slice : slices) {
    auto run = std::ranges::find(runs, slice.fetch, &Run::fetch);
    if (run == runs.end()) {
      run = runs.insert(runs.end(), Run{slice.partition->name, slice.fetch, {}});
    }
    run->messages.reserve(run->messages.size() + slice.messages.size());
    for (std::size_t i = 0; i < slice.messages.size(); ++i) {
      if (!slice.messages[i]) continue;  // an earlier batch has it
      run->messages.push_back(message_of(slice.messages[i], slice.partition->carries_headers));
    }
    storage->messages.push_back(std::move(slice.messages));
  }
  polled.batch = MessageBatch(std::move(runs), std::move(storage));
  return polled;
}

void KafkaHandOver::report_changes(Polled& polled) {
  for (const KafkaPartition* partition : std::exchange(lost_, {})) {
    polled.lost.push_back(partition->name);
  }
  for (KafkaPartition* partition : std::exchange(assigned_, {})) {
    partition->reported = true;
    polled.assigned.push_back(partition->name);
  }
}

KafkaChunk KafkaHandOver::pop_front() {
  KafkaChunk chunk = std::move(chunks_.front());
  chunks_.pop_front();
  bytes_ -= chunk.bytes;
  messages_ -= chunk.messages.size() - chunk.taken;
  return chunk;
}

std::vector<KafkaHandOver::Slice> KafkaHandOver::take_slices(const PollLimits& limits,
                                                             Polled& polled,
                                                             std::vector<KafkaChunk>& dropped) {
  std::vector<Slice> slices;
  std::vector<const KafkaPartition*> partitions;
  std::size_t messages = 0;
  std::size_t bytes = 0;
  while (!chunks_.empty()) {
    KafkaChunk& chunk = chunks_.front();
    if (chunk.fetch != chunk.partition->current) {
      dropped.push_back(pop_front());
      continue;
    }
    const bool is_new = std::ranges::find(partitions, chunk.partition) == partitions.end();
    if (chunk.out_of_range) {
      if (!is_new) break;  // what was read before the log's edge is handled first
      polled.out_of_range.push_back(chunk.partition->name);
      dropped.push_back(pop_front());
      continue;
    }
    if (messages >= limits.messages) break;
    if (is_new && partitions.size() >= limits.partitions) break;

    std::size_t end = chunk.taken;
    std::size_t cost = 0;
    for (; end < chunk.messages.size() && messages < limits.messages; ++end, ++messages) {
      const rd_kafka_message_t* message = chunk.messages[end];
      const std::size_t size = message->len + message->key_len;
      if (messages > 0 && bytes + size > limits.bytes) break;
      bytes += size;
      cost += kafka_cost_of(message);
    }
    if (end == chunk.taken) break;
    if (is_new) partitions.push_back(chunk.partition);
    if (end == chunk.messages.size()) {
      KafkaChunk whole = pop_front();
      slices.push_back({whole.partition, whole.fetch, std::move(whole.messages)});
      continue;
    }
    Slice& slice = slices.emplace_back(chunk.partition, chunk.fetch, KafkaMessages{});
    chunk.messages.move_range(chunk.taken, end, slice.messages);
    bytes_ -= cost;
    messages_ -= end - chunk.taken;
    chunk.bytes -= cost;
    chunk.taken = end;
    break;  // only a limit splits a chunk
  }
  return slices;
}

std::optional<FetchId> KafkaHandOver::begin(const TopicPartition& name, Offset offset) {
  const std::lock_guard lock(mutex_);
  const auto found = partitions_.find(name);
  if (found == partitions_.end() || !found->second.reported) return std::nullopt;
  KafkaPartition& partition = found->second;
  partition.current = FetchId{++last_fetch_};
  partition.next = offset;
  begins_.insert_or_assign(&partition, KafkaBegin{&partition, partition.current, offset});
  has_commands_.store(true);
  return partition.current;
}

void KafkaHandOver::committed(const TopicPartition& name, Offset next) {
  const std::lock_guard lock(mutex_);
  const auto found = partitions_.find(name);
  if (found != partitions_.end()) found->second.next = next;
}

bool KafkaHandOver::owns(const TopicPartition& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = partitions_.find(name);
  return found != partitions_.end() && found->second.owned;
}

std::size_t KafkaHandOver::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::size_t KafkaHandOver::messages() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}

std::vector<std::pair<TopicPartition, Offset>> KafkaHandOver::positions() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<TopicPartition, Offset>> positions;
  for (const auto& [name, partition] : partitions_) {
    if (partition.owned) positions.emplace_back(name, partition.next);
  }
  return positions;
}

}  // namespace signalbox
