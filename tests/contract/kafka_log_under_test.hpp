#pragma once

#include <memory>

#include "contract/message_source_suite.hpp"

namespace signalbox::contract {

/// A real Apache Kafka at KAFKA_BROKER. Without that variable the test fails: a run that leaves
/// the real broker out has proven nothing about it.
std::unique_ptr<LogUnderTest> kafka_log_under_test();

/// The variable's text; fails the test and returns nothing when it is not set.
std::string kafka_broker();

}  // namespace signalbox::contract
