#include "adapters/kafka/property_check.hpp"

#include <array>
#include <memory>

#include <librdkafka/rdkafka.h>

namespace signalbox {

std::optional<std::string> kafka_property_problem(const std::string& name,
                                                  const std::string& value) {
  const std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> scratch{
      rd_kafka_conf_new(), rd_kafka_conf_destroy};
  std::array<char, 512> why{};
  const auto result =
      rd_kafka_conf_set(scratch.get(), name.c_str(), value.c_str(), why.data(), why.size());
  if (result == RD_KAFKA_CONF_OK) return std::nullopt;
  return std::string{why.data()};
}

}  // namespace signalbox
