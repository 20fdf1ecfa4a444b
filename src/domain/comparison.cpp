#include "domain/comparison.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "domain/candle_evidence.hpp"
#include "domain/routing.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;

/// The original compares when it handles a message, and may wait a second for its batch to fill:
/// two seconds in the log can be one second for it.
constexpr milliseconds kDedupWindow{2'000};

/// A message of the shadow and whether the original published it too.
enum class Fate : std::uint8_t { Unmatched, Matched };

using SameMessage = std::tuple<std::string_view, std::string_view, const JsonMembers*>;

struct BySameMessage {
  bool operator()(const SameMessage& a, const SameMessage& b) const {
    const auto head = [](const SameMessage& m) { return std::tie(std::get<0>(m), std::get<1>(m)); };
    if (head(a) != head(b)) return head(a) < head(b);
    return *std::get<2>(a) < *std::get<2>(b);
  }
};

SameMessage same_message(const Published& message) {
  return {message.channel, message.topic, &message.fields};
}

std::string field(const JsonMembers& fields, const char* name) {
  const auto found = fields.find(name);
  return found == fields.end() || found->second == "null" ? std::string{} : found->second;
}

/// What makes two different payloads versions of one thing; empty when nothing does.
std::string identity_of(const JsonMembers& fields) {
  for (const char* name : {"time", "start_time", "order_id", "client_order_id"}) {
    if (const std::string value = field(fields, name); !value.empty()) {
      return std::string(name) + " " + value;
    }
  }
  const std::string timestamp = field(fields, "timestamp");
  if (timestamp.empty()) return {};
  return field(fields, "symbol") + " " + field(fields, "strategy") + " timestamp " + timestamp;
}

std::string where(const Published& message) {
  std::string text = message.channel + "  from " + message.topic;
  const std::string identity = identity_of(message.fields);
  return identity.empty() ? text : text + "  " + identity;
}

/// `close 100.0 | 101.0, volume - | 3.1`: the original's value, then ours.
std::string differences(const std::map<std::string, std::string>& original,
                        const std::map<std::string, std::string>& ours, std::string_view prefix) {
  std::string text;
  const auto add = [&](const std::string& name, std::string_view theirs, std::string_view own) {
    if (!text.empty()) text += ", ";
    text.append(prefix).append(name).append(" ").append(theirs).append(" | ").append(own);
  };
  for (const auto& [name, value] : original) {
    const auto other = ours.find(name);
    if (other == ours.end()) {
      add(name, value, "-");
    } else if (other->second != value) {
      add(name, value, other->second);
    }
  }
  for (const auto& [name, value] : ours) {
    if (!original.contains(name)) add(name, "-", value);
  }
  return text;
}

/// What the original takes for one message when it comes twice within a second: no order and no
/// execution has either field.
std::string dedup_key(const Published& message) {
  return message.channel + "\n" + message.topic + "\n" + field(message.fields, "close_time") +
         "\n" + field(message.fields, "close");
}

bool is_signal_topic(std::string_view topic) {
  return topic == "signals" || topic == "analyzer.signals" || topic == "signals.filtered";
}

/// Matches the two sides' messages and judges what is left.
class MessageMatch {
 public:
  explicit MessageMatch(const Observation& seen)
      : seen_(seen),
        original_fates_(seen.original.size(), Fate::Unmatched),
        shadow_fates_(seen.shadow.size(), Fate::Unmatched) {
    for (const RefusedMessage& letter : seen.refused) {
      if (letter.lane.starts_with("shadow-redis")) refused_[letter.topic].push_back(&letter);
    }
  }

  void run(Comparison& result) {
    match_equal(result);
    match_versions(result);
    for (std::size_t i = 0; i < seen_.shadow.size(); ++i) {
      if (shadow_fates_[i] == Fate::Matched && seen_.shadow[i].logged_at) {
        delivered_[dedup_key(seen_.shadow[i])].push_back(*seen_.shadow[i].logged_at);
      }
    }
    for (std::size_t i = 0; i < seen_.original.size(); ++i) judge_original(i, result);
    for (std::size_t i = 0; i < seen_.shadow.size(); ++i) judge_shadow(i, result);
  }

  /// Messages of the shadow that the original took for repeats.
  const std::vector<const Published*>& deduplicated() const { return deduplicated_; }

 private:
  void match_equal(Comparison& result) {
    std::map<SameMessage, std::vector<std::size_t>, BySameMessage> waiting;
    for (std::size_t i = seen_.shadow.size(); i-- > 0;) {
      waiting[same_message(seen_.shadow[i])].push_back(i);
    }
    for (std::size_t i = 0; i < seen_.original.size(); ++i) {
      const auto found = waiting.find(same_message(seen_.original[i]));
      if (found == waiting.end()) continue;
      published_.insert(same_message(seen_.original[i]));
      if (found->second.empty()) continue;
      settle(i, found->second.back(), result);
      found->second.pop_back();
    }
  }

  /// Different payloads about one thing: shown field by field instead of as two strangers.
  void match_versions(Comparison& result) {
    std::map<std::string, std::vector<std::size_t>> waiting;
    for (std::size_t i = seen_.shadow.size(); i-- > 0;) {
      if (shadow_fates_[i] == Fate::Matched) continue;
      const std::string identity = identity_of(seen_.shadow[i].fields);
      if (!identity.empty()) waiting[where(seen_.shadow[i])].push_back(i);
    }
    for (std::size_t i = 0; i < seen_.original.size(); ++i) {
      if (original_fates_[i] == Fate::Matched || is_refused(seen_.original[i])) continue;
      const auto found = waiting.find(where(seen_.original[i]));
      if (found == waiting.end() || found->second.empty()) continue;
      settle(i, found->second.back(), result);
      found->second.pop_back();
    }
  }

  void settle(std::size_t original, std::size_t shadow, Comparison& result) {
    original_fates_[original] = Fate::Matched;
    shadow_fates_[shadow] = Fate::Matched;
    const Published& theirs = seen_.original[original];
    const Published& ours = seen_.shadow[shadow];
    if (theirs.place == Place::Margin && ours.place == Place::Margin) return;
    std::string what = differences(theirs.fields, ours.fields, "");
    const std::string routing = differences(theirs.routing, ours.routing, "_routing.");
    if (!what.empty() && !routing.empty()) what += ", ";
    what += routing;
    if (what.empty()) {
      ++result.agree[static_cast<std::size_t>(Subject::Message)];
      return;
    }
    result.findings.push_back(
        {Subject::Message, Verdict::Differ, Cause::Unexplained, where(theirs), std::move(what)});
  }

  bool is_refused(const Published& message) const { return refusal_of(message) != nullptr; }

  const RefusedMessage* refusal_of(const Published& message) const {
    const auto of_topic = refused_.find(message.topic);
    if (of_topic == refused_.end()) return nullptr;
    for (const RefusedMessage* letter : of_topic->second) {
      if (is_same_payload(letter->fields, message.fields)) return letter;
    }
    return nullptr;
  }

  /// What is published may have `symbol` and `timeframe` added.
  static bool is_same_payload(const JsonMembers& payload, const JsonMembers& published) {
    JsonMembers expected = payload;
    for (const char* added : {"symbol", "timeframe"}) {
      const auto found = published.find(added);
      if (found != published.end()) expected.try_emplace(added, found->second);
    }
    return expected == published;
  }

  void judge_original(std::size_t index, Comparison& result) {
    const Published& message = seen_.original[index];
    if (original_fates_[index] == Fate::Matched || message.place == Place::Margin) return;
    Finding finding{Subject::Message, Verdict::OnlyOriginal, Cause::Unexplained, where(message)};
    const auto route = route_for(message.topic);
    if (!route && route.error().reason == RejectReason::UnknownTimeframe) {
      finding.cause = Cause::UnknownTimeframe;
    } else if (const RefusedMessage* refused = refusal_of(message)) {
      finding.cause = Cause::RejectedHere;
      finding.what = refused->reason;
    } else if (published_.contains(same_message(message))) {
      finding.cause = Cause::OriginalRepeated;
    } else if (seen_.trimmed_channels.contains(message.channel)) {
      finding.cause = Cause::StreamTrimmed;
    }
    result.findings.push_back(std::move(finding));
  }

  void judge_shadow(std::size_t index, Comparison& result) {
    const Published& message = seen_.shadow[index];
    if (shadow_fates_[index] == Fate::Matched) return;
    const bool is_dedup = was_deduplicated(message);
    // The rows of the margin's candles may lie inside.
    if (is_dedup) deduplicated_.push_back(&message);
    if (message.place == Place::Margin) return;
    Cause cause = Cause::Unexplained;
    if (is_signal_topic(message.topic)) {
      cause = Cause::SignalsDropped;
    } else if (is_own_channel(message)) {
      cause = Cause::OwnChannel;
    } else if (is_dedup) {
      cause = Cause::OriginalDedup;
    }
    result.findings.push_back({Subject::Message, Verdict::OnlyShadow, cause, where(message), {}});
  }

  static bool is_own_channel(const Published& message) {
    const auto route = route_for(message.topic);
    return route && route->channels.size() == 2 && message.channel == route->channels.front();
  }

  bool was_deduplicated(const Published& message) const {
    const auto found = delivered_.find(dedup_key(message));
    if (found == delivered_.end() || !message.logged_at) return false;
    return std::ranges::any_of(found->second, [&](EventTime delivered) {
      return std::chrono::abs(delivered - *message.logged_at) <= kDedupWindow;
    });
  }

  const Observation& seen_;
  std::map<std::string_view, std::vector<const RefusedMessage*>> refused_;  ///< by topic
  std::vector<Fate> original_fates_;
  std::vector<Fate> shadow_fates_;
  std::set<SameMessage, BySameMessage> published_;  ///< what both sides published at least once
  std::map<std::string, std::vector<EventTime>> delivered_;  ///< by dedup key, log timestamps
  std::vector<const Published*> deduplicated_;
};

std::string where(const CandleKey& key) {
  return key.symbol + " " + key.timeframe + " time " +
         std::to_string(key.open_time.time_since_epoch().count());
}

Verdict verdict_of(const CandlePair& pair) {
  if (!pair.original) return Verdict::OnlyShadow;
  if (!pair.shadow) return Verdict::OnlyOriginal;
  return pair.original->columns == pair.shadow->columns ? Verdict::Agree : Verdict::Differ;
}

void compare_candles(const Observation& seen, const CandleEvidenceMap& evidence,
                     Comparison& result) {
  std::uint64_t& agree = result.agree[static_cast<std::size_t>(Subject::Candle)];
  for (const CandlePair& pair : seen.candles) {
    if (verdict_of(pair) == Verdict::Agree) ++agree;
  }
  for (const CandlePair& pair : seen.candles) {
    const Verdict verdict = verdict_of(pair);
    if (verdict == Verdict::Agree || (!pair.original && !pair.shadow)) continue;
    const auto found = evidence.find(pair.key);
    const CandleEvidence known = found == evidence.end() ? CandleEvidence{} : found->second;
    Finding finding{Subject::Candle, verdict, cause_of(pair, verdict, known, agree),
                    where(pair.key)};
    if (finding.cause == Cause::RejectedHere) {
      finding.what = known.refused_for;
    } else if (verdict == Verdict::Differ) {
      finding.what = differences(pair.original->columns, pair.shadow->columns, "");
    }
    result.findings.push_back(std::move(finding));
  }
}

}  // namespace

Comparison compare(const Observation& seen) {
  Comparison result;
  MessageMatch match{seen};
  match.run(result);
  compare_candles(seen, gather_evidence(seen, match.deduplicated()), result);
  return result;
}

}  // namespace signalbox
