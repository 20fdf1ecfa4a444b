#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "adapters/embedded_group.hpp"
#include "adapters/embedded_log.hpp"
#include "base/guarded.hpp"
#include "ports/clock.hpp"
#include "ports/message_source.hpp"

namespace signalbox {

/// Who says that a member lives while its owner is busy elsewhere.
enum class Heartbeats : std::uint8_t {
  OwnThread,  ///< a thread of the source: a sink that is away for minutes costs no partition
  WithPoll,   ///< poll() only: for tests that hold the clock
};

struct EmbeddedSourceOptions {
  std::string group;
  /// Topics by regular expression (POSIX extended) where it begins with `^`, else by name.
  std::vector<std::string> topics;
  Heartbeats heartbeats = Heartbeats::OwnThread;
  std::chrono::milliseconds heartbeat_every{500};
  std::chrono::milliseconds member_expiry{3'000};  ///< without a heartbeat
  std::chrono::milliseconds look_every{50};        ///< for what other processes appended
};

/// Reads the embedded log as a member of a consumer group.
///
/// Members of a group, in this process and in others, share the partitions of the topics evenly
/// and sticky: each counts the members and takes or gives up as many as its share asks. Each
/// partition has one owner at a time, by a row in the file. Commits are kept for half a second.
class EmbeddedSource final : public MessageSource {
 public:
  /// `log` and `clock` must outlive the source. Nothing is opened before the first call. Throws
  /// std::invalid_argument when a topic is no regular expression.
  EmbeddedSource(EmbeddedLog& log, const Clock& clock, EmbeddedSourceOptions options);
  ~EmbeddedSource() override;  ///< leaves the group

  Polled poll(const PollLimits& limits, std::chrono::milliseconds wait) override;
  std::optional<FetchId> begin(const TopicPartition& partition, Offset offset) override;
  bool owns(const TopicPartition& partition) const override;
  std::map<TopicPartition, LogRange> ranges(std::span<const TopicPartition> partitions) override;
  Offset offset_at(const TopicPartition& partition, EventTime time) override;
  std::vector<TopicPartition> all_partitions() override;
  void commit(const TopicPartition& partition, Offset next) override;
  std::string lineage() override;

 private:
  class Connection;
  struct Fetch;
  struct Assigned {
    std::int64_t id = 0;                 ///< of the partition's row
    std::optional<std::int64_t> next{};  ///< absent: silent until begin()
    FetchId fetch{};
  };
  using Assignment = std::map<TopicPartition, Assigned>;

  template <typename Action>
  auto with_file(Action&& action) const;
  Polled poll_once(const PollLimits& limits);
  void balance(Connection& file);
  MessageBatch fetch(Connection& file, const PollLimits& limits);
  void read(Connection& file, const TopicPartition& partition, const Assigned& assigned,
            Fetch& fetch);
  void write_commits(Connection& file);
  void leave();
  void keep_alive(std::stop_token stop);

  EmbeddedLog& log_;
  const Clock& clock_;
  const EmbeddedSourceOptions options_;
  const std::string member_;
  const TopicFilter filter_;
  mutable std::unique_ptr<Connection> connection_;  ///< absent until needed, and after a failure
  Assignment assigned_;
  Polled news_;                ///< of ownership, until a poll that does not fail can tell it
  std::int64_t topology_ = 0;  ///< that `assigned_` fits
  std::optional<std::chrono::steady_clock::time_point> last_balance_;
  std::optional<std::chrono::steady_clock::time_point> last_commit_;
  std::map<TopicPartition, Offset> commits_;  ///< not written yet
  TopicPartition served_last_;
  std::uint64_t fetches_ = 0;
  bool is_member_ = false;
  /// Declared last, so that it ends before what it uses.
  std::jthread heartbeat_;
};

}  // namespace signalbox
