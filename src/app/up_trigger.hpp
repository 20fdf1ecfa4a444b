#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "adapters/embedded_task_queue.hpp"
#include "adapters/http_server.hpp"
#include "adapters/sqlite_executions.hpp"
#include "adapters/sqlite_pipelines.hpp"
#include "adapters/sqlite_runs.hpp"
#include "app/lane_report.hpp"
#include "app/lane_service.hpp"
#include "app/trigger_report.hpp"
#include "app/up_parts.hpp"
#include "app/up_worker.hpp"
#include "base/guarded.hpp"
#include "services/pipeline_keeper.hpp"
#include "services/slot_keeper.hpp"
#include "services/trigger_desk.hpp"

namespace signalbox {

/// The trigger of `signalbox up`, on embedded parts: the platform's tables with a few pipelines,
/// the task queue and two workers, each in the data directory. In the order in which they must
/// come and go; outlives the service whose lane works with it.
class UpTrigger {
 public:
  /// Makes and fills the tables where they are missing. Throws IoError.
  UpTrigger(EmbeddedParts& parts, MetricsRegistry& registry);

  /// The lane, what /health and the others tell of it, and `GET /runs`. Before start_http().
  void add_to(LaneService& service);

  void start();
  void request_stop();

  TriggerCounters counters() const { return tally_.copy(); }
  Guarded<WorkDone>& done() { return done_; }

 private:
  LaneParts make_lane();
  TriggerView view() const;
  HttpResponse runs_answer(const HttpRequest& request);
  void run_sweep(std::stop_token stop);

  EmbeddedParts& parts_;
  SqliteOptions platform_;
  TriggerRules rules_;
  TriggerMetrics metrics_;
  TriggerTally tally_;
  CurrentPipelines pipelines_;
  QueryBudget budget_;  // the lane's thread only
  EmbeddedTasks tasks_;
  EmbeddedTaskQueue queue_;  // the lane's thread only
  SqliteRuns runs_;          // likewise
  SqlitePipelines store_;
  PipelineKeeper keeper_;
  EmbeddedTaskQueue sweep_queue_;
  SqliteRuns sweep_runs_;
  SlotKeeper sweep_;
  Guarded<std::optional<QueueReport>> queue_report_;
  Guarded<WorkDone> done_;
  std::list<UpWorker> workers_;
  std::mutex executions_mutex_;
  SqliteExecutions executions_;      // for who asks over HTTP
  std::list<std::jthread> threads_;  // last: end before what they use goes away
};

}  // namespace signalbox
