#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "adapters/kafka_client.hpp"

namespace signalbox {

/// What `signalbox check` says about a cluster that answers.
struct KafkaFindings {
  std::vector<std::string> brokers;  ///< host:port, as the cluster advertises them
  std::string cluster_id;
  std::size_t topics = 0;
  std::string library_version;
};

/// Connects, asks for the cluster's metadata, and goes. The error says in words what is wrong: the
/// library's last complaint (refused, unknown host, authentication, certificate), or that the
/// time was over. Takes at most `timeout` and a second.
std::expected<KafkaFindings, std::string> check_kafka(const KafkaConnection& connection,
                                                      std::chrono::milliseconds timeout);

}  // namespace signalbox
