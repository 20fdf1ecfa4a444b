#pragma once

#include <expected>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/settings.hpp"
#include "app/env.hpp"

namespace signalbox {

/// Everything that is wrong with a configuration, one line each: the name, what was found, what is
/// accepted. The program ends with status 2.
struct ConfigError {
  std::vector<std::string> problems;

  /// All of it, one line a problem.
  std::string text() const;
};

/// What the command line asks for.
enum class Request { Run, Help, Version };

/// What was read beside the settings themselves.
struct LoadOutcome {
  Request request = Request::Run;
  std::vector<std::string> arguments;  // words that are no flags
  std::vector<ConfigNote> notes;       // to be logged once the log is there
};

/// Where values come from besides the arguments.
struct LoadSources {
  Environment environment;
  /// Read when it exists and no --env-file is given; empty: none.
  std::filesystem::path dot_env = ".env";
  /// Keys of other services, so that one --config file serves them all.
  std::set<std::string, std::less<>> foreign_keys;
};

/// Fills what `settings` describes: flag over environment over .env file over --config file over
/// default. Reads the files that the arguments and the environment name, nothing else.
std::expected<LoadOutcome, ConfigError> load_settings(const Settings& settings,
                                                      std::span<const std::string> arguments,
                                                      const LoadSources& sources);

}  // namespace signalbox
