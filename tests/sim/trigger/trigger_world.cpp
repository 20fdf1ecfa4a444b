#include "sim/trigger/trigger_world.hpp"

#include <algorithm>
#include <utility>

#include "sim/trigger/scale.hpp"

namespace signalbox::sim {
namespace {

constexpr Micros kProductionLasts = 25 * kSecond;
constexpr Micros kFaultsEnd = 40 * kSecond;
constexpr Micros kLivenessBound = 240 * kSecond;
constexpr Micros kDrainBound = 20 * kSecond;
constexpr std::size_t kReplicasMax = 16;

constexpr std::array<const char*, 4> kTickers{"AAPL", "MSFT", "NVDA", "TSLA"};

std::expected<Route, Reject> signal_route(std::string_view topic) {
  return Route{.kind = Kind::TriggerSignal,
               .topic = std::string(topic),
               .symbol = {},
               .timeframe = std::nullopt,
               .channels = {}};
}

}  // namespace

TriggerWorld::TriggerWorld(std::uint64_t seed, Verbosity verbosity) : Ground(seed, verbosity) {
  latency_max_ = random_.chance(80) ? 3 * kMillisecond : 60 * kMillisecond;
  keeps_held_messages_ = random_.chance(50);
  poll_limits_.messages = static_cast<std::size_t>(random_.between(1, 12));
  // So that batches are many calls, and some signals too large for one.
  if (random_.chance(50)) call_limits_.tasks = static_cast<std::size_t>(random_.between(1, 5));
  if (random_.chance(25)) storm_percent_ = static_cast<int>(random_.between(1, 2));
  executions_.set_skew(random_.between(-kSkewMax, kSkewMax));
  targets_ = draw_trigger_targets(random_);
  // Claims are given back for a row in the ledger where no result tells.
  const bool must_release = std::ranges::any_of(
      targets_, [](const TriggerTarget& target) { return target.step == TriggerStep::Release; });
  leaves_results_ = random_.chance(must_release ? 30 : 70);
}

TriggerWorld::~TriggerWorld() = default;

Result TriggerWorld::run() {
  const std::int64_t partitions = random_.between(1, 4);
  for (std::int32_t i = 0; i < partitions; ++i) log_.add_partition({"trading-signals", i}, 0);
  make_pipelines();
  plan_production();
  const std::int64_t replicas = random_.between(1, 3);
  for (std::int64_t i = 0; i < replicas; ++i) {
    scheduler_.at(random_.between(0, 2 * kSecond), [this] { start_replica(); });
  }
  start_coordinator();
  scheduler_.at(0, [this] {
    workers_.start(static_cast<std::size_t>(random_.between(1, 3)), leaves_results_);
    keep_house();
  });
  run_until(kFaultsEnd);
  heal();
  if (result_.violation.empty() && run_to_the_end()) end_everybody();
  is_ending_ = true;
  is_over_ = true;
  for (const auto& replica : replicas_) {  // whoever still runs is unwound
    replica->is_dead = true;
    replica->paused_until = 0;
    scheduler_.wake(replica->fiber, now());
    scheduler_.wake(replica->keeper_fiber, now());
  }
  while (std::ranges::any_of(replicas_, [](const auto& r) { return !r->is_gone(); }) &&
         scheduler_.run_one()) {
  }
  result_.messages = log_.messages().size();
  result_.lasted = now();
  return result_;
}

void TriggerWorld::make_pipelines() {
  const std::int64_t count = random_.between(1, 4);
  for (std::int64_t i = 0; i < count; ++i) {
    SimPipeline& made = pipelines_.emplace_back();
    made.pipeline.id.bytes[15] = static_cast<std::uint8_t>(i);
    made.pipeline.user = Uuid{};
    made.pipeline.name = "pipeline";
    for (const char* ticker : kTickers) {
      if (random_.chance(60)) made.pipeline.tickers.emplace_back(ticker);
    }
    if (random_.chance(30)) {
      made.pipeline.subscriptions.push_back(
          {.signal_type = "golden_cross", .timeframe = {}, .min_confidence = std::nullopt});
    }
    const std::int64_t policy = random_.between(0, 2);
    if (policy == 1) made.pipeline.busy = BusyRule{BusyPolicy::KeepLatest, 1};
    if (policy == 2) {
      made.pipeline.busy =
          BusyRule{BusyPolicy::Queue, static_cast<std::uint16_t>(random_.between(1, 3))};
    }
    made.changes.push_back({-1'000 * kSecond, true});
  }
  rebuild_index();
}

void TriggerWorld::rebuild_index() {
  std::vector<Pipeline> active;
  for (const SimPipeline& made : pipelines_) {
    if (made.is_active()) active.push_back(made.pipeline);
  }
  index_ = std::make_shared<const PipelineIndex>(active);
}

void TriggerWorld::plan_production() {
  const std::int64_t before = random_.between(0, 5);
  for (std::int64_t i = 0; i < before; ++i) produce_one();
  const std::int64_t bursts = random_.between(3, 16);
  for (std::int64_t i = 0; i < bursts; ++i) {
    scheduler_.at(random_.between(0, kProductionLasts), [this] {
      const std::int64_t size = random_.between(1, 4);
      for (std::int64_t n = 0; n < size; ++n) produce_one();
    });
  }
  const std::int64_t late = random_.between(0, 4);
  for (std::int64_t i = 0; i < late; ++i) {
    scheduler_.at(random_.between(kProductionLasts, kFaultsEnd), [this] { produce_one(); });
  }
}

void TriggerWorld::produce_one() {
  const PartitionId partition = random_.below(log_.size());
  if (!signals_.empty() && random_.chance(8)) {
    return produce(partition, signals_[random_.below(signals_.size())]);
  }
  SimSignal fresh;
  if (random_.chance(85)) fresh.name = "s" + std::to_string(signals_.size());
  fresh.signal.type = random_.chance(70) ? "golden_cross" : "rsi_oversold";
  for (const char* ticker : kTickers) {
    if (random_.chance(35)) fresh.tickers.emplace_back(ticker);
  }
  produce(partition, fresh);
}

/// Another message with the same signal, or its first one.
void TriggerWorld::produce(PartitionId partition, const SimSignal& like) {
  SimSignal& made = signals_.emplace_back();
  made.name = like.name;
  made.tickers = like.tickers;
  made.signal.type = like.signal.type;
  made.signal.id = made.name;
  for (const std::string& ticker : made.tickers) {
    made.signal.tickers.emplace_back().ticker = ticker;
  }
  const EventTime timestamp =
      utc_now() + std::chrono::milliseconds{random_.between(-kSkewMax, kSkewMax) / kMillisecond};
  const SimMessage& message = log_.produce(partition, timestamp, Content::Good, "key");
  made.message = message.id;
  const TopicPartition& name = log_.partition(partition).name;
  made.key = !made.name.empty() ? made.name
                                : name.topic + "/" + std::to_string(name.partition) + "/" +
                                      std::to_string(message.offset.value);
  trace("produced", -1, static_cast<int>(partition), message.offset.value, message.id);
}

SimSignal& TriggerWorld::signal_of(std::string_view payload) {
  return signals_[log_.message_of(payload).id];
}

void TriggerWorld::switch_off_and_on() {
  SimPipeline& chosen = pipelines_[random_.below(pipelines_.size())];
  if (!chosen.is_active()) return;
  chosen.changes.push_back({now(), false});
  rebuild_index();
  trace("switched off", -1, -1, chosen.pipeline.id.bytes[15]);
  scheduler_.at(now() + random_.between(1, 25) * kSecond, [this, &chosen] {
    chosen.changes.push_back({now(), true});
    rebuild_index();
  });
}

void TriggerWorld::start_replica() {
  if (is_ending_ || replicas_.size() >= kReplicasMax) return;
  const int id = static_cast<int>(replicas_.size());
  LaneOptions options;
  options.name = "trigger";
  options.first_start = StartAt::Earliest;
  options.route_of = signal_route;
  options.rewind_when_forgotten = kSignalMaxAge;
  options.poll = poll_limits_;
  options.poll_wait = std::chrono::milliseconds{600};
  options.seed = random_.next();
  replicas_.push_back(std::make_unique<Replica>(*this, id, options));
  Replica& replica = *replicas_.back();
  replica.utc_jump = random_.between(-kSkewMax, kSkewMax);
  trace("starts", id);
  replica.fiber = scheduler_.spawn([this, &replica] { life_of_lane(replica); });
  replica.keeper_fiber = scheduler_.spawn([this, &replica] { life_of_keeper(replica); });
  keep_view_fresh(replica);
  group_.join(replica);
}

void TriggerWorld::life_of_lane(Replica& replica) {
  try {
    replica.lane.run(replica.stop.get_token());
    oracle_.check_counters(replica);
    replica.source.flush_commits();
    group_.leave(replica);
    trace("ends", replica.id);
  } catch (const Crashed&) {
    trace("crashed", replica.id);
  }
  replica.is_done = true;
}

void TriggerWorld::life_of_keeper(Replica& replica) {
  try {
    replica.keeper.run(replica.stop.get_token());
  } catch (const Crashed&) {
    trace("keeper crashed", replica.id);
  }
  replica.keeper_is_done = true;
}

/// A whole reload now and then; some fail.
void TriggerWorld::keep_view_fresh(Replica& replica) {
  if (is_over_ || replica.is_dead) return;
  if (!replica.is_paused() && (is_healed_ || random_.chance(80))) replica.see_pipelines();
  scheduler_.at(now() + random_.between(500, 6'000) * kMillisecond,
                [this, &replica] { keep_view_fresh(replica); });
}

void TriggerWorld::keep_house() {
  if (is_over_) return;
  executions_.clean();
  scheduler_.at(now() + 3 * kSecond, [this] { keep_house(); });
}

void TriggerWorld::heal() {
  is_healed_ = true;
  targets_.clear();
  storm_percent_ = 0;
  trace("no more faults");
}

bool TriggerWorld::run_to_the_end() {
  const Micros deadline = now() + kLivenessBound;
  while (result_.violation.empty()) {
    run_until(now() + kSecond);
    const std::string owed = oracle_.owed(Owed::SignalsAndTasks);
    if (owed.empty()) break;
    if (now() >= deadline) fail(owed);
  }
  run_until(now() + 2 * kSecond);  // what is late may still do harm
  return result_.violation.empty();
}

void TriggerWorld::end_everybody() {
  is_ending_ = true;
  for (const auto& replica : replicas_) {
    replica->stop.request_stop();
    if (!replica->is_done) scheduler_.wake(replica->fiber, now());
    if (!replica->keeper_is_done) scheduler_.wake(replica->keeper_fiber, now());
  }
  const Micros deadline = now() + kDrainBound;
  const auto all_done = [&] {
    return std::ranges::all_of(replicas_, [](const auto& replica) { return replica->is_gone(); });
  };
  while (!all_done() && now() < deadline && result_.violation.empty()) run_until(now() + kSecond);
  if (!all_done() && result_.violation.empty()) fail("a replica does not end after a stop");
  if (const std::string owed = oracle_.owed(Owed::Signals); !owed.empty())
    fail("at the end: " + owed);
}

}  // namespace signalbox::sim
