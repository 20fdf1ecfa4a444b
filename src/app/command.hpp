#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "app/env.hpp"

namespace signalbox {

/// What a process ends with; the contract of scripts and units.
namespace exit_status {
inline constexpr int kStopped = 0;
inline constexpr int kFailed = 1;
inline constexpr int kConfiguration = 2;
}  // namespace exit_status

/// A word after `signalbox`. `arguments` are the words behind it.
struct Command {
  using Run = int (*)(std::span<const std::string> arguments, const Environment& environment);

  std::string_view name;
  std::string_view summary;
  Run run;
};

int run_dispatcher(std::span<const std::string> arguments, const Environment& environment);
int run_trigger(std::span<const std::string> arguments, const Environment& environment);
int run_up(std::span<const std::string> arguments, const Environment& environment);
int run_check(std::span<const std::string> arguments, const Environment& environment);
int run_migrate(std::span<const std::string> arguments, const Environment& environment);
int run_prune(std::span<const std::string> arguments, const Environment& environment);
int run_probe(std::span<const std::string> arguments, const Environment& environment);
int run_fences(std::span<const std::string> arguments, const Environment& environment);
int run_dead_letters(std::span<const std::string> arguments, const Environment& environment);
int run_compare(std::span<const std::string> arguments, const Environment& environment);
int run_docs(std::span<const std::string> arguments, const Environment& environment);

}  // namespace signalbox
