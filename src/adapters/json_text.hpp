#pragma once

#include <string>
#include <string_view>

namespace signalbox {

/// Whether every escape of a JSON string (quotes taken off) is one that JSON knows and can be
/// written as UTF-8: half a surrogate pair cannot.
bool has_valid_escapes(std::string_view text);

/// The text that a JSON string (quotes taken off, escapes valid) stands for.
std::string unescaped(std::string_view text);

/// At most 60 bytes of `text`, which must be UTF-8, for a person to read: cut between characters,
/// control characters shown as `?`.
std::string excerpt(std::string_view text);

}  // namespace signalbox
