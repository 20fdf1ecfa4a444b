#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/celery_message.hpp"
#include "adapters/redis_claim_request.hpp"
#include "adapters/redis_connection.hpp"
#include "ports/task_queue.hpp"

namespace signalbox {

struct RedisTaskQueueOptions {
  RedisOptions redis;  ///< Celery's broker: where the tasks go and our claims are
  /// Where workers leave results, when that is another server or database than the broker's.
  std::optional<RedisOptions> results{};
  std::string group;  ///< whose fences these are: the consumer group's whole name
  CeleryOptions celery{};
  TaskQueueMode mode = TaskQueueMode::Live;
  ClaimRules rules{};
};

/// Celery's lists in Redis, with the claims beside them: one script call does all of a batch.
///
/// Keys: see docs/WIRE.md. Needs Redis 6.2. A call lasts at most the connect time-out and three
/// command time-outs.
class RedisTaskQueue final : public TaskQueue {
 public:
  explicit RedisTaskQueue(RedisTaskQueueOptions options);
  ~RedisTaskQueue() override;

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  std::optional<Cut> read_cut(const TopicPartition& partition) override;
  ClaimOutcome claim(const ClaimBatch& batch) override;
  std::vector<HeldTask> held(std::size_t limit) override;
  Claimed settle_held(std::span<const HeldDecision> decisions, DatabaseTime database_now) override;
  std::vector<OpenClaim> open_claims(std::size_t limit,
                                     std::chrono::milliseconds older_than) override;
  void release(std::span<const OpenClaim> claims) override;
  QueueReport report() override;
  void ping() override;
  std::vector<SinkWarning> inspect() override;

 private:
  enum class Script : std::uint8_t { Claim, Held, Settle, Sweep, Release };
  static constexpr std::size_t kScripts = 5;

  /// A claim as the sweep found it.
  struct FoundClaim {
    OpenClaim claim;
    std::chrono::milliseconds enqueued;  ///< by Redis's clock
  };
  struct Sweep {
    std::chrono::milliseconds now;
    std::vector<FoundClaim> found;
  };

  std::expected<void, std::string> ready();
  std::expected<void, std::string> prepare_connection();
  std::chrono::milliseconds redis_now() const;
  void set_redis_now(std::chrono::milliseconds now);
  std::string_view sha(Script script) const;
  std::expected<void, std::string> send_claim(const ClaimBatch& batch);
  ClaimOutcome read_claimed(const ClaimBatch& batch, RedisReplies& replies);
  RedisReplies& call(std::string_view request, std::size_t replies);
  RedisReplies& call_script(Script script, std::span<const std::string_view> keys,
                            std::span<const std::string> arguments);
  std::optional<std::string> settle_once(std::span<const HeldDecision> decisions,
                                         DatabaseTime database_now, Claimed& claimed);
  Sweep sweep_step();
  void release_what_ended_elsewhere(std::vector<FoundClaim>& found);
  std::optional<ReceivedAt> oldest_waiting(std::string_view tail) const;

  RedisTaskQueueOptions options_;
  TaskKeys keys_;
  RedisConnection connection_;
  std::optional<RedisConnection> results_;
  CeleryMessages messages_;
  ClaimRequest request_;
  std::uint64_t generation_ = 0;  ///< of the connection that is prepared
  std::vector<std::string> shas_;
  std::chrono::milliseconds clock_offset_{};  ///< Redis's clock minus our steady one
  std::string sweep_cursor_ = "0";
  std::deque<OpenClaim> swept_;  ///< found by a step that found more than was asked for
  std::optional<std::int64_t> evicted_keys_;
  std::size_t last_array_size_ = 0;  ///< elements of the last script's answer
  std::string last_note_;  ///< why the last outcomes could not be recorded; empty: they were
};

}  // namespace signalbox
