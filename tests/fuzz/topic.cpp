// Whatever a topic is called, it has a route or a reason, and each channel has a name.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "domain/routing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view topic{reinterpret_cast<const char*>(data), size};
  const auto route = signalbox::route_for(topic);
  if (!route) return 0;
  SB_CHECK(route->topic == topic);
  for (const auto& channel : route->channels) SB_CHECK(!channel.empty());
  return 0;
}
