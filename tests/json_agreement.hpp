#pragma once

#include <string>
#include <string_view>

namespace signalbox {

/// Compares our scanner with nlohmann/json, which judges JSON independently of us. Empty when both
/// agree on what `text` is, on its keys and on its strings and numbers; otherwise what differs.
///
/// What may differ, on purpose:
/// - NaN, Infinity and -Infinity are values to us: Python writes them;
/// - a number beyond the largest double is one to us: it may stand in a field that nobody reads;
/// - a byte order mark is refused by us;
/// - a NUL byte is refused by us; to nlohmann/json it ends the text;
/// - nesting ends at JsonScanner::kDepthMax.
std::string disagreement(std::string_view text);

/// What the scanner makes of `text`: "accepted" or the name of a RejectReason.
std::string scanner_verdict(std::string_view text);

}  // namespace signalbox
