#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "domain/message.hpp"

/// What a shadow did beside the original, message by message and candle by candle, and why the two
/// differ where they do.
namespace signalbox {

/// Members of a JSON object by key; values as text that is the same where the values are.
using JsonMembers = std::map<std::string, std::string>;

/// Only what happened inside the interval is judged; what lies in the margin around it is there to
/// be matched, because the two sides are not equally fast.
enum class Place : std::uint8_t { Inside, Margin };

/// One message on one channel, as the original published it or as the shadow would have.
struct Published {
  std::string channel;
  std::string topic;      ///< `source_topic` of its `_routing`
  JsonMembers fields;     ///< without `_routing`
  JsonMembers routing{};  ///< of `_routing`, what both sides write but not when
  Place place = Place::Inside;
  std::optional<EventTime> logged_at{};  ///< log timestamp of the message; the shadow's only
};

/// A message that the shadow refused.
struct RefusedMessage {
  std::string lane;
  std::string topic;
  std::string reason;
  JsonMembers fields;
};

struct CandleKey {
  EventTime open_time;
  std::string symbol;  ///< upper case
  std::string timeframe;

  auto operator<=>(const CandleKey&) const = default;
};

struct CandleRow {
  std::map<std::string, std::string> columns;
  std::optional<bool> is_closed{};  ///< the shadow's only
};

/// One candle in the two tables.
struct CandlePair {
  CandleKey key;
  std::optional<CandleRow> original{};
  std::optional<CandleRow> shadow{};
};

/// All that was seen of both sides in one interval.
struct Observation {
  std::vector<Published> original;  ///< in the order of publication
  std::vector<Published> shadow;    ///< likewise
  std::vector<RefusedMessage> refused{};
  std::set<std::string> trimmed_channels{};  ///< whose stream has lost a part of the interval
  std::vector<CandlePair> candles{};
};

enum class Verdict : std::uint8_t { Agree, Differ, OnlyOriginal, OnlyShadow };

std::string_view name_of(Verdict verdict);

/// Why the two sides differ: a closed list, each a line of docs/COMPATIBILITY.md but the last.
enum class Cause : std::uint8_t {
  SignalsDropped,     ///< the original drops `signals`, `analyzer.signals`, reads no
                      ///< `signals.filtered`
  OriginalDedup,      ///< it takes two messages of one topic within a second for one
  OriginalRepeated,   ///< it published a message twice
  OwnChannel,         ///< 1h and 1d have a channel of their own here
  UnknownTimeframe,   ///< a dead letter here
  RejectedHere,       ///< a dead letter here, for another reason
  TimeNotRead,        ///< `time` as a float, or only `start_time`: the original stores no row
  OriginalNotStored,  ///< it published the candle and has no row: its INSERT failed
  BeforeInterval,     ///< the shadow caught up with a candle that nobody published meanwhile
  OpenOverClosed,     ///< an open candle overwrote a closed one in the original's table
  StreamTrimmed,      ///< the shadow's stream is too short for the interval
  Unexplained,
};

inline constexpr std::size_t kCauseCount = 12;

std::string_view name_of(Cause cause);
/// A sentence for a person.
std::string_view text_of(Cause cause);

enum class Subject : std::uint8_t { Message, Candle };

/// One thing in which the two sides do not agree.
struct Finding {
  Subject subject;
  Verdict verdict;
  Cause cause;
  std::string where;
  std::string what{};  ///< the fields that differ, or the reason of a reject

  bool operator==(const Finding&) const = default;
};

struct Comparison {
  std::array<std::uint64_t, 2> agree{};  ///< by subject
  std::vector<Finding> findings;
};

/// The candles that the messages inside the interval belong to, by the rules of both sides: what
/// to look up in the two tables.
std::set<CandleKey> candle_keys(const Observation& seen);

Comparison compare(const Observation& seen);

}  // namespace signalbox
