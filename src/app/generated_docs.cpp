#include "app/generated_docs.hpp"

#include <array>

#include "app/configuration.hpp"
#include "app/lane_metrics.hpp"
#include "domain/reject.hpp"

namespace signalbox {
namespace {

struct ReasonText {
  RejectReason reason;
  std::string_view meaning;
};

constexpr std::array<ReasonText, kRejectReasonCount> kReasons{{
    {RejectReason::Tombstone, "The message has no value. Nothing can be published or stored."},
    {RejectReason::TooLarge, "The payload is larger than 2,000,000 bytes."},
    {RejectReason::NotUtf8, "The payload is not UTF-8."},
    {RejectReason::NotJson,
     "The payload is not JSON. `NaN`, `Infinity` and `-Infinity` pass in "
     "fields that nobody checks."},
    {RejectReason::NotAnObject, "The payload is JSON, but not an object."},
    {RejectReason::MissingField,
     "A field that the table needs is missing or null. The message is "
     "published all the same; only its row is refused."},
    {RejectReason::WrongType, "A field has another type than it must have."},
    {RejectReason::NotFinite, "NaN or infinite where a number counts."},
    {RejectReason::HighBelowLow, "A candle's high is below its low."},
    {RejectReason::TimeInSeconds, "A candle's time is in seconds; milliseconds are expected."},
    {RejectReason::TimeBefore2009, "A time before 2009."},
    {RejectReason::TimeInFuture, "A time more than a day ahead."},
    {RejectReason::TimeMalformed, "A time that is neither a number nor ISO 8601."},
    {RejectReason::UnknownTimeframe, "A timeframe other than 1m 3m 5m 15m 1h 1d."},
    {RejectReason::MalformedSymbol, "A symbol that is none."},
    {RejectReason::NoRoute, "No channel and no table wants the topic."},
    {RejectReason::RefusedBySink,
     "The database refused the row for its content; the detail has "
     "its SQLSTATE. Its neighbours passed."},
    {RejectReason::MalformedReplay,
     "A message on a replay topic without the headers that say "
     "where it came from."},
}};

std::string reasons_markdown() {
  std::string text =
      "# Reasons of dead letters\n\n"
      "Generated from the code (`signalbox docs reasons`); a test fails when it is stale.\n\n"
      "| reason | meaning |\n|---|---|\n";
  for (const ReasonText& entry : kReasons) {
    text.append("| `").append(name_of(entry.reason)).append("` | ").append(entry.meaning);
    text.append(" |\n");
  }
  return text;
}

}  // namespace

std::optional<std::string> generated_document(std::string_view name) {
  if (name == "config") return config_markdown();
  if (name == "metrics") return metrics_markdown();
  if (name == "reasons") return reasons_markdown();
  return std::nullopt;
}

}  // namespace signalbox
