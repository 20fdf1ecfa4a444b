#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "adapters/wire_json.hpp"
#include "contract/test_batch.hpp"
#include "services/delivery_lane.hpp"
#include "sim/random.hpp"
#include "stack/fault_proxy.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace signalbox {

/// Makes a sink that reaches its server through this port of loopback.
using MakeSink = std::function<std::unique_ptr<Sink>(std::uint16_t port)>;

/// One process with a lane of the product, a real sink behind a proxy, and its share of the log.
class FaultyReplica {
 public:
  FaultyReplica(const std::string& host, std::uint16_t port, MakeSink make_sink);

  void step();

  /// kill -9, and a start: what it held and its connection are gone.
  void crash();

  Outside outside;
  MemoryLog log{outside};
  MemoryDeadLetters letters{outside};
  FaultProxy proxy;
  std::set<TopicPartition> owned;

 private:
  MakeSink make_sink_;
  std::unique_ptr<Sink> sink_;
  JsonPayloadReader reader_;
  ManualClock clock_;
  LatencySummary delays_;
  std::unique_ptr<DeliveryLane> lane_;
};

/// Two replicas share a few partitions of candles while harm is done to them at random: the same
/// seed draws the same actions.
class FaultScenario {
 public:
  struct Options {
    std::string host;
    std::uint16_t port;
    std::string word;  ///< in every symbol
    MakeSink make_sink;
    /// A member of the payload that makes the sink refuse its row for ever; empty: none does.
    std::string refused_member;
  };

  FaultScenario(std::uint64_t seed, Options options);

  /// Plays the seed to its end. False when something is still not delivered then.
  bool run();

  /// What the sink must have got, by partition and in order.
  const std::map<TopicPartition, std::vector<Offset>>& expected() const { return expected_; }

  /// The keys of the letters that there must be, and of those that there are.
  const std::set<std::string>& expected_letters() const { return expected_letters_; }
  std::set<std::string> letters() const;

  std::array<int, kHarms> harms_done() const;

 private:
  void act();
  void produce();
  void move_partition();
  FaultyReplica& any_replica();
  bool is_finished();

  Options options_;
  sim::Random random_;
  std::vector<TopicPartition> partitions_;
  std::vector<std::unique_ptr<FaultyReplica>> replicas_;
  std::map<TopicPartition, std::vector<Offset>> expected_;
  std::set<std::string> expected_letters_;
  std::unique_ptr<Sink> observer_;  ///< past the proxies
};

}  // namespace signalbox
