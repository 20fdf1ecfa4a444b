#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace signalbox {

/// The text of `docs/CONFIG.md` ("config"), `docs/METRICS.md` ("metrics") or `docs/REASONS.md`
/// ("reasons"); nullopt for any other name.
std::optional<std::string> generated_document(std::string_view name);

}  // namespace signalbox
