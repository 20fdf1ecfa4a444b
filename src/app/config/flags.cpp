#include "app/config/flags.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include <fmt/format.h>

namespace signalbox {
namespace {

constexpr std::array<CommonFlag, 4> kCommonFlags{{
    {"config", "FILE", "Read settings from this TOML file."},
    {"env-file", "FILE", "Read variables from this file instead of ./.env; the environment wins."},
    {"help", "", "Print this text."},
    {"version", "", "Print the version."},
}};

enum class Takes { Nothing, Value };

std::optional<Takes> known_flag(const Settings& settings, std::string_view name) {
  for (const CommonFlag& flag : kCommonFlags) {
    if (flag.name == name) return flag.placeholder.empty() ? Takes::Nothing : Takes::Value;
  }
  for (const Setting& setting : settings.all()) {
    if (setting.names.flag.empty() || setting.names.flag != name) continue;
    return setting.kind == SettingKind::Switch ? Takes::Nothing : Takes::Value;
  }
  return std::nullopt;
}

std::string accepted_flags(const Settings& settings) {
  std::string names;
  for (const Setting& setting : settings.all()) {
    if (!setting.names.flag.empty()) names += " --" + setting.names.flag;
  }
  for (const CommonFlag& flag : kCommonFlags) names += fmt::format(" --{}", flag.name);
  return names;
}

}  // namespace

std::span<const CommonFlag> common_flags() { return kCommonFlags; }

std::optional<std::string> Flags::find(std::string_view name) const {
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  return found->second;
}

Flags parse_flags(const Settings& settings, std::span<const std::string> arguments) {
  Flags flags;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--") {
      flags.arguments.insert(flags.arguments.end(), arguments.begin() + static_cast<long>(i) + 1,
                             arguments.end());
      break;
    }
    if (word == "-h") {
      flags.values["help"] = "true";
      continue;
    }
    if (!word.starts_with('-') || word == "-") {
      flags.arguments.push_back(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.starts_with("--") ? word.substr(2, equals - 2) : "";
    const auto takes = known_flag(settings, name);
    if (!takes) {
      flags.problems.push_back(fmt::format("{}: unknown flag, accepted are{}",
                                           word.substr(0, equals), accepted_flags(settings)));
    } else if (equals != std::string::npos) {
      flags.values[name] = word.substr(equals + 1);
    } else if (*takes == Takes::Nothing) {
      flags.values[name] = "true";
    } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("--")) {
      flags.values[name] = arguments[++i];
    } else {
      flags.problems.push_back(
          fmt::format("--{}: found no value, accepted is --{} VALUE", name, name));
    }
  }
  if (flags.arguments.size() > settings.arguments_max()) {
    flags.problems.push_back(fmt::format(
        "\"{}\": unexpected word, accepted is {}", flags.arguments[settings.arguments_max()],
        settings.arguments_max() == 0 ? "flags only" : settings.arguments_usage()));
  }
  return flags;
}

}  // namespace signalbox
