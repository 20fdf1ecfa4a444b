#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "domain/pipeline_index.hpp"

namespace signalbox {

/// An operator's word on the pipelines that `pattern` names: an id, or a name in which `*` stands
/// for anything and `?` for one character.
struct BusyOverride {
  std::string pattern;
  BusyRule rule;

  bool operator==(const BusyOverride&) const = default;
};

/// The first override that names the pipeline; else what its owner configured; else `otherwise`.
BusyRule busy_rule_of(const IndexedPipeline& pipeline, std::span<const BusyOverride> overrides,
                      const BusyRule& otherwise);

/// `skip`, `keep_latest`, `queue:N` with N from 1 to kBusySlotsMax; anything else is nullopt.
std::optional<BusyRule> parse_busy_rule(std::string_view text);

/// How many signals of one pair may wait.
inline constexpr std::uint16_t kBusySlotsMax = 100;

}  // namespace signalbox
