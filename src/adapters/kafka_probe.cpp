#include "adapters/kafka_probe.hpp"

#include <stdexcept>
#include <utility>

#include <librdkafka/rdkafka.h>

namespace signalbox {
namespace {

/// Keeps what the library complains about; "all brokers are down" says less than what came before.
void keep_error(rd_kafka_t*, int error, const char* why, void* opaque) {
  auto* complaint = static_cast<std::string*>(opaque);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !complaint->empty()) return;
  *complaint = why ? why : rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error));
}

using Metadata = std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)>;

}  // namespace

std::expected<KafkaFindings, std::string> check_kafka(const KafkaConnection& connection,
                                                      std::chrono::milliseconds timeout) {
  std::string complaint;  // outlives the client, whose end may still complain
  KafkaHandle handle;
  try {
    KafkaConf conf = kafka_conf(connection, {}, {});
    rd_kafka_conf_set_opaque(conf.get(), &complaint);
    rd_kafka_conf_set_error_cb(conf.get(), keep_error);
    handle = kafka_open(KafkaRole::Producer, std::move(conf));
  } catch (const std::invalid_argument& error) {
    return std::unexpected(error.what());
  }

  constexpr std::chrono::milliseconds kRound{250};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const rd_kafka_metadata_t* raw = nullptr;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  while (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    error = rd_kafka_metadata(handle.get(), 1, nullptr, &raw, static_cast<int>(kRound.count()));
    rd_kafka_poll(handle.get(), 0);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && std::chrono::steady_clock::now() >= deadline) {
      return std::unexpected(connection.brokers + ": " +
                             (complaint.empty() ? rd_kafka_err2str(error) : complaint));
    }
  }
  const Metadata metadata(raw, rd_kafka_metadata_destroy);

  KafkaFindings findings{.brokers = {},
                         .cluster_id = {},
                         .topics = static_cast<std::size_t>(metadata->topic_cnt),
                         .library_version = rd_kafka_version_str()};
  for (const auto& broker :
       std::span(metadata->brokers, static_cast<std::size_t>(metadata->broker_cnt))) {
    findings.brokers.push_back(std::string(broker.host) + ":" + std::to_string(broker.port));
  }
  if (char* id = rd_kafka_clusterid(handle.get(), static_cast<int>(kRound.count()))) {
    findings.cluster_id = id;
    rd_kafka_mem_free(handle.get(), id);
  }
  return findings;
}

}  // namespace signalbox
