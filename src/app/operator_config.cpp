#include "app/operator_config.hpp"

namespace signalbox {

Settings describe_operator(OperatorConfig& config, const OperatorCommand& command) {
  Settings settings{std::string(command.name), std::string(command.summary)};
  if (!command.usage.empty()) settings.arguments(std::string(command.usage), 100);
  settings.group("This command");
  settings.text(config.lane, {{}, "", "lane"},
                "redis, redis-priority, postgres or postgres-priority; all when not given.");
  settings.text(config.topic, {{}, "", "topic"}, "A topic's whole name; all when not given.");
  settings.text(config.reason, {{}, "", "reason"}, "A reason of docs/REASONS.md.");
  settings.integer<std::int32_t>(config.partition, {.min = -1, .max = 1'000'000},
                                 {{}, "", "partition"}, "A partition of the topic.");
  settings.integer<std::int64_t>(config.offset,
                                 {.min = -1, .max = std::int64_t{1} << 62}, {{}, "", "offset"},
                                 "The next offset that the lane shall want.");
  settings.integer<std::size_t>(config.limit, {.min = 1, .max = 100'000}, {{}, "", "limit"},
                                "Rows that are shown at most.");
  settings.seconds(config.duration,
                   {.min = std::chrono::milliseconds{100}, .max = std::chrono::hours{24}},
                   {{}, "", "seconds"}, "How long to listen.");
  Setting yes;
  yes.names = {{}, "", "yes"};
  yes.kind = SettingKind::Switch;
  yes.documentation = "Do it; without this it is a dry run.";
  yes.accepted = "true or false";
  yes.default_text = "false";
  yes.assign = [&config](std::string_view text) {
    const auto given = parse_boolean(text);
    if (!given) return Assigned::No;
    config.consent = *given ? Consent::Given : Consent::DryRun;
    return Assigned::Yes;
  };
  settings.custom(std::move(yes));
  describe(config.dispatcher, settings);
  return settings;
}

}  // namespace signalbox
