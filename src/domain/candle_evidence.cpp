#include "domain/candle_evidence.hpp"

#include "domain/event_time.hpp"
#include "domain/text.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kMarketData = "market.data.";

/// A candle's time as its payload gives it.
enum class TimeForm : std::uint8_t { Stored, NotReadByOriginal };

struct CandlePlace {
  CandleKey key;
  TimeForm form;
};

std::string_view unquoted(std::string_view text) {
  const bool is_quoted = text.size() >= 2 && text.starts_with('"') && text.ends_with('"');
  return is_quoted ? text.substr(1, text.size() - 2) : std::string_view{};
}

std::string upper(std::string_view text) {
  std::string result{text};
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

std::string_view value_of(const JsonMembers& fields, const char* name) {
  const auto found = fields.find(name);
  return found == fields.end() || found->second == "null" ? std::string_view{} : found->second;
}

/// A whole number of milliseconds or ISO 8601.
std::optional<EventTime> stored_time(std::string_view text) {
  if (const auto number = integer_from<std::int64_t>(text)) return EventTime{milliseconds{*number}};
  return time_from_iso(unquoted(text));
}

/// Where the row of a candle is. A number with a fraction, or `start_time` in the place of `time`,
/// is a row here and none in the original.
std::optional<CandlePlace> place_of(std::string_view topic, const JsonMembers& fields) {
  if (!topic.starts_with(kMarketData)) return std::nullopt;
  const std::string_view rest = topic.substr(kMarketData.size());
  const std::size_t dot = rest.find('.');
  std::string_view timeframe = "1m";  // what the original takes where none is given
  if (dot != std::string_view::npos) {
    timeframe = rest.substr(dot + 1);
  } else if (const auto given = unquoted(value_of(fields, "timeframe")); !given.empty()) {
    timeframe = given;
  }
  CandlePlace place{{{}, upper(rest.substr(0, dot)), std::string(timeframe)}, TimeForm::Stored};
  const std::string_view time = value_of(fields, "time");
  std::optional<EventTime> open_time =
      stored_time(time.empty() ? value_of(fields, "start_time") : time);
  if (time.empty() || !open_time) place.form = TimeForm::NotReadByOriginal;
  if (!open_time && time.ends_with(".0")) open_time = stored_time(time.substr(0, time.size() - 2));
  if (!open_time) return std::nullopt;
  place.key.open_time = *open_time;
  return place;
}

void add(CandleEvidenceMap& evidence, const Published& message, bool is_original) {
  const auto place = place_of(message.topic, message.fields);
  if (!place) return;
  CandleEvidence& known = evidence[place->key];
  known.is_seen = true;
  known.is_published_by_original |= is_original;
  known.has_open_version |= value_of(message.fields, "is_closed") != "true";
  known.has_time_not_read |= place->form == TimeForm::NotReadByOriginal;
}

}  // namespace

std::set<CandleKey> candle_keys(const Observation& seen) {
  std::set<CandleKey> keys;
  for (const auto* side : {&seen.original, &seen.shadow}) {
    for (const Published& message : *side) {
      if (message.place == Place::Margin) continue;
      if (const auto place = place_of(message.topic, message.fields)) keys.insert(place->key);
    }
  }
  return keys;
}

CandleEvidenceMap gather_evidence(const Observation& seen,
                                  const std::vector<const Published*>& deduplicated) {
  CandleEvidenceMap evidence;
  for (const Published& message : seen.original) add(evidence, message, true);
  for (const Published& message : seen.shadow) add(evidence, message, false);
  for (const Published* message : deduplicated) {
    const auto place = place_of(message->topic, message->fields);
    if (place) evidence[place->key].is_deduplicated = true;
  }
  for (const RefusedMessage& refused : seen.refused) {
    if (!refused.lane.starts_with("shadow-postgres")) continue;
    const auto place = place_of(refused.topic, refused.fields);
    if (place) evidence[place->key].refused_for = refused.reason;
  }
  return evidence;
}

Cause cause_of(const CandlePair& pair, Verdict verdict, const CandleEvidence& evidence,
               std::uint64_t agreeing) {
  switch (verdict) {
    case Verdict::Agree:
      break;
    case Verdict::OnlyOriginal:
      if (!evidence.refused_for.empty()) return Cause::RejectedHere;
      break;
    case Verdict::Differ:
      if (pair.shadow->is_closed == true && evidence.has_open_version) return Cause::OpenOverClosed;
      if (evidence.is_deduplicated) return Cause::OriginalDedup;
      if (evidence.has_time_not_read) return Cause::TimeNotRead;
      if (!evidence.refused_for.empty()) return Cause::RejectedHere;
      break;
    case Verdict::OnlyShadow:
      if (evidence.has_time_not_read) return Cause::TimeNotRead;
      if (evidence.is_deduplicated) return Cause::OriginalDedup;
      if (!evidence.is_seen) return Cause::BeforeInterval;
      if (evidence.is_published_by_original && agreeing > 0) return Cause::OriginalNotStored;
      break;
  }
  return Cause::Unexplained;
}

}  // namespace signalbox
