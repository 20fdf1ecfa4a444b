// A payload that is accepted keeps every byte when `_routing` is spliced in, and what comes out is
// accepted as well. The first byte chooses the topic.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/wire_json.hpp"
#include "base/check.hpp"
#include "domain/routing.hpp"
#include "domain/routing_note.hpp"

namespace {

using namespace signalbox;

constexpr std::array<std::string_view, 6> kTopics{"market.data.btcusdc.1m",
                                                  "market.data.btcusdc",
                                                  "signals",
                                                  "signals.filtered",
                                                  "orders",
                                                  "executions"};
constexpr ReceivedAt kNow{std::chrono::microseconds{1'761'573'420'000'000}};

Message message_of(std::string_view payload) {
  Message message{};
  message.payload = payload;
  return message;
}

void check_splice(const Route& route, const Message& message, const Facts& facts) {
  const TopicPartition source{route.topic, 0};
  const Routed routed{.message = &message,
                      .route = &route,
                      .source = &source,
                      .source_offset = Offset{1},
                      .seq = 1,
                      .epoch = 1,
                      .is_replay = false,
                      .facts = facts};
  std::string out;
  append_with_routing(out, routed, kNow, iso_utc(kNow));
  SB_CHECK(out.starts_with(message.payload.substr(0, facts.splice_at)));
  SB_CHECK(out.ends_with(message.payload.substr(facts.splice_at)));

  JsonPayloadReader reader;
  if (out.size() <= kMaxPayloadBytes) {
    SB_CHECK(reader.read(route, message_of(out), kNow).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto route = route_for(kTopics[data[0] % kTopics.size()]);
  SB_CHECK(route.has_value());
  const std::string payload{reinterpret_cast<const char*>(data) + 1, size - 1};
  const Message message = message_of(payload);
  JsonPayloadReader reader;
  if (const auto facts = reader.read(*route, message, kNow)) check_splice(*route, message, *facts);
  return 0;
}
