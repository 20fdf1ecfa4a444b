#include "app/kafka_lane.hpp"

#include <chrono>
#include <set>

namespace signalbox {

std::string exactly(std::string_view topic) {
  std::string pattern = "^";
  for (const char c : topic) {
    if (c == '.') pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

SourceReport report_of(const KafkaSource& source) {
  const KafkaSourceStatus status = source.status();
  SourceReport report{.is_connected = status.connected,
                      .last_error = status.last_error,
                      .assigned_partitions = status.assigned,
                      .handover_messages = status.handover_messages,
                      .handover_bytes = status.handover_bytes,
                      .is_paused = status.paused,
                      .rebalances = status.rebalances,
                      .topics = {}};
  const auto age = std::chrono::steady_clock::now() - status.since;
  report.since =
      std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now() - age);
  std::set<std::string> topics;
  for (const KafkaPartitionLag& lag : status.lags) {
    report.lag += lag.messages();
    topics.insert(lag.partition.topic);
  }
  report.topics.assign(topics.begin(), topics.end());
  return report;
}

}  // namespace signalbox
