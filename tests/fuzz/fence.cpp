// What is read as a fence is written as one that reads the same.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "domain/fence.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto fence = signalbox::decode_fence(text);
  if (!fence) return 0;
  const auto again = signalbox::decode_fence(signalbox::encode(*fence));
  SB_CHECK(again.has_value());
  SB_CHECK(*again == *fence);
  return 0;
}
