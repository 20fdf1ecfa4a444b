#include "domain/routing_note.hpp"

#include <array>

#include "domain/text.hpp"

namespace signalbox {
namespace {

void append_padded(std::string& out, unsigned value, int width) {
  std::array<char, 8> digits{};
  for (int i = width; i-- > 0; value /= 10) {
    digits[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
  }
  out.append(digits.data(), static_cast<std::size_t>(width));
}

}  // namespace

std::string iso_utc(ReceivedAt time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::string text;
  text.reserve(32);
  append_padded(text, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  text += '-';
  append_padded(text, static_cast<unsigned>(date.month()), 2);
  text += '-';
  append_padded(text, static_cast<unsigned>(date.day()), 2);
  text += 'T';
  append_padded(text, static_cast<unsigned>(clock.hours().count()), 2);
  text += ':';
  append_padded(text, static_cast<unsigned>(clock.minutes().count()), 2);
  text += ':';
  append_padded(text, static_cast<unsigned>(clock.seconds().count()), 2);
  text += '.';
  append_padded(text, static_cast<unsigned>(clock.subseconds().count()), 6);
  text += "+00:00";
  return text;
}

std::string_view data_type_of(const Route& route, const Facts& facts) {
  switch (route.kind) {
    case Kind::Candle:
      if (!route.timeframe) return "raw_market_data_legacy";
      return facts.is_enriched ? "corrupted_enriched_data" : "raw_market_data";
    case Kind::Signal:
    case Kind::AnalyzerSignal:
      return "signal";
    case Kind::Order:
      return "order";
    case Kind::Execution:
      return "execution";
    case Kind::FilteredSignal:
    case Kind::DeadLetter:
    case Kind::TriggerSignal:
      return {};
  }
  return {};
}

bool is_urgent(const Route& route, const Facts& facts) {
  const bool closed_candle = route.kind == Kind::Candle && facts.is_closed;
  const bool signal = route.kind == Kind::Signal || route.kind == Kind::FilteredSignal;
  return closed_candle || signal;
}

std::string_view priority_of(const Route& route, const Facts& facts) {
  return is_urgent(route, facts) ? "high" : "normal";
}

void append_with_routing(std::string& out, const Routed& routed, ReceivedAt received_at,
                         std::string_view received_at_text) {
  const std::string_view payload = routed.message->payload;
  const Facts& facts = routed.facts;
  const Route& route = *routed.route;
  out.append(payload.substr(0, facts.splice_at));
  if (facts.has_members) out += ", ";
  if (!facts.has_symbol && !route.symbol.empty()) {
    out.append("\"symbol\": \"").append(route.symbol).append("\", ");
  }
  if (!facts.has_timeframe && route.timeframe) {
    out.append("\"timeframe\": \"").append(name_of(*route.timeframe)).append("\", ");
  }
  out.append("\"_routing\": {\"source_topic\": \"").append(routed.source->topic);
  out.append("\", \"received_at\": \"").append(received_at_text);
  out.append("\", \"priority\": \"").append(priority_of(route, facts));
  const std::string_view data_type = data_type_of(route, facts);
  if (!data_type.empty()) out.append("\", \"data_type\": \"").append(data_type);
  out.append("\", \"partition\": ");
  append_integer(out, routed.source->partition);
  out.append(", \"offset\": ");
  append_integer(out, routed.source_offset.value);
  out.append(", \"seq\": ");
  append_integer(out, routed.seq);
  out.append(", \"epoch\": ");
  append_integer(out, routed.epoch);
  out.append(", \"delay_ms\": ");
  const auto delay = received_at - routed.message->timestamp;
  append_integer(out, std::chrono::duration_cast<std::chrono::milliseconds>(delay).count());
  if (routed.is_replay) out.append(", \"replay\": true");
  out += '}';
  out.append(payload.substr(facts.splice_at));
}

}  // namespace signalbox
