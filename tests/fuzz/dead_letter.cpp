// The headers of dead letters, and the names of replay topics: headers as they may come, and what
// is read from them written and read again.

#include "domain/dead_letter.hpp"

#include <fuzzer/FuzzedDataProvider.h>

#include "fuzz/fuzz.hpp"

namespace signalbox {
namespace {

std::vector<Header> headers_from(FuzzedDataProvider& input) {
  const std::vector<Header> names = dead_letter_headers(DeadLetter{});
  std::vector<Header> headers;
  while (input.remaining_bytes() > 0 && headers.size() < 16) {
    const auto choice = input.ConsumeIntegralInRange<std::size_t>(0, names.size());
    const std::string name =
        choice < names.size() ? names[choice].name : input.ConsumeRandomLengthString(40);
    const std::string value = input.ConsumeBool()
                                  ? std::to_string(input.ConsumeIntegral<std::int64_t>())
                                  : input.ConsumeRandomLengthString(60);
    headers.push_back({name, value});
  }
  return headers;
}

}  // namespace
}  // namespace signalbox

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace signalbox;
  FuzzedDataProvider input{data, size};
  const auto fields = dead_letter_fields(headers_from(input));
  if (!fields) {
    FUZZ_REQUIRE(!fields.error().empty(), "no error text");
    return 0;
  }
  FUZZ_REQUIRE(fields->partition >= 0 && fields->offset.value >= 0, fields->topic);
  const DeadLetter letter{.lane = fields->lane,
                          .source = {fields->topic, fields->partition},
                          .offset = fields->offset,
                          .timestamp = fields->message_time.value_or(EventTime{}),
                          .rejected_at = fields->rejected_at.value_or(EventTime{}),
                          .reject = {RejectReason::NotJson, fields->detail},
                          .key = {},
                          .payload = {}};
  const auto again = dead_letter_fields(dead_letter_headers(letter));
  FUZZ_REQUIRE(again.has_value(), fields->topic);
  FUZZ_REQUIRE(again->lane == fields->lane && again->topic == fields->topic, fields->topic);
  FUZZ_REQUIRE(again->partition == fields->partition && again->offset == fields->offset,
               fields->topic);
  FUZZ_REQUIRE(again->message_time == letter.timestamp && again->detail == fields->detail,
               fields->topic);
  FUZZ_REQUIRE(is_replay_topic(replay_topic(fields->lane)), fields->lane);
  return 0;
}
