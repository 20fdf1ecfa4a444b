#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ports/payload_reader.hpp"
#include "ports/sink.hpp"
#include "services/delivery_lane.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace signalbox {

/// What the next write meets, instead of being committed.
enum class Next { LostBefore, LostAfter, Unavailable };

/// A fenced sink in memory. It keeps payloads and fences together, and may forget both.
class FakeSink final : public Sink {
 public:
  struct Contents {
    FenceMap fences;
    std::vector<std::string> payloads;
  };

  explicit FakeSink(Outside& outside) : outside_(outside) {}

  FenceMap read_fences(std::span<const TopicPartition> partitions) override {
    ++reads;
    if (outside_.fails_now()) throw IoError("redis", "planned");
    FenceMap found;
    for (const TopicPartition& partition : partitions) {
      const auto fence = contents.fences.find(partition);
      if (fence != contents.fences.end()) found.insert(*fence);
    }
    return found;
  }

  WriteOutcome write(const WriteBatch& batch) override {
    if (!unwilling.empty()) return Unavailable{unwilling};
    if (outside_.fails_now()) next.push_back(how_it_fails);
    const auto meets = next.empty() ? std::nullopt : std::optional{next.front()};
    if (meets) next.pop_front();
    if (while_writing) std::exchange(while_writing, nullptr)();
    if (batch.meanwhile) batch.meanwhile();
    if (meets == Next::Unavailable) return Unavailable{"planned"};
    if (meets == Next::LostBefore) return Unknown{"planned"};
    WriteOutcome outcome = execute(batch);
    if (meets == Next::LostAfter) return Unknown{"planned"};
    return outcome;
  }

  void ping() override {
    ++pings;
    if (outside_.fails_now()) throw IoError("redis", "planned");
  }

  std::vector<SinkWarning> inspect() override { return warnings; }

  Contents contents;
  std::deque<Next> next;
  Next how_it_fails = Next::Unavailable;  ///< of a write that the outside lets fail
  std::function<void()> while_writing;    ///< happens during the next write
  std::string unwilling;                  ///< says so to each write
  std::set<std::string> refused_payloads;
  std::vector<SinkWarning> warnings;
  std::vector<std::uint64_t> seqs;  ///< of the payloads, in order
  std::vector<TopicPartition> sources;
  int reads = 0;
  int pings = 0;
  int refusals = 0;

 private:
  WriteOutcome execute(const WriteBatch& batch) {
    for (const FenceMove& move : batch.moves) {
      const auto held = contents.fences.find(move.partition);
      const bool fits =
          held == contents.fences.end() ? !move.expected : move.expected == held->second;
      if (!fits) {
        ++refusals;
        return Refused{};
      }
    }
    RowsRejected rejected;
    for (std::size_t i = 0; i < batch.messages.size(); ++i) {
      if (!refused_payloads.contains(std::string(batch.messages[i].message->payload))) continue;
      rejected.rows.push_back({i, {RejectReason::RefusedBySink, "planned"}});
    }
    if (!rejected.rows.empty()) return rejected;
    for (const Routed& routed : batch.messages) {
      contents.payloads.emplace_back(routed.message->payload);
      seqs.push_back(routed.seq);
      sources.push_back(*routed.source);
    }
    for (const FenceMove& move : batch.moves) {
      contents.fences.insert_or_assign(move.partition, move.next);
    }
    return Committed{.publishes = batch.messages.size()};
  }

  Outside& outside_;
};

/// Refuses the payload "poison", and "tomorrow" until the clock has passed a day.
class FakeReader final : public PayloadReader {
 public:
  explicit FakeReader(const Clock& clock) : day_after_(clock.now() + std::chrono::hours{24}) {}

  std::expected<Facts, Reject> read(const Route&, const Message& message, ReceivedAt now) override {
    if (message.payload == "poison") {
      return std::unexpected(Reject{RejectReason::NotJson, "planned"});
    }
    if (message.payload == "tomorrow" && now < day_after_) {
      return std::unexpected(Reject{RejectReason::TimeInFuture, "planned"});
    }
    return Facts{};
  }

 private:
  ReceivedAt day_after_;
};

/// A lane and all that it borrows.
struct LaneUnderTest {
  explicit LaneUnderTest(StartAt first_start = StartAt::Earliest) : first_start_(first_start) {}

  /// A lane as a process that starts would make it; the one before is gone with what it held.
  DeliveryLane& restart() {
    lane_.emplace(DeliveryLane::Io{log, sink, letters, reader, clock, delays},
                  LaneOptions{.name = "redis", .first_start = first_start_});
    return *lane_;
  }
  DeliveryLane& lane() { return lane_ ? *lane_ : restart(); }

  /// So many duty cycles, a tenth of a second apart.
  void run(int steps = 12) {
    for (int i = 0; i < steps; ++i) {
      lane().step();
      clock.advance(std::chrono::milliseconds{100});
    }
  }

  const std::vector<std::string>& delivered() const { return sink.contents.payloads; }
  const Fence& fence(const TopicPartition& partition) const {
    return sink.contents.fences.at(partition);
  }
  LaneCounters counters() { return lane().status().counters; }

  Outside outside;
  ManualClock clock;
  MemoryLog log{outside};
  FakeSink sink{outside};
  MemoryDeadLetters letters{outside};
  FakeReader reader{clock};
  LatencySummary delays;

 private:
  StartAt first_start_;
  std::optional<DeliveryLane> lane_;
};

inline const TopicPartition kSignals{"signals", 0};
inline const TopicPartition kOrders{"orders", 0};

}  // namespace signalbox
