#pragma once

#include <string>
#include <string_view>

#include "app/config/settings.hpp"

namespace signalbox {

/// What `signalbox SERVICE --help` prints.
std::string help_text(const Settings& settings);

/// The settings of one heading as a Markdown table, heading not included.
std::string markdown_table(const Settings& settings, std::string_view group);

}  // namespace signalbox
