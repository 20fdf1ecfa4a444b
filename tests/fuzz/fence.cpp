// The fence's text: what can be read can be written, and reads as the same fence again.

#include "domain/fence.hpp"

#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace signalbox;
  const std::string_view text = as_text(data, size);
  const auto fence = decode_fence(text);
  if (!fence) {
    FUZZ_REQUIRE(!fence.error().empty(), text);
    return 0;
  }
  FUZZ_REQUIRE(fence->next.value >= 0 && fence->part >= 0, text);
  const std::string written = encode(*fence);
  FUZZ_REQUIRE(decode_fence(written) == *fence, written);
  FUZZ_REQUIRE(encode(*decode_fence(written)) == written, written);
  return 0;
}
