// Names of topics: what has a route has channels that a subscriber can know, and a symbol that is
// one.

#include "domain/routing.hpp"

#include <algorithm>

#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace signalbox;
  const std::string_view topic = as_text(data, size);
  const auto route = route_for(topic);
  if (!route) {
    FUZZ_REQUIRE(!route.error().detail.empty(), topic);
    return 0;
  }
  FUZZ_REQUIRE(route->topic == topic, topic);
  FUZZ_REQUIRE(route_for(route->topic) == *route, topic);
  FUZZ_REQUIRE(route->channels.empty() == (route->kind == Kind::DeadLetter), topic);
  FUZZ_REQUIRE(route->symbol.empty() == (route->kind != Kind::Candle), topic);
  FUZZ_REQUIRE(route->symbol.empty() || is_symbol(route->symbol), topic);
  for (const std::string& channel : route->channels) {
    FUZZ_REQUIRE(std::ranges::none_of(channel, [](char c) { return c <= ' ' || c > '~'; }), topic);
    FUZZ_REQUIRE(channel.contains(route->symbol), topic);
  }
  return 0;
}
