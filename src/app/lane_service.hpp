#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "adapters/http_server.hpp"
#include "adapters/system_clock.hpp"
#include "app/lane_metrics.hpp"
#include "app/lane_report.hpp"
#include "app/lane_unit.hpp"
#include "app/shutdown_signals.hpp"
#include "base/guarded.hpp"
#include "base/metrics.hpp"

namespace signalbox {

/// A process that runs lanes and answers for them over HTTP: the dispatcher, and the lanes of
/// `signalbox up`. Used from one thread; its HTTP handlers run on the server's.
class LaneService {
 public:
  explicit LaneService(HttpServer::Options http);
  ~LaneService();

  /// Starts a lane; throws what `make` throws.
  void add_lane(const std::string& name, Urgency urgency, const std::function<LaneParts()>& make);

  /// What the service has beside its lanes: filled in for every answer and every scrape, by the
  /// threads of HTTP and of run(). Before start_http().
  void add_to_view(std::function<void(ServiceView&)> fill) { fill_view_ = std::move(fill); }
  void add_to_metrics(std::function<void()> update) { update_metrics_ = std::move(update); }
  MetricsRegistry& metrics() { return registry_; }

  /// Serves HTTP; the paths of every service. Throws IoError when the port is taken.
  void start_http();
  HttpServer& http() { return http_; }

  /// Until a shutdown signal: `each_second` is called about once a second. Then stops every lane,
  /// each finishing the batch in hand. From then on the process ends within 10 s, whatever servers
  /// do not answer.
  void run(ShutdownSignals& signals, const std::function<void(const ServiceView&)>& each_second);

  ServiceView view() const;

 private:
  struct Sample {
    std::chrono::steady_clock::time_point at;
    std::vector<std::uint64_t> received;
  };

  void sample_rates();
  void end_lanes();
  void limit_the_stop();
  std::string unfinished();
  HttpResponse metrics_answer();

  std::vector<std::unique_ptr<LaneUnit>> lanes_;  // fixed from before HTTP starts to after its end
  std::mutex lanes_end_;                          // between their end and who watches over the stop
  std::jthread stop_limit_;                       // watches over the end of all that follows
  SystemClock clock_;
  ReceivedAt started_;
  MetricsRegistry registry_;
  std::mutex metrics_mutex_;  // LaneMetrics is used by one scrape at a time
  LaneMetrics metrics_;
  std::atomic<ServicePhase> phase_ = ServicePhase::Running;
  std::deque<Sample> samples_;
  Guarded<std::vector<double>> rates_;
  std::function<void(ServiceView&)> fill_view_;
  std::function<void()> update_metrics_;
  HttpServer http_;  // last: stops answering before what it asks goes away
};

}  // namespace signalbox
