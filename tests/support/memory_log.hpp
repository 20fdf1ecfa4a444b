#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "domain/dead_letter.hpp"
#include "ports/dead_letters.hpp"
#include "ports/io_error.hpp"
#include "ports/message_source.hpp"

namespace signalbox {

/// Decides which of the outside's answers fail: the n-th, counted over all who share it.
class Outside {
 public:
  /// The n-th call from now on fails; 0: none.
  void fail_nth(int n) {
    calls_ = 0;
    fails_at_ = n;
  }

  bool fails_now() { return ++calls_ == fails_at_; }

  /// Whether the call that was to fail has been made.
  bool has_failed() const { return fails_at_ > 0 && calls_ >= fails_at_; }

 private:
  int calls_ = 0;
  int fails_at_ = 0;
};

/// A log in memory with one member, whose partitions come and go as a test says. Single-threaded.
class MemoryLog final : public MessageSource {
 public:
  explicit MemoryLog(Outside& outside) : outside_(outside) {}

  /// Appends a message a second after the one before it; its offset.
  Offset produce(const TopicPartition& partition, const std::string& payload,
                 std::vector<Header> headers = {}) {
    time_ += std::chrono::seconds{1};
    Partition& home = partitions_[partition];
    home.messages.push_back(Entry{time_, payload, std::move(headers)});
    return Offset{home.end() - 1};
  }

  void create(const TopicPartition& partition) { partitions_.try_emplace(partition); }

  void assign(const TopicPartition& partition) {
    create(partition);
    owned_.insert(partition);
    changes_.assigned.push_back(partition);
  }

  /// Another member has it. What was fetched stays in the hand-over.
  void lose(const TopicPartition& partition) {
    owned_.erase(partition);
    changes_.lost.push_back(partition);
  }

  /// Retention: messages before `begin` are gone.
  void forget_before(const TopicPartition& partition, Offset begin) {
    Partition& home = partitions_.at(partition);
    while (home.begin < begin.value) {
      home.messages.pop_front();
      ++home.begin;
    }
  }

  /// The topic is made anew, and this member is told as of any change of its partitions.
  void replace(const TopicPartition& partition) {
    truncate(partition, Offset{0});
    lose(partition);
    assign(partition);
  }

  /// Messages from `end` on are gone; others may take their offsets.
  void truncate(const TopicPartition& partition, Offset end) {
    Partition& home = partitions_.at(partition);
    while (home.end() > end.value) home.messages.pop_back();
    home.committed.reset();
  }

  void set_commit(const TopicPartition& partition, Offset next) {
    partitions_[partition].committed = next;
  }
  /// No commit has reached the log yet.
  void forget_commits() {
    for (auto& [partition, home] : partitions_) home.committed.reset();
  }
  std::optional<Offset> committed(const TopicPartition& partition) const {
    return partitions_.at(partition).committed;
  }
  Offset end(const TopicPartition& partition) const {
    return Offset{partitions_.at(partition).end()};
  }

  Polled poll(const PollLimits& limits, std::chrono::milliseconds) override {
    if (outside_.fails_now()) throw IoError("kafka", "planned");
    Polled polled = std::exchange(changes_, {});
    std::vector<Run> runs;
    std::size_t left = limits.messages;
    for (auto& [partition, fetch] : fetches_) {
      const Partition& home = partitions_.at(partition);
      if (fetch.position < home.begin || fetch.position > home.end()) {
        polled.out_of_range.push_back(partition);
        continue;
      }
      Run run{partition, fetch.id, {}};
      for (; fetch.position < home.end() && left > 0; ++fetch.position, --left) {
        run.messages.push_back(message_at(home, fetch.position));
      }
      if (!run.messages.empty()) runs.push_back(std::move(run));
    }
    for (const TopicPartition& partition : polled.out_of_range) fetches_.erase(partition);
    for (const TopicPartition& partition : polled.lost) {
      if (!owned_.contains(partition)) fetches_.erase(partition);
    }
    polled.batch = MessageBatch{std::move(runs), nullptr};
    return polled;
  }

  std::optional<FetchId> begin(const TopicPartition& partition, Offset offset) override {
    if (outside_.fails_now()) throw IoError("kafka", "planned");
    if (!owned_.contains(partition)) return std::nullopt;
    fetches_[partition] = {FetchId{++next_fetch_}, offset.value};
    begun[partition] = offset;
    return FetchId{next_fetch_};
  }

  bool owns(const TopicPartition& partition) const override { return owned_.contains(partition); }

  std::map<TopicPartition, LogRange> ranges(std::span<const TopicPartition> partitions) override {
    if (outside_.fails_now()) throw IoError("kafka", "planned");
    std::map<TopicPartition, LogRange> ranges;
    for (const TopicPartition& partition : partitions) {
      const auto found = partitions_.find(partition);
      if (found == partitions_.end()) continue;
      const Partition& home = found->second;
      ranges[partition] = {Offset{home.begin}, Offset{home.end()}, home.committed};
    }
    return ranges;
  }

  Offset offset_at(const TopicPartition& partition, EventTime time) override {
    if (outside_.fails_now()) throw IoError("kafka", "planned");
    const Partition& home = partitions_.at(partition);
    std::int64_t offset = home.begin;
    while (offset < home.end() && message_at(home, offset).timestamp < time) ++offset;
    return Offset{offset};
  }

  std::vector<TopicPartition> all_partitions() override {
    std::vector<TopicPartition> all;
    for (const auto& [partition, home] : partitions_) all.push_back(partition);
    return all;
  }

  void commit(const TopicPartition& partition, Offset next) override {
    partitions_.at(partition).committed = next;
  }

  std::string lineage() override { return "memory"; }

  std::map<TopicPartition, Offset> begun;  ///< the last begin() of each partition

 private:
  struct Entry {
    EventTime timestamp;
    std::string payload;
    std::vector<Header> headers;
  };
  struct Partition {
    std::int64_t begin = 0;
    std::deque<Entry> messages;
    std::optional<Offset> committed;

    std::int64_t end() const { return begin + static_cast<std::int64_t>(messages.size()); }
  };
  struct Fetch {
    FetchId id;
    std::int64_t position = 0;
  };

  /// The views stay good until the message is forgotten: tests hold no batch across that.
  static Message message_at(const Partition& home, std::int64_t offset) {
    const Entry& entry = home.messages[static_cast<std::size_t>(offset - home.begin)];
    return {.offset = Offset{offset},
            .timestamp = entry.timestamp,
            .key = {},
            .payload = entry.payload,
            .headers = entry.headers};
  }

  Outside& outside_;
  EventTime time_{std::chrono::seconds{1'699'000'000}};
  std::map<TopicPartition, Partition> partitions_;
  std::set<TopicPartition> owned_;
  Polled changes_;
  std::map<TopicPartition, Fetch> fetches_;
  std::uint64_t next_fetch_ = 0;
};

/// Keeps the letters' keys; may fail.
class MemoryDeadLetters final : public DeadLetters {
 public:
  explicit MemoryDeadLetters(Outside& outside) : outside_(outside) {}

  void put(std::span<const DeadLetter> letters) override {
    if (outside_.fails_now()) throw IoError("kafka", "planned");
    for (const DeadLetter& letter : letters) {
      keys.push_back(dead_letter_key(letter));
      reasons.push_back(letter.reject.reason);
    }
  }

  std::vector<std::string> keys;
  std::vector<RejectReason> reasons;

 private:
  Outside& outside_;
};

}  // namespace signalbox
