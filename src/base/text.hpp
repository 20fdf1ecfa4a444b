#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace signalbox {

/// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD, so
/// that the result is valid JSON whatever came in.
void append_json_string(std::string& out, std::string_view text);

/// Appends a JSON number, or, since JSON has no word for them, "NaN", "Infinity" or "-Infinity"
/// as a string.
void append_json_number(std::string& out, double value);

/// RFC 3339 in UTC with milliseconds: 2024-05-01T12:30:00.250Z.
std::string rfc3339_utc(std::chrono::system_clock::time_point time);

}  // namespace signalbox
