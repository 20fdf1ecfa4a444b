#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox {

/// The text without blanks around it.
std::string_view trimmed(std::string_view text);

std::string lower_case(std::string_view text);

/// The parts between commas, trimmed, empty ones left out.
std::vector<std::string> split_list(std::string_view text);

/// A whole decimal number and nothing else.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// A finite decimal number and nothing else.
std::optional<double> parse_decimal(std::string_view text);

/// true, 1, yes, on; false, 0, no, off; in any case.
std::optional<bool> parse_boolean(std::string_view text);

/// Whether the text is an IPv4 or IPv6 address, or `localhost`.
bool is_address(std::string_view text);

/// Whether the text can be a host name or address: no blanks, no slash, at most 253 characters.
bool is_host(std::string_view text);

/// Whether the text can be the name of a Kafka topic or consumer group: letters, digits, `.`, `_`,
/// `-`, at most 249.
bool is_kafka_name(std::string_view text);

/// Replaces %XX by the byte; nothing when a % is followed by something else.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace signalbox
