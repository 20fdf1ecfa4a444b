// The canonical form: it is its own canonical form, and whatever the payload scanner accepts has
// one.

#include "adapters/canonical_json.hpp"

#include <algorithm>
#include <string>

#include "adapters/wire_json.hpp"
#include "fuzz/fuzz.hpp"

namespace signalbox {
namespace {

/// The member `v` of an object that has nothing else.
std::optional<std::string> canonical(std::string_view value) {
  const auto members = canonical_members("{\"v\":" + std::string(value) + "}");
  if (!members || members->size() != 1 || !members->contains("v")) return std::nullopt;
  return members->at("v");
}

/// NaN and the infinities are written as no JSON has them.
bool has_no_number(std::string_view text) { return text.contains("nan") || text.contains("inf"); }

}  // namespace
}  // namespace signalbox

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace signalbox;
  const std::string_view text = as_text(data, size);
  const auto once = canonical(text);
  if (once && !has_no_number(*once)) FUZZ_REQUIRE(canonical(*once) == once, *once);

  static JsonPayloadReader reader;
  static const Route route = *route_for("signals.filtered");
  const Message message{.offset = Offset{1}, .timestamp = {}, .key = {}, .payload = text};
  const auto facts = reader.read(route, message, ReceivedAt{});
  // Each level takes a bracket, so that fewer of them cannot be too deep.
  const auto brackets = std::ranges::count_if(text, [](char c) { return c == '[' || c == '{'; });
  if (facts && brackets < kCanonicalDepthMax)
    FUZZ_REQUIRE(canonical_members(text).has_value(), text);
  return 0;
}
