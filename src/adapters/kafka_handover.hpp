#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "adapters/kafka_client.hpp"
#include "ports/message_source.hpp"

struct rd_kafka_message_s;

namespace signalbox {

/// What the source knows of one partition. Lives as long as the hand-over, so that chunks may
/// point to it; there are as many as partitions were ever ours.
struct KafkaPartition {
  explicit KafkaPartition(TopicPartition its_name);

  const TopicPartition name;
  const bool carries_headers;  ///< a topic of our own

  // Guarded by the hand-over's mutex.
  bool owned = false;
  bool reported = false;  ///< the caller knows that it is ours
  bool committed_once = false;
  FetchId current{};  ///< the latest begin(); chunks of any other are stale
  Offset next{};      ///< committed, or begun at

  // The polling thread's own.
  bool begun = false;         ///< part of the library's assignment
  FetchId fetch{};            ///< given to what arrives now
  std::int64_t expected = 0;  ///< next offset of this fetch: what lies below came a second time
};

/// Messages of the library, freed together.
class KafkaMessages {
 public:
  KafkaMessages() = default;
  KafkaMessages(KafkaMessages&& other) noexcept : all_(std::exchange(other.all_, {})) {}
  KafkaMessages& operator=(KafkaMessages&& other) noexcept {
    std::swap(all_, other.all_);
    return *this;
  }
  ~KafkaMessages();

  void push_back(rd_kafka_message_s* message) { all_.push_back(message); }
  std::size_t size() const { return all_.size(); }
  rd_kafka_message_s* operator[](std::size_t index) const { return all_[index]; }

  /// Moves the messages in [begin, end) to `target`; their places here become empty.
  void move_range(std::size_t begin, std::size_t end, KafkaMessages& target);

 private:
  std::vector<rd_kafka_message_s*> all_;
};

/// Consecutive messages of one fetch of one partition, on their way to the caller.
struct KafkaChunk {
  KafkaPartition* partition = nullptr;
  FetchId fetch{};
  bool out_of_range = false;  ///< no messages: the log ended this fetch here
  std::size_t taken = 0;      ///< messages that the caller has already
  std::size_t bytes = 0;      ///< of those that are left
  KafkaMessages messages{};
};

/// What a message costs while it waits.
std::size_t kafka_cost_of(const rd_kafka_message_s* message);

struct KafkaBegin {
  KafkaPartition* partition;
  FetchId fetch;
  Offset offset;
};

/// What the caller wants of the polling thread.
struct KafkaCommands {
  std::vector<KafkaBegin> begins;
  bool resume = false;  ///< there is room again
};

/// Where the polling thread and the caller meet. Thread-safe; never calls out under its mutex.
class KafkaHandOver {
 public:
  /// A pause ends when fewer than `resume_below` bytes wait.
  explicit KafkaHandOver(std::size_t resume_below) : resume_below_(resume_below) {}

  // --- the polling thread's side ---

  /// The client that chunks come from now on; each batch keeps it.
  void set_client(std::shared_ptr<rd_kafka_s> client);

  /// Frees every chunk and lets go of the client, which waits for its messages when it ends.
  void clear();

  KafkaPartition& partition(const TopicPartition& name);
  void assigned(std::span<KafkaPartition* const> partitions);
  void lost(std::span<KafkaPartition* const> partitions);

  /// Takes the chunks over; returns the bytes that now wait.
  std::size_t publish(std::vector<KafkaChunk>& chunks);

  /// True when commands() has something; cheap.
  bool has_commands() const { return has_commands_.load(std::memory_order_acquire); }

  /// What to do now. While `paused` begins stay where they are until there is room.
  KafkaCommands commands(bool paused);

  // --- the caller's side ---

  /// Stale chunks are dropped on the way.
  Polled take(const PollLimits& limits, std::chrono::milliseconds wait);
  std::optional<FetchId> begin(const TopicPartition& partition, Offset offset);
  void committed(const TopicPartition& partition, Offset next);

  // --- any thread ---

  bool owns(const TopicPartition& partition) const;
  std::size_t bytes() const;
  std::size_t messages() const;
  std::vector<std::pair<TopicPartition, Offset>> positions() const;  ///< of what is ours

 private:
  struct Slice;

  bool something_waits() const;
  std::vector<Slice> take_slices(const PollLimits& limits, Polled& polled,
                                 std::vector<KafkaChunk>& dropped);
  void report_changes(Polled& polled);
  KafkaChunk pop_front();

  const std::size_t resume_below_;
  std::atomic<bool> has_commands_ = false;
  mutable std::mutex mutex_;
  std::condition_variable something_;
  std::map<TopicPartition, KafkaPartition> partitions_;
  std::shared_ptr<rd_kafka_s> client_;  // shared with batches; before the chunks, which go first
  std::deque<KafkaChunk> chunks_;
  std::size_t bytes_ = 0;
  std::size_t messages_ = 0;
  std::set<KafkaPartition*> lost_;
  std::set<KafkaPartition*> assigned_;
  std::map<KafkaPartition*, KafkaBegin> begins_;
  bool wants_room_ = false;  ///< the polling thread has paused
  std::uint64_t last_fetch_ = 0;
};

}  // namespace signalbox
