#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/dispatcher_config.hpp"

namespace signalbox {

enum class Consent : std::uint8_t { DryRun, Given };

/// What `migrate` does with the triggers that tell of changed pipelines.
enum class NotifyTriggers : std::uint8_t { AsTheyAre, Install, Remove };

/// What the commands of an operator take: the dispatcher's servers, a verb with its words, and
/// the flags that narrow or allow something.
struct OperatorConfig {
  DispatcherConfig dispatcher;
  std::string lane;    ///< --lane; empty: every lane
  std::string topic;   ///< --topic; empty: every topic
  std::string reason;  ///< --reason; empty: every reason
  std::optional<std::int32_t> partition;
  std::optional<std::int64_t> offset;
  std::size_t limit = 50;
  std::chrono::milliseconds duration{10'000};
  Consent consent = Consent::DryRun;
  NotifyTriggers notify = NotifyTriggers::AsTheyAre;
};

/// One command: its name, its sentence, its words ("list | show KEY").
struct OperatorCommand {
  std::string_view name;
  std::string_view summary;
  std::string_view usage;  ///< empty: takes no words
  std::string_view flags;  ///< of OperatorConfig, separated by blanks: "lane topic"
};

/// The command whose description a configuration of type `OperatorConfigOf<command>` has.
template <const OperatorCommand& command>
struct OperatorConfigOf : OperatorConfig {};

Settings describe_operator(OperatorConfig& config, const OperatorCommand& command);

template <const OperatorCommand& command>
Settings describe(OperatorConfigOf<command>& config) {
  return describe_operator(config, command);
}

inline constexpr OperatorCommand kCheckCommand{
    "check", "Says what is wrong with the configuration and with each dependency.", "", ""};
inline constexpr OperatorCommand kMigrateCommand{"migrate", "Creates or upgrades the tables.", "",
                                                 "notify"};
inline constexpr OperatorCommand kPruneCommand{
    "prune", "Removes what is older than its retention from our own tables.", "", ""};
inline constexpr OperatorCommand kFencesCommand{"fences",
                                                "Shows or moves the places where the lanes are.",
                                                "list | set", "lane topic partition offset yes"};
inline constexpr OperatorCommand kDeadLettersCommand{
    "dead-letters", "Shows refused messages and sends them again to the lane that refused.",
    "list | show KEY | replay KEY…", "lane topic reason limit"};
inline constexpr OperatorCommand kCompareCommand{
    "compare", "Tells where a shadow agrees with the original, where it differs, and why.", "",
    "topic seconds limit"};

}  // namespace signalbox
