#include "services/lane_plan.hpp"

#include <algorithm>

#include "services/planted_bugs.hpp"

namespace signalbox {
namespace {

/// Builds one plan; lives for one call of plan_batch().
class Planner {
 public:
  Planner(const PlanContext& context, std::size_t messages) : context_(context) {
    plan_.routed.reserve(messages);
  }

  void add(const Run& run) {
    const auto owned = context_.owned.find(run.partition);
    if (owned == context_.owned.end() || owned->second.fetch != run.fetch) {
      plan_.skipped += run.messages.size();
      return;
    }
    const Fence& believed = believed_fence(run.partition, owned->second.fence);
    Fence fence = current_fence(run.partition, believed);
    for (const Message& message : run.messages) {
      if (message.offset < fence.next && !planted(PlantedBug::NoSkip)) {
        ++plan_.skipped;
        continue;
      }
      handle(message, run.partition, owned->second.route, fence);
      fence.next = next_offset(message.offset);
      fence.part = 0;
      fence.last_timestamp = message.timestamp;
    }
    keep_move(run.partition, believed, fence);
  }

  LanePlan take() && { return std::move(plan_); }

 private:
  void handle(const Message& message, const TopicPartition& partition,
              const std::expected<Route, Reject>& route, Fence& fence) {
    auto routed = is_replay_topic(partition.topic)
                      ? replayed(message)
                      : read(message, partition, message.offset, route);
    if (routed) {
      const auto refused = context_.refused_rows.find({partition, message.offset});
      if (refused != context_.refused_rows.end()) routed = std::unexpected(refused->second);
    }
    if (!routed) return reject(message, partition, std::move(routed.error()));
    routed->read_from = &partition;
    routed->seq = ++fence.seq;
    routed->epoch = fence.epoch;
    plan_.routed.push_back(*std::move(routed));
  }

  std::expected<Routed, Reject> read(const Message& message, const TopicPartition& source,
                                     Offset source_offset,
                                     const std::expected<Route, Reject>& route) {
    if (!route) return std::unexpected(route.error());
    auto facts = context_.reader.read(*route, message, context_.now);
    if (!facts) return std::unexpected(std::move(facts.error()));
    return Routed{.message = &message,
                  .route = &*route,
                  .source = &source,
                  .source_offset = source_offset,
                  .facts = *std::move(facts)};
  }

  /// A replayed message is routed as the topic that it first came from.
  std::expected<Routed, Reject> replayed(const Message& message) {
    auto fields = dead_letter_fields(message.headers);
    if (!fields) {
      return std::unexpected(Reject{RejectReason::MalformedReplay, std::move(fields.error())});
    }
    auto route = context_.route_of(fields->topic);
    if (!route) return std::unexpected(std::move(route.error()));
    plan_.origins.push_back({{fields->topic, fields->partition}, *std::move(route)});
    const LanePlan::Origin& origin = plan_.origins.back();
    auto facts = context_.reader.read(origin.route, message, context_.now);
    if (!facts) return std::unexpected(std::move(facts.error()));
    return Routed{.message = &message,
                  .route = &origin.route,
                  .source = &origin.source,
                  .source_offset = fields->offset,
                  .is_replay = true,
                  .facts = *std::move(facts)};
  }

  void reject(const Message& message, const TopicPartition& partition, Reject why) {
    plan_.letters.push_back(
        {.lane = context_.lane,
         .source = partition,
         .offset = message.offset,
         .timestamp = message.timestamp,
         .rejected_at = std::chrono::floor<std::chrono::milliseconds>(context_.now),
         .reject = std::move(why),
         .key = message.key,
         .payload = message.payload});
  }

  const Fence& believed_fence(const TopicPartition& partition, const Fence& owned) const {
    const auto move = std::ranges::find(context_.landing, partition, &FenceMove::partition);
    return move == context_.landing.end() ? owned : move->next;
  }

  /// A partition may stand in several runs of a batch: the second goes on where the first ended.
  Fence current_fence(const TopicPartition& partition, const Fence& believed) const {
    const auto move = std::ranges::find(plan_.moves, partition, &FenceMove::partition);
    return move == plan_.moves.end() ? believed : move->next;
  }

  void keep_move(const TopicPartition& partition, const Fence& expected, const Fence& next) {
    if (next == expected) return;
    const auto move = std::ranges::find(plan_.moves, partition, &FenceMove::partition);
    if (move == plan_.moves.end()) {
      plan_.moves.push_back({partition, expected, next});
    } else {
      move->next = next;
    }
  }

  const PlanContext& context_;
  LanePlan plan_;
};

}  // namespace

LanePlan plan_batch(const MessageBatch& batch, const PlanContext& context) {
  std::size_t messages = 0;
  for (const Run& run : batch.runs) messages += run.messages.size();
  Planner planner{context, messages};
  for (const Run& run : batch.runs) planner.add(run);
  return std::move(planner).take();
}

}  // namespace signalbox
