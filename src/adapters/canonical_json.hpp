#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace signalbox {

/// The members of a JSON object, each value as text that is the same where the values are: keys
/// sorted (of those that repeat the last counts), no spaces, escapes resolved, numbers in the
/// shortest form. As in Python, 1 and 1.0 are two values, and NaN, Infinity and half a surrogate
/// pair are accepted. nullopt for what is no object or nested deeper than kCanonicalDepthMax.
///
/// For comparing: what one program has read and written again is the same as what it read.
std::optional<std::map<std::string, std::string>> canonical_members(std::string_view object);

inline constexpr unsigned kCanonicalDepthMax = 256;

/// The text of a canonical value that is a string without escapes; empty for any other.
std::string_view plain_text(std::string_view canonical);

}  // namespace signalbox
