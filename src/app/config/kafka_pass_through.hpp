#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/config/settings.hpp"

namespace signalbox {

/// The librdkafka property that a variable names, `sasl.username` for KAFKA_SASL_USERNAME; nothing
/// for any other variable. A `_FILE` at the end of the variable is not part of the property.
std::optional<std::string> kafka_property_of(std::string_view variable);

/// Whether the property's value must not be shown.
bool is_secret_kafka_property(std::string_view property);

/// Why the property cannot be set by a user, or not to this value; nothing when it can.
std::optional<std::string> kafka_pass_through_problem(const std::string& property,
                                                      const std::string& value);

/// What is wrong with the properties together: a user name that no protocol sends.
std::optional<std::string> kafka_combination_problem(const KafkaPassThrough& properties);

}  // namespace signalbox
