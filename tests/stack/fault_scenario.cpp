#include "stack/fault_scenario.hpp"

#include <algorithm>
#include <utility>

#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr int kActions = 30;
constexpr int kStepsToFinish = 300;

std::string candle(const TopicPartition& source, Offset offset, std::string_view volume) {
  std::string symbol = source.topic.substr(std::string_view{"market.data."}.size());
  symbol.resize(symbol.find('.'));
  for (char& c : symbol) c = (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  const auto open_time = open_time_at(offset).time_since_epoch().count();
  return R"({"symbol": ")" + symbol + R"(", "timeframe": "1m", "time": )" +
         std::to_string(open_time) +
         R"(, "open": 10.5, "high": 12, "low": 9, "close": 11, "is_closed": true, "volume": )" +
         std::string(volume) + "}";
}

}  // namespace

FaultyReplica::FaultyReplica(const std::string& host, std::uint16_t port, MakeSink make_sink)
    : proxy(host, port), make_sink_(std::move(make_sink)) {
  clock_.advance(std::chrono::years{3});  // later than the candles, which are of 2025
  crash();
}

void FaultyReplica::step() {
  lane_->step();
  clock_.advance(std::chrono::milliseconds{100});
}

void FaultyReplica::crash() {
  lane_.reset();
  sink_ = make_sink_(proxy.port());
  lane_ = std::make_unique<DeliveryLane>(
      DeliveryLane::Io{log, *sink_, letters, reader_, clock_, delays_},
      LaneOptions{.name = "faults", .poll = {.messages = 12}});
  for (const TopicPartition& partition : owned) {
    log.lose(partition);
    log.assign(partition);
  }
}

FaultScenario::FaultScenario(std::uint64_t seed, Options options)
    : options_(std::move(options)), random_(seed) {
  for (int i = 0; i < 2; ++i) {
    replicas_.push_back(
        std::make_unique<FaultyReplica>(options_.host, options_.port, options_.make_sink));
  }
  for (int i = 0; i < 3; ++i) {
    partitions_.push_back(candle_source_at(options_.word, i));
    for (const auto& replica : replicas_) replica->log.create(partitions_.back());
    replicas_[static_cast<std::size_t>(i) % 2]->log.assign(partitions_.back());
    replicas_[static_cast<std::size_t>(i) % 2]->owned.insert(partitions_.back());
  }
  observer_ = options_.make_sink(options_.port);
}

bool FaultScenario::run() {
  for (int i = 0; i < kActions; ++i) act();
  for (const auto& replica : replicas_) {
    replica->proxy.spare();
    replica->proxy.release_held();
  }
  for (int i = 0; i < kStepsToFinish; ++i) {
    for (const auto& replica : replicas_) replica->step();
    if (i % 5 == 4 && is_finished()) return true;
  }
  return false;
}

void FaultScenario::act() {
  FaultyReplica& replica = any_replica();
  switch (random_.below(12)) {
    case 0:
    case 1:
    case 2:
      produce();
      break;
    case 3:
    case 4:
    case 5:
      replica.proxy.harm_after(static_cast<int>(random_.below(3)),
                               static_cast<Harm>(random_.below(kHarms)));
      break;
    case 6:
      move_partition();
      break;
    case 7:
      replica.proxy.release_held();
      break;
    case 8:
      if (random_.chance(30)) replica.crash();
      break;
    case 9:
      if (random_.chance(30)) replica.proxy.cut();
      break;
    default:
      break;
  }
  const std::int64_t steps = random_.between(0, 4);
  for (std::int64_t i = 0; i < steps; ++i) any_replica().step();
}

void FaultScenario::produce() {
  const TopicPartition& partition = partitions_[random_.below(partitions_.size())];
  const std::int64_t count = random_.between(1, 6);
  for (std::int64_t i = 0; i < count; ++i) {
    const Offset offset = replicas_.front()->log.end(partition);
    std::string payload = candle(partition, offset, "1.25");
    bool is_good = true;
    if (random_.chance(8)) {
      payload = "{";
      is_good = false;
    } else if (!options_.refused_member.empty() && random_.chance(8)) {
      payload = candle(partition, offset, options_.refused_member);
      is_good = false;
    }
    // Each replica has its own copy of the same log.
    for (const auto& replica : replicas_) replica->log.produce(partition, payload);
    if (is_good) {
      expected_[partition].push_back(offset);
    } else {
      expected_letters_.insert("faults|" + partition.topic + "|" +
                               std::to_string(partition.partition) + "|" +
                               std::to_string(offset.value));
    }
  }
}

void FaultScenario::move_partition() {
  const TopicPartition& partition = partitions_[random_.below(partitions_.size())];
  const std::size_t from = replicas_[0]->owned.contains(partition) ? 0 : 1;
  replicas_[from]->owned.erase(partition);
  replicas_[1 - from]->owned.insert(partition);
  replicas_[from]->log.lose(partition);
  replicas_[1 - from]->log.assign(partition);
}

FaultyReplica& FaultScenario::any_replica() { return *replicas_[random_.below(2)]; }

/// The sink's fences say that every message has been dealt with.
bool FaultScenario::is_finished() {
  const FenceMap fences = observer_->read_fences(partitions_);
  return std::ranges::all_of(partitions_, [&](const TopicPartition& partition) {
    const auto fence = fences.find(partition);
    return fence != fences.end() && fence->second.next == replicas_.front()->log.end(partition);
  });
}

std::set<std::string> FaultScenario::letters() const {
  std::set<std::string> keys;
  for (const auto& replica : replicas_) {
    keys.insert(replica->letters.keys.begin(), replica->letters.keys.end());
  }
  return keys;
}

std::array<int, kHarms> FaultScenario::harms_done() const {
  std::array<int, kHarms> sum{};
  for (const auto& replica : replicas_) {
    const auto done = replica->proxy.done();
    for (std::size_t i = 0; i < kHarms; ++i) sum[i] += done[i];
  }
  return sum;
}

}  // namespace signalbox
