#include "app/config/kafka_pass_through.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "adapters/kafka/property_check.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kFileSuffix = "_FILE";

/// What the promises rest on. A user who could set these would get another program.
struct Reserved {
  std::string_view property;
  std::string_view instead;
};
constexpr std::array<Reserved, 16> kReserved{{
    {"bootstrap.servers", "use KAFKA_BROKER"},
    {"metadata.broker.list", "use KAFKA_BROKER"},
    {"group.id", "use KAFKA_GROUP_ID"},
    {"group.instance.id", "use INSTANCE_ID"},
    {"auto.offset.reset", "use KAFKA_AUTO_OFFSET_RESET"},
    {"client.id", "each consumer has its own"},
    {"enable.auto.commit", "offsets follow the fence"},
    {"auto.commit.enable", "offsets follow the fence"},
    {"enable.auto.offset.store", "offsets follow the fence"},
    {"partition.assignment.strategy", "replicas of one group must agree on it"},
    {"enable.idempotence", "dead letters are produced idempotently"},
    {"acks", "dead letters wait for all replicas"},
    {"request.required.acks", "dead letters wait for all replicas"},
    {"transactional.id", "the fence lives in the sink"},
    {"isolation.level", "aborted messages are never read"},
    {"plugin.library.paths", "no code is loaded"},
}};

}  // namespace

std::optional<std::string> kafka_property_of(std::string_view variable) {
  const bool passes = variable.starts_with("KAFKA_SASL_") || variable.starts_with("KAFKA_SSL_") ||
                      variable.starts_with("KAFKA_SECURITY_PROTOCOL");
  if (!passes) return std::nullopt;
  if (variable.ends_with(kFileSuffix)) variable.remove_suffix(kFileSuffix.size());
  std::string property = lower_case(variable.substr(std::string_view{"KAFKA_"}.size()));
  std::replace(property.begin(), property.end(), '_', '.');
  // Two spellings of one property must not end up as two.
  if (property == "sasl.mechanism") property = "sasl.mechanisms";
  return property;
}

bool is_secret_kafka_property(std::string_view property) {
  return property.ends_with("password") || property.ends_with("secret") ||
         property.ends_with("key.pem") || property.ends_with("oauthbearer.config");
}

std::optional<std::string> kafka_pass_through_problem(const std::string& property,
                                                      const std::string& value) {
  const auto* reserved = std::find_if(kReserved.begin(), kReserved.end(),
                                      [&](const Reserved& r) { return r.property == property; });
  if (reserved != kReserved.end()) {
    return fmt::format("is set by signalbox: {}", reserved->instead);
  }
  const auto problem = kafka_property_problem(property, value);
  if (!problem) return std::nullopt;
  // librdkafka's text holds the value.
  if (is_secret_kafka_property(property)) return "librdkafka refuses the value, which is not shown";
  return fmt::format("found \"{}\", librdkafka says: {}", value, *problem);
}

std::optional<std::string> kafka_combination_problem(const KafkaPassThrough& properties) {
  if (!properties.contains("sasl.username") && !properties.contains("sasl.password")) {
    return std::nullopt;
  }
  const auto protocol = properties.find("security.protocol");
  if (protocol != properties.end() && lower_case(protocol->second).starts_with("sasl_")) {
    return std::nullopt;
  }
  return "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD: found without a protocol that sends them, "
         "accepted with KAFKA_SECURITY_PROTOCOL=SASL_SSL or SASL_PLAINTEXT";
}

}  // namespace signalbox
