#pragma once

#include <expected>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "app/config/help.hpp"
#include "app/config/load.hpp"
#include "app/dispatcher_config.hpp"
#include "app/env.hpp"
#include "app/trigger_config.hpp"
#include "app/up_config.hpp"

namespace signalbox {

/// A service's configuration and what else its command line said.
template <typename Config>
struct Loaded {
  Config config;
  Request request = Request::Run;
  std::string help;                    // for Request::Help
  std::vector<std::string> arguments;  // words that are no flags
  std::vector<ConfigNote> notes;       // to be logged once the log is there
};

/// Every key that any service has in a --config file, so that one file serves them all.
std::set<std::string, std::less<>> all_config_keys();

/// Reads the configuration of one service: `Config` is a struct with a `describe(Config&)`.
/// `arguments` are what follows the subcommand. Nothing but the files that they and `environment`
/// name is read. On error the program prints ConfigError::text() and ends with status 2.
template <typename Config>
std::expected<Loaded<Config>, ConfigError> parse_command_line(
    std::span<const std::string> arguments, const Environment& environment,
    const std::filesystem::path& dot_env = ".env") {
  Loaded<Config> loaded;
  const Settings settings = describe(loaded.config);
  auto outcome = load_settings(
      settings, arguments,
      {.environment = environment, .dot_env = dot_env, .foreign_keys = all_config_keys()});
  if (!outcome) return std::unexpected(std::move(outcome.error()));
  loaded.request = outcome->request;
  if (loaded.request == Request::Help) loaded.help = help_text(settings);
  loaded.arguments = std::move(outcome->arguments);
  loaded.notes = std::move(outcome->notes);
  return loaded;
}

/// docs/CONFIG.md, whole, from the descriptions that read the values.
std::string config_markdown();

}  // namespace signalbox
