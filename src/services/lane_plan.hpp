#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/dead_letter.hpp"
#include "domain/facts.hpp"
#include "domain/fence.hpp"
#include "domain/routing.hpp"
#include "ports/message_source.hpp"
#include "ports/payload_reader.hpp"
#include "ports/sink.hpp"

namespace signalbox {

/// Names the route of a topic; the error refuses every message of it.
using RouteOf = std::function<std::expected<Route, Reject>(std::string_view topic)>;

/// A partition that this lane reads, and what it believes the sink's fence to be.
struct OwnedPartition {
  Fence fence;
  FetchId fetch;
  std::expected<Route, Reject> route;  ///< of its topic; an error refuses every message
  /// The first message after a begin() is the one before the fence and has still to be compared.
  bool is_unverified = false;
};

using OwnedPartitions = std::map<TopicPartition, OwnedPartition>;

/// Messages that the sink refused for their content, found by an earlier write of this batch.
using RefusedRows = std::map<std::pair<TopicPartition, Offset>, Reject>;

/// What one batch becomes: rows for the sink, steps of its fences, and letters for the rejected.
/// Borrows from the batch; not copyable, so that nothing points into a copy.
struct LanePlan {
  LanePlan() = default;
  LanePlan(LanePlan&&) = default;
  LanePlan& operator=(LanePlan&&) = default;

  std::vector<Routed> routed;
  std::vector<FenceMove> moves;
  std::vector<DeadLetter> letters;
  std::uint64_t skipped = 0;

  /// Where replayed messages first came from; a deque, so that `routed` may point into it.
  struct Origin {
    TopicPartition source;
    Route route;
  };
  std::deque<Origin> origins;
};

struct PlanContext {
  const std::string& lane;
  const OwnedPartitions& owned;
  const RefusedRows& refused_rows;
  PayloadReader& reader;
  const RouteOf& route_of;
  ReceivedAt now;
  /// Steps of a write that is on its way: the plan is for the fences as they are if it lands.
  std::span<const FenceMove> landing{};
};

/// Decodes, routes and numbers a batch against the fences of `context.owned`. Messages that the
/// fences have passed, and runs of partitions or fetches that are no longer ours, are skipped.
LanePlan plan_batch(const MessageBatch& batch, const PlanContext& context);

}  // namespace signalbox
