#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "app/command.hpp"
#include "app/env.hpp"

namespace {

using signalbox::Command;

constexpr std::array kCommands{
    Command{"dispatcher",
            "Kafka to Redis channels and PostgreSQL tables, nothing lost, nothing twice",
            signalbox::run_dispatcher},
    Command{"trigger", "every signal that matches an idle pipeline becomes exactly one Celery task",
            signalbox::run_trigger},
    Command{"up", "everything in this process on embedded parts, fed with recorded candles",
            signalbox::run_up},
    Command{"check", "says what is wrong with configuration and dependencies, and what to do",
            signalbox::run_check},
    Command{"migrate", "creates or upgrades the tables", signalbox::run_migrate},
    Command{"probe", "asks a running service whether it is healthy (exit 0 or 1)",
            signalbox::run_probe},
    Command{"fences", "lists or moves the places where the lanes are: fences list|set",
            signalbox::run_fences},
    Command{"dead-letters",
            "lists, shows or replays refused messages: dead-letters list|show|replay",
            signalbox::run_dead_letters},
    Command{"compare", "tells where a shadow agrees with the original, where it differs, and why",
            signalbox::run_compare},
    Command{"prune", "removes what is older than its retention from our own tables",
            signalbox::run_prune},
    Command{"docs", "prints a generated document: docs config|metrics|reasons",
            signalbox::run_docs},
};

int print_usage(std::FILE* to) {
  std::fprintf(to,
               "signalbox %s: the switchboard of an algorithmic-trading stack\n\n"
               "usage: signalbox COMMAND [flags]      signalbox COMMAND --help\n\ncommands:\n",
               SIGNALBOX_VERSION);
  for (const Command& command : kCommands) {
    std::fprintf(to, "  %-14s %s\n", std::string(command.name).c_str(),
                 std::string(command.summary).c_str());
  }
  std::fprintf(to,
               "\nA newcomer starts with: signalbox up\n"
               "Flags, variables and keys of every command: docs/CONFIG.md\n");
  return to == stdout ? signalbox::exit_status::kStopped : signalbox::exit_status::kConfiguration;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return print_usage(stderr);
  const std::string& name = words.front();
  if (name == "--help" || name == "-h" || name == "help") return print_usage(stdout);
  if (name == "--version") {
    std::printf("signalbox %s\n", SIGNALBOX_VERSION);
    return signalbox::exit_status::kStopped;
  }
  const auto* command = std::ranges::find(kCommands, name, &Command::name);
  if (command == kCommands.end()) {
    std::fprintf(stderr, "signalbox: `%s` is no command\n\n", name.c_str());
    return print_usage(stderr);
  }
  return command->run(std::span{words}.subspan(1), signalbox::Environment::of_process());
}
