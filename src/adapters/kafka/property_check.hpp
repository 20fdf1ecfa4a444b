#pragma once

#include <optional>
#include <string>

namespace signalbox {

/// What the installed librdkafka has against this property, in its own words; nothing when it takes
/// it. The text may hold the value.
std::optional<std::string> kafka_property_problem(const std::string& name,
                                                  const std::string& value);

}  // namespace signalbox
