#include "app/config/settings.hpp"

#include <cmath>

#include <fmt/format.h>

#include "base/check.hpp"

namespace signalbox {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ","));
}

}  // namespace

std::string Setting::name() const {
  if (!names.env.empty()) return names.env.front();
  if (!names.flag.empty()) return "--" + names.flag;
  return names.toml;
}

Setting Settings::described(SettingNames names, std::string documentation) const {
  Setting setting;
  setting.names = std::move(names);
  setting.group = group_;
  setting.documentation = std::move(documentation);
  return setting;
}

void Settings::add(Setting setting) {
  // Two settings of one name would each take half of the configuration: a bug in the description.
  for (const Setting& other : settings_) {
    SB_CHECK(other.name() != setting.name());
    SB_CHECK(setting.names.toml.empty() || other.names.toml != setting.names.toml);
    SB_CHECK(setting.names.flag.empty() || other.names.flag != setting.names.flag);
  }
  settings_.push_back(std::move(setting));
}

void Settings::custom(Setting setting) {
  setting.group = group_;
  add(std::move(setting));
}

void Settings::text(std::string& value, SettingNames names, std::string documentation) {
  Setting setting = described(std::move(names), std::move(documentation));
  setting.accepted = "text";
  setting.placeholder = "TEXT";
  setting.default_text = value;
  setting.assign = [&value](std::string_view text) {
    if (trimmed(text).empty()) return Assigned::No;
    value = trimmed(text);
    return Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::secret(Secret& value, SettingNames names, std::string documentation,
                      std::string shown_default) {
  Setting setting = described(std::move(names), std::move(documentation));
  setting.kind = SettingKind::Secret;
  setting.accepted = "a secret";
  setting.placeholder = "SECRET";
  setting.default_text = std::move(shown_default);
  setting.assign = [&value](std::string_view text) {
    value = Secret{std::string{text}};
    return Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::add_integer(std::int64_t now, std::int64_t min, std::int64_t max, SettingNames names,
                           std::string documentation, std::function<void(std::int64_t)> store) {
  Setting setting = described(std::move(names), std::move(documentation));
  setting.accepted = fmt::format("a whole number from {} to {}", min, max);
  setting.placeholder = "N";
  setting.default_text = std::to_string(now);
  setting.assign = [min, max, store = std::move(store)](std::string_view text) {
    const auto number = parse_integer(text);
    if (!number || *number < min || *number > max) return Assigned::No;
    store(*number);
    return Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::decimal(double& value, RangeOf<double> range, SettingNames names,
                       std::string documentation) {
  Setting setting = described(std::move(names), std::move(documentation));
  setting.accepted = fmt::format("a number from {} to {}", range.min, range.max);
  setting.placeholder = "N";
  setting.default_text = fmt::format("{}", value);
  setting.assign = [&value, range](std::string_view text) {
    const auto number = parse_decimal(text);
    if (!number || *number < range.min || *number > range.max) return Assigned::No;
    value = *number;
    return Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::boolean(bool& value, SettingNames names, std::string documentation) {
  Setting setting = described(std::move(names), std::move(documentation));
  setting.kind = SettingKind::Switch;
  setting.accepted = "true or false";
  setting.default_text = value ? "true" : "false";
  setting.assign = [&value](std::string_view text) {
    const auto truth = parse_boolean(text);
    if (!truth) return Assigned::No;
    value = *truth;
    return Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::list(std::vector<std::string>& value, SettingNames names,
                    std::string documentation) {
  Setting setting = described(std::move(names), std::move(documentation));
  setting.kind = SettingKind::List;
  setting.accepted = "a comma-separated list";
  setting.placeholder = "LIST";
  setting.default_text = joined(value);
  setting.assign = [&value](std::string_view text) {
    value = split_list(text);
    return Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::add_matching(std::string& value, SettingNames names, std::string documentation,
                            std::string accepted, bool (*matches)(std::string_view)) {
  Setting setting = described(std::move(names), std::move(documentation));
  setting.accepted = std::move(accepted);
  setting.placeholder = "NAME";
  setting.default_text = value;
  setting.assign = [&value, matches](std::string_view text) {
    if (!matches(trimmed(text))) return Assigned::No;
    value = trimmed(text);
    return Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::host(std::string& value, SettingNames names, std::string documentation) {
  add_matching(value, std::move(names), std::move(documentation), "a host name or address",
               is_host);
}

void Settings::address(std::string& value, SettingNames names, std::string documentation) {
  add_matching(value, std::move(names), std::move(documentation),
               "an IPv4 or IPv6 address, or localhost", is_address);
  settings_.back().placeholder = "ADDRESS";
}

void Settings::kafka_name(std::string& value, SettingNames names, std::string documentation) {
  add_matching(value, std::move(names), std::move(documentation),
               "letters, digits, `.`, `_`, `-`, at most 249", is_kafka_name);
}

void Settings::port(std::uint16_t& value, SettingNames names, std::string documentation) {
  integer<std::uint16_t>(value, {.min = 1, .max = 65535}, std::move(names),
                         std::move(documentation));
}

void Settings::directory(std::filesystem::path& value, SettingNames names,
                         std::string documentation) {
  Setting setting = described(std::move(names), std::move(documentation));
  setting.accepted = "a directory";
  setting.placeholder = "DIR";
  setting.default_text = value.native();
  setting.assign = [&value](std::string_view text) {
    value = std::filesystem::path{trimmed(text)};
    return value.empty() ? Assigned::No : Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::milliseconds(std::chrono::milliseconds& value,
                            RangeOf<std::chrono::milliseconds> range, SettingNames names,
                            std::string documentation) {
  add_integer(value.count(), range.min.count(), range.max.count(), std::move(names),
              std::move(documentation),
              [&value](std::int64_t number) { value = std::chrono::milliseconds{number}; });
  settings_.back().accepted += " (ms)";
}

void Settings::seconds(std::chrono::milliseconds& value, RangeOf<std::chrono::milliseconds> range,
                       SettingNames names, std::string documentation) {
  using Seconds = std::chrono::duration<double>;
  Setting setting = described(std::move(names), std::move(documentation));
  setting.accepted = fmt::format("a number from {} to {} (s)", Seconds{range.min}.count(),
                                 Seconds{range.max}.count());
  setting.placeholder = "N";
  setting.default_text = fmt::format("{}", Seconds{value}.count());
  setting.assign = [&value, range](std::string_view text) {
    const auto number = parse_decimal(text);
    if (!number || Seconds{*number} < range.min || Seconds{*number} > range.max) {
      return Assigned::No;
    }
    value = std::chrono::round<std::chrono::milliseconds>(Seconds{*number});
    return Assigned::Yes;
  };
  add(std::move(setting));
}

void Settings::days(std::chrono::days& value, RangeOf<std::chrono::days> range, SettingNames names,
                    std::string documentation) {
  add_integer(value.count(), range.min.count(), range.max.count(), std::move(names),
              std::move(documentation),
              [&value](std::int64_t number) { value = std::chrono::days{number}; });
  settings_.back().accepted += " (days)";
}

void Settings::arguments(std::string usage, std::size_t at_most) {
  arguments_usage_ = std::move(usage);
  arguments_max_ = at_most;
}

}  // namespace signalbox
