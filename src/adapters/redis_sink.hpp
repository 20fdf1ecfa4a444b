#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "adapters/redis_connection.hpp"
#include "ports/sink.hpp"

namespace signalbox {

enum class LastValues : std::uint8_t { Off, On };

/// A shadow publishes nothing and writes nothing outside `signalbox:`.
enum class RedisSinkMode : std::uint8_t { Live, Shadow };

struct RedisSinkOptions {
  RedisOptions redis;
  std::string group;  ///< whose fences these are: the consumer group's whole name
  /// Entries kept (about) in the stream of each channel; absent: no streams.
  std::optional<std::uint64_t> stream_length_max{};
  LastValues last_values = LastValues::Off;
  RedisSinkMode mode = RedisSinkMode::Live;
  std::uint64_t shadow_stream_length_max = 10'000;
};

/// PUBLISH to the channels of each message's route, with the fences in the same transaction.
///
/// A batch is one request: MULTI, the data, SET of the fences, EXEC, then WATCH and MGET of the
/// same fences for the next batch. A batch whose fences are not watched yet costs one round trip
/// before it. A call lasts at most the connect time-out and one command time-out.
class RedisSink final : public Sink {
 public:
  explicit RedisSink(RedisSinkOptions options);

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  WriteOutcome write(const WriteBatch& batch) override;
  void ping() override;
  std::vector<SinkWarning> inspect() override;

  /// Every fence of the group, by SCAN: for operators, not for lanes. Throws IoError.
  std::vector<std::pair<TopicPartition, Fence>> list_fences();

  /// Commands that failed inside a transaction that was committed, which Redis cannot undo: a key
  /// took on another type between our look at it and the write.
  std::uint64_t commands_failed() const { return commands_failed_; }

 private:
  /// A fence move in the words of Redis.
  struct FenceStep {
    const FenceMove* move;
    std::string key;
    std::string next;
  };
  struct TypedKey {
    std::string key;
    std::string_view type;  ///< what TYPE must say, or "none"
  };
  struct Conflict {};
  using ExecOutcome = std::variant<Committed, Conflict, Unknown, Unavailable>;

  std::expected<void, std::string> ready();
  void plan(const WriteBatch& batch);
  void plan_key(std::string key, std::string_view type);
  std::optional<WriteOutcome> prepare();
  bool all_watched_and_expected() const;
  bool all_expected(const std::vector<std::optional<std::string>>& values) const;
  WriteOutcome transact(const WriteBatch& batch);
  std::expected<void, std::string> send_request(const WriteBatch& batch);
  void encode_message(const Routed& routed, const WriteBatch& batch, bool is_last_of_channel);
  void encode_tail();
  void append_fence_command(std::string_view name);
  ExecOutcome read_exec(RedisReplies& replies);
  Committed read_results(RedisReplies& replies, std::int64_t count);
  void forget();
  RedisReplies& call(std::string_view request, std::size_t replies);

  RedisSinkOptions options_;
  RedisConnection connection_;
  std::uint64_t generation_ = 0;  ///< of the connection that the two below are true for
  /// Fences that the server watches for us, as they stood then. Empty: next time from the start.
  std::unordered_map<std::string, std::optional<std::string>> watched_;
  std::unordered_set<std::string> checked_keys_;

  // What one write needs, kept so that its memory is used again.
  std::vector<FenceStep> steps_;
  std::vector<TypedKey> unchecked_keys_;
  std::string request_;
  std::string payload_;
  std::string received_at_text_;
  std::size_t commands_ = 0;  ///< between MULTI and EXEC
  std::size_t exec_end_ = 0;  ///< in `request_`: with fewer bytes there is no EXEC

  std::uint64_t commands_failed_ = 0;
  std::string last_failure_;
};

}  // namespace signalbox
