#pragma once

#include <string>
#include <string_view>

#include "adapters/kafka_source.hpp"
#include "app/lane_unit.hpp"

namespace signalbox {

/// A literal topic as the expression that matches it alone.
std::string exactly(std::string_view topic);

/// What a Kafka source tells, in the words of every log. Any thread.
SourceReport report_of(const KafkaSource& source);

}  // namespace signalbox
