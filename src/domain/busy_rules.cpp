#include "domain/busy_rules.hpp"

#include <algorithm>
#include <charconv>

namespace signalbox {
namespace {

/// Greedy with one point to come back to: linear but for the patterns that nobody writes.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

BusyRule busy_rule_of(const IndexedPipeline& pipeline, std::span<const BusyOverride> overrides,
                      const BusyRule& otherwise) {
  const auto named = std::ranges::find_if(overrides, [&](const BusyOverride& candidate) {
    const auto id = parse_uuid(candidate.pattern);
    return id ? *id == pipeline.id : matches(candidate.pattern, pipeline.name);
  });
  if (named != overrides.end()) return named->rule;
  return pipeline.busy.value_or(otherwise);
}

std::optional<BusyRule> parse_busy_rule(std::string_view text) {
  constexpr std::string_view kQueue = "queue:";
  if (text == "skip") return BusyRule{.policy = BusyPolicy::Skip, .slots = 0};
  if (text == "keep_latest") return BusyRule{.policy = BusyPolicy::KeepLatest, .slots = 1};
  if (!text.starts_with(kQueue)) return std::nullopt;
  const std::string_view digits = text.substr(kQueue.size());
  std::uint16_t slots = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), slots);
  const bool is_number = error == std::errc{} && end == digits.data() + digits.size();
  if (!is_number || slots < 1 || slots > kBusySlotsMax) return std::nullopt;
  return BusyRule{.policy = BusyPolicy::Queue, .slots = slots};
}

}  // namespace signalbox
