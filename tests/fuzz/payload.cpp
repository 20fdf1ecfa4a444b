// The payload reader and the splice: the first byte chooses the topic, the rest is the payload.
// Structure is judged as nlohmann/json judges it, and what is accepted stays acceptable, with the
// same facts and its own bytes, once `_routing` is spliced in.

#include <array>
#include <string>

#include "adapters/wire_json.hpp"
#include "domain/routing_note.hpp"
#include "fuzz/fuzz.hpp"
#include "json_agreement.hpp"

namespace signalbox {
namespace {

constexpr std::array<std::string_view, 7> kTopics{"market.data.btcusdc.1m",
                                                  "market.data.btcusdc",
                                                  "signals",
                                                  "analyzer.signals",
                                                  "signals.filtered",
                                                  "orders",
                                                  "executions"};

constexpr EventTime kProduced{std::chrono::milliseconds{1'761'573'360'000}};
constexpr ReceivedAt kNow = kProduced + std::chrono::minutes{1};

Message message_of(std::string_view payload) {
  return {.offset = Offset{7}, .timestamp = kProduced, .key = {}, .payload = payload};
}

void check_reject(const Reject& reject) {
  FUZZ_REQUIRE(!reject.detail.empty() && reject.detail.size() <= 200, reject.detail);
  FUZZ_REQUIRE(!reject.detail.contains('\0'), reject.detail);
  // As JSON text the detail must be UTF-8: the scanner tells.
  const std::string verdict = scanner_verdict("{\"" + reject.detail + "\":1}");
  FUZZ_REQUIRE(verdict != "not_utf8", reject.detail);
}

void check_splice(JsonPayloadReader& reader, const Route& route, std::string_view payload,
                  const Facts& facts) {
  const Message message = message_of(payload);
  const TopicPartition source{route.topic, 2};
  const Routed routed{.message = &message,
                      .route = &route,
                      .source = &source,
                      .source_offset = Offset{7},
                      .seq = 3,
                      .epoch = 4,
                      .is_replay = false,
                      .facts = facts};
  std::string out;
  append_with_routing(out, routed, kNow, iso_utc(kNow));
  const std::string_view before = payload.substr(0, facts.splice_at);
  const std::string_view after = payload.substr(facts.splice_at);
  FUZZ_REQUIRE(out.starts_with(before) && out.ends_with(after), out);
  const std::size_t added = out.size() - payload.size();
  FUZZ_REQUIRE(out.substr(0, facts.splice_at) + out.substr(facts.splice_at + added) == payload,
               out);
  FUZZ_REQUIRE(disagreement(out).empty(), out);
  const auto again = reader.read(route, message_of(out), kNow);
  FUZZ_REQUIRE(again.has_value(), out);
  FUZZ_REQUIRE(again->splice_at == facts.splice_at + added, out);
  FUZZ_REQUIRE(again->is_closed == facts.is_closed && again->is_enriched == facts.is_enriched, out);
  FUZZ_REQUIRE(again->has_symbol == (facts.has_symbol || !route.symbol.empty()), out);
}

}  // namespace
}  // namespace signalbox

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace signalbox;
  if (size < 1) return 0;
  const Route route = *route_for(kTopics[data[0] % kTopics.size()]);
  const std::string_view payload = as_text(data + 1, size - 1);
  const std::string difference = disagreement(payload);
  FUZZ_REQUIRE(difference.empty(), difference);
  static JsonPayloadReader reader;
  const auto facts = reader.read(route, message_of(payload), kNow);
  if (!facts) {
    check_reject(facts.error());
  } else {
    check_splice(reader, route, payload, *facts);
  }
  return 0;
}
