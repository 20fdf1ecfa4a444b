// Times and numbers: nothing overflows, what is read can be written and read again, and numbers
// are judged as nlohmann/json and strtod judge them.

#include "domain/event_time.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "domain/number_text.hpp"
#include "domain/routing_note.hpp"
#include "fuzz/fuzz.hpp"

namespace signalbox {
namespace {

constexpr ReceivedAt kNow{std::chrono::milliseconds{1'761'573'360'000}};

void check_time(EventTime time, std::string_view text) {
  const bool is_past = time < kEarliestEventTime;
  const bool is_future = time > kNow + kFutureMax;
  FUZZ_REQUIRE(plausible_time(time, kNow).has_value() == (!is_past && !is_future), text);
  const auto year = std::chrono::year_month_day{std::chrono::floor<std::chrono::days>(time)}.year();
  // Offsets reach beyond the years that ISO-8601 can write.
  if (year < std::chrono::year{0} || year > std::chrono::year{9999}) return;
  FUZZ_REQUIRE(time_from_iso(iso_utc(time)) == time, text);
}

void check_number(const std::string& text) {
  const NumberShape shape = number_shape(text);
  const bool starts_as_number = !text.empty() && (text[0] == '-' || std::isdigit(text[0]) != 0);
  const bool ends_as_number = !text.empty() && std::isdigit(text.back()) != 0;
  if (shape == NumberShape::NotANumber) {
    if (text.contains('\0')) return;  // where nlohmann/json sees the end
    FUZZ_REQUIRE(!starts_as_number || !ends_as_number || !nlohmann::json::accept(text), text);
    return;
  }
  const double value = std::strtod(text.c_str(), nullptr);
  FUZZ_REQUIRE(number_value(text) == value, text);
  FUZZ_REQUIRE(is_finite_number(text, shape) == std::isfinite(value), text);
  FUZZ_REQUIRE(nlohmann::json::accept(text) || std::isinf(value), text);
  for (const EpochUnit unit : {EpochUnit::Milliseconds, EpochUnit::SecondsOrMilliseconds}) {
    if (const auto time = time_from_epoch(text, unit)) check_time(*time, text);
  }
}

void check_order(std::string_view a, std::string_view b) {
  const auto is_plain = [](std::string_view text) {
    const NumberShape shape = number_shape(text);
    return shape == NumberShape::Integer || shape == NumberShape::Decimal;
  };
  if (!is_plain(a) || !is_plain(b) || !is_plainly_above(a, b)) return;
  FUZZ_REQUIRE(number_value(a) >= number_value(b), a);
}

}  // namespace
}  // namespace signalbox

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace signalbox;
  const std::string text{as_text(data, size)};
  if (const auto time = time_from_iso(text)) check_time(*time, text);
  check_number(text);
  check_order(text.substr(0, size / 2), text.substr(size / 2));
  return 0;
}
