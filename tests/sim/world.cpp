#include "sim/world.hpp"

#include <algorithm>
#include <utility>

namespace signalbox::sim {
namespace {

constexpr Micros kProductionLasts = 12 * kSecond;
constexpr Micros kFaultsEnd = 30 * kSecond;
constexpr Micros kLivenessBound = 90 * kSecond;
constexpr Micros kDrainBound = 20 * kSecond;
constexpr std::size_t kProcessesMax = 24;

}  // namespace

World::World(std::uint64_t seed, Verbosity verbosity) : Ground(seed, verbosity) {
  latency_max_ = random_.chance(80) ? 3 * kMillisecond : 60 * kMillisecond;
  first_start_ = random_.chance(70) ? StartAt::Earliest : StartAt::Latest;
  poll_limits_.messages = static_cast<std::size_t>(random_.between(2, 25));
  poll_limits_.partitions = static_cast<std::size_t>(random_.between(1, 20));
  keeps_held_messages_ = random_.chance(50);
  coalesces_ = random_.chance(50);
  poison_percent_ = static_cast<int>(random_.between(0, 20));
  if (random_.chance(25)) storm_percent_ = static_cast<int>(random_.between(1, 3));
  targets_ = draw_targets(random_);
  for (const Target& target : targets_) {
    if (target.step == Step::PutLetters) poison_percent_ = std::max(poison_percent_, 15);
  }
}

World::~World() = default;

Result World::run() {
  make_topics();
  plan_production();
  plan_snapshots();
  const std::int64_t replicas = random_.between(1, 3);
  for (std::int64_t i = 0; i < replicas; ++i) {
    scheduler_.at(random_.between(0, 2 * kSecond), [this] { start_process(); });
  }
  start_coordinator();
  run_until(kFaultsEnd);
  heal();
  if (result_.violation.empty() && run_to_the_end()) end_everybody();
  is_ending_ = true;
  is_over_ = true;
  for (const auto& process : processes_) {  // whoever still runs is unwound
    process->is_dead = true;
    scheduler_.wake(process->fiber, now());
  }
  while (std::ranges::any_of(processes_, [](const auto& p) { return !p->is_done; }) &&
         scheduler_.run_one()) {
  }
  result_.messages = log_.messages().size();
  result_.lasted = now();
  return result_;
}

void World::make_topics() {
  std::vector<TopicPartition> names;
  if (coalesces_) {
    names = {{"market.data.btcusdc.1m", 0},
             {"market.data.btcusdc.1m", 1},
             {"market.data.ethusdc.1h", 0},
             {"market.data.ethusdc", 0},
             {"market.data.solusdc.5m", 0}};
  } else {
    names = {
        {"signals", 0}, {"signals", 1}, {"orders", 0}, {"executions", 0}, {"signals.filtered", 0}};
  }
  const auto count = static_cast<std::size_t>(random_.between(1, 5));
  for (std::size_t i = 0; i < count; ++i) log_.add_partition(names[i], 0);
}

void World::plan_production() {
  const std::int64_t before = random_.between(0, 20);
  for (std::int64_t i = 0; i < before; ++i) produce_one(random_.below(log_.size()));
  const std::int64_t bursts = random_.between(3, 30);
  for (std::int64_t i = 0; i < bursts; ++i) {
    scheduler_.at(random_.between(0, kProductionLasts), [this] {
      const PartitionId partition = random_.below(log_.size());
      const std::int64_t size = random_.between(1, 8);
      for (std::int64_t n = 0; n < size; ++n) produce_one(partition);
    });
  }
  // Some come late, so that whoever went wrong has something to do.
  const std::int64_t late = random_.between(0, 6);
  for (std::int64_t i = 0; i < late; ++i) {
    scheduler_.at(random_.between(kProductionLasts, kFaultsEnd),
                  [this] { produce_one(random_.below(log_.size())); });
  }
}

void World::produce_one(PartitionId partition) {
  Content content = Content::Good;
  if (random_.chance(poison_percent_)) {
    content = random_.chance(60) ? Content::Poison : Content::RefusedBySink;
  }
  // Producers' clocks differ a little.
  const EventTime timestamp =
      utc_now() +
      std::chrono::milliseconds{random_.chance(20) ? random_.between(-2'000, 2'000) : 0};
  SimMessage& message =
      log_.produce(partition, timestamp, content, "key" + std::to_string(random_.between(0, 3)));
  oracle_.produced(message);
  trace("produced", -1, static_cast<int>(partition), message.offset.value, message.id);
}

void World::plan_snapshots() {
  const std::int64_t count = random_.between(1, 6);
  for (std::int64_t i = 0; i < count; ++i) {
    scheduler_.at(random_.between(kSecond, kFaultsEnd), [this] { store_.take_snapshot(); });
  }
}

void World::start_process() {
  if (is_ending_ || processes_.size() >= kProcessesMax) return;
  const int id = static_cast<int>(processes_.size());
  processes_.push_back(std::make_unique<Process>(*this, id));
  Process& process = *processes_.back();
  process.utc_jump = random_.between(-500, 500) * kMillisecond;
  LaneOptions options;
  options.name = "simulated";
  options.first_start = first_start_;
  options.poll = poll_limits_;
  options.seed = random_.next();
  process.lane = std::make_unique<DeliveryLane>(
      DeliveryLane::Io{process.source, process.sink, process.letters, process.reader, process.clock,
                       process.delays},
      options);
  trace("starts", id);
  process.fiber = scheduler_.spawn([this, &process] { life_of(process); });
  group_.join(process);
}

void World::life_of(Process& process) {
  try {
    process.lane->run(process.stop.get_token());
    process.source.flush_commits();
    group_.leave(process);
    trace("ends", process.id);
  } catch (const Crashed&) {
    trace("crashed", process.id);
  }
  process.is_done = true;
}

void World::start_again(Micros after) {
  scheduler_.at(now() + after, [this] { start_process(); });
}

void World::heal() {
  is_healed_ = true;
  targets_.clear();
  storm_percent_ = 0;
  trace("no more faults");
}

/// Everything that is owed must be delivered within a bounded time after the last fault.
bool World::run_to_the_end() {
  const Micros deadline = now() + kLivenessBound;
  while (result_.violation.empty()) {
    run_until(now() + kSecond);
    const SimMessage* owed = oracle_.owed();
    if (owed == nullptr) break;
    if (now() >= deadline) {
      fail("message " + std::to_string(owed->id) + " (" +
           log_.partition(owed->partition).name.topic + "/" +
           std::to_string(log_.partition(owed->partition).name.partition) + " offset " +
           std::to_string(owed->offset.value) + ") is still not delivered");
    }
  }
  run_until(now() + 3 * kSecond);  // what is late may still do harm
  return result_.violation.empty();
}

void World::end_everybody() {
  is_ending_ = true;
  for (const auto& process : processes_) {
    process->stop.request_stop();
    if (!process->is_done) scheduler_.wake(process->fiber, now());
  }
  const Micros deadline = now() + kDrainBound;
  const auto all_done = [&] {
    return std::ranges::all_of(processes_, [](const auto& process) { return process->is_done; });
  };
  while (!all_done() && now() < deadline && result_.violation.empty()) run_until(now() + kSecond);
  if (!all_done() && result_.violation.empty()) fail("a lane does not end after a stop");
  if (oracle_.owed() != nullptr && result_.violation.empty()) fail("something was lost at the end");
}

}  // namespace signalbox::sim
