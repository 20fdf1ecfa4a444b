#include "app/lane_service.hpp"

#include <condition_variable>
#include <cstdlib>
#include <thread>

#include "app/command.hpp"
#include "base/log.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kRateSeconds = 10;

/// From the signal to the process's end, a second less than it may take.
constexpr std::chrono::seconds kStopMax{9};
constexpr std::chrono::seconds kStopToldEvery{3};
static_assert(kStopMax % kStopToldEvery == std::chrono::seconds{0});

}  // namespace

LaneService::LaneService(HttpServer::Options http)
    : started_(clock_.now()), metrics_(registry_), http_(std::move(http)) {}

LaneService::~LaneService() {
  http_.stop();
  end_lanes();
}

void LaneService::add_lane(const std::string& name, Urgency urgency,
                           const std::function<LaneParts()>& make) {
  lanes_.push_back(std::make_unique<LaneUnit>(make, urgency, clock_, lane_delays(registry_, name)));
}

void LaneService::start_http() {
  http_.get("/health", [this](const HttpRequest&) { return health_answer(view()); });
  http_.get("/diagnostic", [this](const HttpRequest&) { return diagnostic_answer(view()); });
  http_.get("/live", [](const HttpRequest&) {
    return HttpResponse{.status = 200, .body = R"({"status": "alive"})"};
  });
  http_.get("/metrics", [this](const HttpRequest&) { return metrics_answer(); });
  http_.post("/gaps/acknowledge", [this](const HttpRequest&) {
    for (const auto& lane : lanes_) lane->acknowledge_gaps();
    log_warn("gaps_acknowledged");
    return HttpResponse{.status = 202, .body = R"({"status": "accepted"})"};
  });
  http_.start();
  log_info("http_listening", {{"port", http_.port()}});
}

HttpResponse LaneService::metrics_answer() {
  const std::lock_guard lock{metrics_mutex_};
  metrics_.update(view());
  if (update_metrics_) update_metrics_();
  return {.status = 200,
          .body = registry_.text(),
          .content_type = "text/plain; version=0.0.4; charset=utf-8"};
}

ServiceView LaneService::view() const {
  ServiceView view{.phase = phase_, .started = started_, .now = clock_.now(), .lanes = {}};
  const std::vector<double> rates = rates_.copy();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const LaneUnit& lane = *lanes_[i];
    view.lanes.push_back({.status = lane.status(),
                          .source = lane.source(),
                          .delays = lane.delays(),
                          .sink_name = lane.sink_name(),
                          .log_name = lane.log_name(),
                          .received_per_second = i < rates.size() ? rates[i] : 0.0});
  }
  if (fill_view_) fill_view_(view);
  return view;
}

/// The rate is that of the last ten seconds: a lifetime's average hides what happens now.
void LaneService::sample_rates() {
  Sample now{.at = clock_.steady_now(), .received = {}};
  for (const auto& lane : lanes_) now.received.push_back(lane->status().counters.received);
  samples_.push_back(std::move(now));
  if (samples_.size() > kRateSeconds + 1) samples_.pop_front();
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  const double seconds = std::chrono::duration<double>(last.at - first.at).count();
  std::vector<double> rates;
  for (std::size_t i = 0; i < last.received.size(); ++i) {
    const auto received = static_cast<double>(last.received[i] - first.received[i]);
    rates.push_back(seconds > 0 ? received / seconds : 0.0);
  }
  rates_.set(std::move(rates));
}

void LaneService::run(ShutdownSignals& signals,
                      const std::function<void(const ServiceView&)>& each_second) {
  while (!signals.wait_for(std::chrono::seconds{1})) {
    sample_rates();
    if (each_second) each_second(view());
  }
  phase_ = ServicePhase::Stopping;
  signals.let_the_next_one_kill();
  log_info("stopping");
  limit_the_stop();
  for (const auto& lane : lanes_) lane->request_stop();
  for (const auto& lane : lanes_) lane->join();
  http_.stop();  // it asks the lanes
  end_lanes();
  log_info("stopped");
}

/// What a lane holds may take a while to close, so all do it at once.
void LaneService::end_lanes() {
  std::vector<std::unique_ptr<LaneUnit>> lanes;
  {
    const std::lock_guard lock{lanes_end_};
    std::swap(lanes, lanes_);
  }
  std::vector<std::jthread> ending;
  ending.reserve(lanes.size());
  for (std::unique_ptr<LaneUnit>& lane : lanes) {
    ending.emplace_back([&lane] { lane.reset(); });
  }
}

/// Whom the stop waits for, lane by lane.
std::string LaneService::unfinished() {
  const std::lock_guard lock{lanes_end_};
  std::string all;
  for (const auto& lane : lanes_) {
    const std::string one = lane->waits_for();
    if (!one.empty()) all += (all.empty() ? "" : "; ") + one;
  }
  return all.empty() ? "connections to close" : all;
}

/// A server that does not answer may hold a lane for longer than a container is given to stop. To
/// be cut short costs what a crash costs, which is nothing: the fences have not moved.
void LaneService::limit_the_stop() {
  stop_limit_ = std::jthread{[this](const std::stop_token& ended) {
    std::mutex mutex;
    std::condition_variable_any waiting;
    std::unique_lock lock{mutex};
    for (std::chrono::seconds passed{0}; passed < kStopMax; passed += kStopToldEvery) {
      waiting.wait_for(lock, ended, kStopToldEvery, [] { return false; });
      if (ended.stop_requested()) return;
      log_info("stop_waits", {{"for", unfinished()}});
    }
    log_error(
        "stop_cut_short",
        {{"after_s", kStopMax.count()},
         {"detail", "a server did not answer; what was in hand is delivered after the start"}});
    std::_Exit(exit_status::kFailed);
  }};
}

}  // namespace signalbox
