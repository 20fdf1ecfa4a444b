#include "app/operator_config.hpp"

#include <utility>

#include "domain/text.hpp"

namespace signalbox {
namespace {

bool takes(const OperatorCommand& command, std::string_view flag) {
  bool found = false;
  for_each_part(command.flags, ' ', [&](std::string_view part) { found |= part == flag; });
  return found;
}

/// A number from 0 on that may be left out.
template <typename Integer>
Setting optional_number(std::optional<Integer>& value, std::string flag,
                        std::string documentation) {
  Setting setting;
  setting.names = {{}, "", std::move(flag)};
  setting.documentation = std::move(documentation);
  setting.accepted = "a whole number from 0";
  setting.placeholder = "N";
  setting.assign = [&value](std::string_view text) {
    const auto number = integer_from<Integer>(trimmed(text));
    if (!number || *number < 0) return Assigned::No;
    value = number;
    return Assigned::Yes;
  };
  return setting;
}

Setting consent_setting(Consent& consent) {
  Setting setting;
  setting.names = {{}, "", "yes"};
  setting.kind = SettingKind::Switch;
  setting.documentation = "Do it; without this it is a dry run.";
  setting.accepted = "true or false";
  setting.default_text = "false";
  setting.assign = [&consent](std::string_view text) {
    const auto given = parse_boolean(text);
    if (!given) return Assigned::No;
    consent = *given ? Consent::Given : Consent::DryRun;
    return Assigned::Yes;
  };
  return setting;
}

Setting notify_setting(OperatorConfig& config, std::string flag, NotifyTriggers choice,
                       std::string documentation) {
  Setting setting;
  setting.names = {{}, "", std::move(flag)};
  setting.kind = SettingKind::Switch;
  setting.documentation = std::move(documentation);
  setting.accepted = "true or false";
  setting.default_text = "false";
  setting.assign = [&config, choice](std::string_view text) {
    const auto given = parse_boolean(text);
    if (!given) return Assigned::No;
    if (*given) config.notify = choice;
    return Assigned::Yes;
  };
  return setting;
}

void describe_notify(OperatorConfig& config, Settings& settings) {
  settings.custom(notify_setting(
      config, "notify", NotifyTriggers::Install,
      "Also put triggers on public.pipelines and public.scanners that tell the trigger of changes "
      "at once."));
  settings.custom(
      notify_setting(config, "no-notify", NotifyTriggers::Remove, "Take those triggers away."));
  settings.check([](ConfigCheck& check) {
    if (check.is_given("--notify") && check.is_given("--no-notify")) {
      check.problem("--notify and --no-notify exclude each other");
    }
  });
}

}  // namespace

Settings describe_operator(OperatorConfig& config, const OperatorCommand& command) {
  Settings settings{std::string(command.name), std::string(command.summary)};
  if (!command.usage.empty()) settings.arguments(std::string(command.usage), 100);
  settings.group("This command");
  if (takes(command, "lane")) {
    settings.text(config.lane, {{}, "", "lane"},
                  "redis, redis-priority, postgres or postgres-priority; all when not given.");
  }
  if (takes(command, "topic")) {
    settings.text(config.topic, {{}, "", "topic"}, "A topic's whole name; all when not given.");
  }
  if (takes(command, "reason")) {
    settings.text(config.reason, {{}, "", "reason"}, "A reason of docs/REASONS.md.");
  }
  if (takes(command, "partition")) {
    settings.custom(optional_number(config.partition, "partition", "A partition of the topic."));
  }
  if (takes(command, "offset")) {
    settings.custom(
        optional_number(config.offset, "offset", "The next offset that the lane shall want."));
  }
  if (takes(command, "limit")) {
    settings.integer<std::size_t>(config.limit, {.min = 1, .max = 100'000}, {{}, "", "limit"},
                                  "Rows that are shown at most.");
  }
  if (takes(command, "seconds")) {
    settings.seconds(config.duration,
                     {.min = std::chrono::milliseconds{100}, .max = std::chrono::hours{24}},
                     {{}, "", "seconds"}, "How long to listen.");
  }
  if (takes(command, "notify")) describe_notify(config, settings);
  if (takes(command, "yes")) settings.custom(consent_setting(config.consent));
  describe(config.dispatcher, settings);
  return settings;
}

}  // namespace signalbox
