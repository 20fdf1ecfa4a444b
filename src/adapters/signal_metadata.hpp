#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace signalbox {

/// What a task carries of a signal's metadata at most. Beyond either, reduced_metadata() is put
/// there instead. Python reads about a thousand levels, and its printers and picklers fewer.
inline constexpr std::size_t kMetadataBytesMax = 65'536;
inline constexpr std::size_t kMetadataDepthMax = 64;

/// Python reads no whole number of more digits, and drops the message that holds one.
inline constexpr std::size_t kNumberDigitsMax = 4'300;

/// Whether more digits than that stand in a row, be it in a text.
bool has_endless_number(std::string_view json);

/// A worker's JSON reader takes an object with this key for a typed value, and drops a message
/// whose type it does not know. So the key never reaches a task: it is renamed.
inline constexpr std::string_view kTypedKey = "__type__";
inline constexpr std::string_view kRenamedTypedKey = "x__type__";

/// Whether `json`, which must be valid, may have such a key; false is certain.
bool may_have_typed_keys(std::string_view json);

/// The same text with kTypedKey renamed wherever it is a key, at any level and with any of its
/// characters escaped. All else stays as it is.
std::string without_typed_keys(std::string_view json);

/// What workers read of a JSON object that is too large for a task: `timeframe`, `timeframes`,
/// `backtest_…`, then other scalars of up to 1 kB in their order while there is room. Of a key
/// that repeats the last value. At most kMetadataBytesMax, no typed keys.
std::string reduced_metadata(std::string_view json);

}  // namespace signalbox
