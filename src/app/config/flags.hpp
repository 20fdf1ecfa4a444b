#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/settings.hpp"

namespace signalbox {

/// The flags that every command takes and that are no settings.
struct CommonFlag {
  std::string_view name;
  std::string_view placeholder;  // empty: takes no value
  std::string_view documentation;
};
std::span<const CommonFlag> common_flags();

/// A command line taken apart. The last of a repeated flag counts.
struct Flags {
  std::map<std::string, std::string, std::less<>> values;  // "port" → "5004"; a switch → "true"
  std::vector<std::string> arguments;
  std::vector<std::string> problems;

  bool has(std::string_view name) const { return values.contains(name); }
  std::optional<std::string> find(std::string_view name) const;
};

/// Knows the flags of `settings` and the common ones; anything else is a problem. `--` ends them.
Flags parse_flags(const Settings& settings, std::span<const std::string> arguments);

}  // namespace signalbox
