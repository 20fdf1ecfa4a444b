#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/celery_message.hpp"
#include "domain/claim.hpp"

namespace signalbox {

/// A shadow claims beside the original: under keys of its own, and nothing is enqueued.
enum class TaskQueueMode : std::uint8_t { Live, Shadow };

/// The names of what the trigger keeps in Redis.
struct TaskKeys {
  TaskKeys(TaskQueueMode mode, std::string_view group);

  std::string cut(const TopicPartition& partition) const;
  std::string fence(const TopicPartition& partition) const;

  std::string group;
  std::string prefix;
  std::string claims;
  std::string slots;
  std::string held;
  std::string state;
  std::string outcomes;
  std::string seen[4];
};

/// By how many milliseconds our belief of Redis's clock may be wrong: less than the margin of a
/// deadline. Beyond it a script refuses, and tells its time.
inline constexpr std::uint64_t kClockTolerance = 5'000;

/// `pipeline|ticker`: the name of a pair in Redis.
std::string pair_name(const Uuid& pipeline, std::string_view ticker);

struct PairName {
  Uuid pipeline;
  std::string_view ticker;
};
std::optional<PairName> read_pair_name(std::string_view name);

/// The value of a cut's key: the fence that it belongs to, then how far it came.
std::string encode_cut(const Cut& cut, const Fence& fence);
std::optional<Cut> decode_cut(std::string_view text, const TopicPartition& partition,
                              const Fence& fence);

/// Whole numbers in MessagePack: how a script gets many of them at once.
class PackedNumbers {
 public:
  explicit PackedNumbers(std::size_t count);
  void add(std::uint64_t value);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct ClaimContext {
  const ClaimRules& rules;
  const CeleryOptions& celery;
  const TaskKeys& keys;
  TaskQueueMode mode;
  std::uint64_t reads_results;    ///< 1: the script finds the results in its own database
  std::chrono::milliseconds now;  ///< of Redis, as far as we know
};

/// One batch as the arguments of the claim script. Kept, so that its memory is used again.
class ClaimRequest {
 public:
  /// Takes what was built so far, from the first byte on, while more is being built.
  using Early = std::function<void(std::string_view built)>;

  /// Builds everything; `sha` names the script. The result is in bytes() until the next call.
  void build(const ClaimBatch& batch, std::string_view sha, const ClaimContext& context,
             CeleryMessages& messages, const Early& early);

  std::string_view bytes() const { return bytes_; }
  std::string take_task_id(std::size_t request) { return std::move(task_ids_[request]); }

  /// Gives memory back that an uncommonly large batch took.
  void trim();

 private:
  void collect(const ClaimBatch& batch, CeleryMessages& messages);
  std::string numbers(const ClaimBatch& batch, const ClaimContext& context) const;
  void add_fences(const ClaimBatch& batch);
  void add_head(const ClaimBatch& batch, std::string_view sha, const ClaimContext& context);
  void add_tasks(const ClaimBatch& batch, const ClaimContext& context, CeleryMessages& messages,
                 const Early& early);
  std::string pairs_json(const ClaimBatch& batch) const;

  std::string bytes_;
  std::unordered_map<std::string, std::uint32_t> pair_numbers_;
  std::vector<std::string_view> pair_names_;
  std::vector<std::uint32_t> pair_of_;
  std::vector<std::string> digests_;
  std::vector<std::uint32_t> digest_of_;
  std::unordered_map<std::string, std::uint32_t> digest_numbers_;
  std::vector<bool> is_repeat_;  ///< in this call
  std::vector<std::string> task_ids_;
  std::string element_;
  std::string head_;
};

}  // namespace signalbox
