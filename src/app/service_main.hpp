#pragma once

#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <string>

#include "app/command.hpp"
#include "app/configuration.hpp"
#include "ports/io_error.hpp"

namespace signalbox {

/// Reads the configuration of a command and runs it: the frame that every command shares. `run`
/// takes `const Loaded<Config>&` and returns the exit status; help, version and errors of the
/// configuration are answered here.
template <typename Config, typename Run>
int with_configuration(std::span<const std::string> arguments, const Environment& environment,
                       Run run) {
  const auto loaded = parse_command_line<Config>(arguments, environment);
  if (!loaded) {
    std::fprintf(stderr, "%s\n", loaded.error().text().c_str());
    return exit_status::kConfiguration;
  }
  if (loaded->request == Request::Help) {
    std::printf("%s", loaded->help.c_str());
    return exit_status::kStopped;
  }
  if (loaded->request == Request::Version) {
    std::printf("signalbox %s\n", SIGNALBOX_VERSION);
    return exit_status::kStopped;
  }
  try {
    return run(*loaded);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "signalbox: %s\n", error.what());
    return exit_status::kConfiguration;
  } catch (const IoError& error) {
    std::fprintf(stderr, "signalbox: %s\n", error.what());
    return exit_status::kFailed;
  }
}

}  // namespace signalbox
