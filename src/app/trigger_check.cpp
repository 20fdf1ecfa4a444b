#include "app/trigger_check.hpp"

#include <chrono>
#include <string>

#include "adapters/celery_ping.hpp"
#include "adapters/kafka_probe.hpp"
#include "adapters/postgres_notify.hpp"
#include "adapters/postgres_pipelines.hpp"
#include "adapters/postgres_runs.hpp"
#include "adapters/redis_task_queue.hpp"
#include "app/findings.hpp"
#include "app/trigger_parts.hpp"
#include "domain/pipeline_index.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr std::chrono::milliseconds kPatience{5'000};
constexpr std::chrono::seconds kWorkersAnswerWithin{3};

void check_kafka_broker(const TriggerConfig& config, Findings& findings) {
  const auto found = check_kafka(kafka_connection(config, "signalbox-check"), kPatience);
  if (!found) {
    findings.add(Verdict::Bad, "kafka",
                 config.kafka_servers + ": " + found.error() +
                     " (KAFKA_BOOTSTRAP_SERVERS says where it is)");
    return;
  }
  findings.add(Verdict::Good, "kafka",
               config.kafka_servers + ": " + std::to_string(found->brokers.size()) +
                   " broker(s), cluster " + found->cluster_id);
}

void check_queue(const TriggerConfig& config, Findings& findings) {
  const RedisTaskQueueOptions options = task_queue_options(config, "signalbox-check");
  const std::string place = options.redis.host + ":" + std::to_string(options.redis.port) + "/" +
                            std::to_string(options.redis.database);
  try {
    RedisTaskQueue queue{options};
    queue.ping();
    findings.add(Verdict::Good, "redis", place + " answers");
    for (const SinkWarning& warning : queue.inspect()) {
      const bool is_bad = warning.code == kEvictionWarning && !config.allow_eviction;
      findings.add(is_bad ? Verdict::Bad : Verdict::Warning, "redis",
                   warning.code + ": " + warning.text);
    }
    const std::vector<std::string> workers = ping_workers(options.redis, kWorkersAnswerWithin);
    if (workers.empty()) {
      findings.add(Verdict::Warning, "celery",
                   "no worker answers: tasks in queue `" + config.queue + "` would expire after " +
                       std::to_string(config.task_expires.count() / 1000) + " s");
    } else {
      std::string names;
      for (const std::string& name : workers) names += (names.empty() ? "" : ", ") + name;
      findings.add(Verdict::Good, "celery",
                   std::to_string(workers.size()) + " worker(s): " + names);
    }
  } catch (const IoError& error) {
    findings.add(Verdict::Bad, "redis",
                 place + ": " + error.what() + " (CELERY_BROKER_URL says where it is)");
  }
}

void check_platform(const TriggerConfig& config, Findings& findings) {
  const PostgresOptions options = postgres_options(config, "signalbox-check");
  const std::string place =
      options.host + ":" + std::to_string(options.port) + "/" + options.database;
  try {
    PostgresPipelines store{options};
    const LoadedPipelines loaded = store.load();
    const PipelineIndex index{loaded.pipelines};
    findings.add(Verdict::Good, "pipelines",
                 place + ": " + std::to_string(index.size()) + " active, watching " +
                     std::to_string(index.ticker_count()) + " tickers");
    for (const MalformedPipeline& row : loaded.malformed) {
      findings.add(Verdict::Warning, "pipelines", "left out: " + row.id + ": " + row.detail);
    }
    PostgresRuns ledger{runs_options(config, "signalbox-check")};
    static_cast<void>(ledger.active({}));
    findings.add(Verdict::Good, "executions", "can be asked");
    if (const auto heard = try_notifications(options, kPatience); !heard) {
      findings.add(Verdict::Warning, "notify", heard.error());
    } else {
      findings.add(Verdict::Good, "notify", "LISTEN hears NOTIFY");
    }
  } catch (const IoError& error) {
    findings.add(Verdict::Bad, "postgres",
                 place + ": " + error.what() +
                     " (POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER, POSTGRES_PASSWORD, "
                     "POSTGRES_DB)");
  }
}

}  // namespace

int check_trigger(const TriggerConfig& config) {
  Findings findings;
  findings.add(Verdict::Good, "config", "group " + config.group_id() + ", topic " + config.topic);
  check_kafka_broker(config, findings);
  check_queue(config, findings);
  check_platform(config, findings);
  return findings.status();
}

}  // namespace signalbox
