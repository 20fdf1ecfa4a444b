#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config/parse.hpp"
#include "app/config/secret.hpp"
#include "app/env.hpp"

namespace signalbox {

/// How one setting is called in each place it can come from; an empty name means "not there".
struct SettingNames {
  std::vector<std::string> env{};  ///< the first that is set counts; the others are aliases
  std::string toml{};              ///< dotted: "redis.host"
  std::string flag{};              ///< without the dashes: "port"
};

/// A line of a choice: the word a user writes and what it means.
template <typename T>
using ChoiceOf = std::vector<std::pair<std::string, T>>;

template <typename T>
struct RangeOf {
  T min;
  T max;
};

enum class SettingKind { Value, List, Secret, Switch };

enum class Assigned { Yes, No };

/// One setting, described once: reading, `--help` and docs/CONFIG.md all follow from this.
struct Setting {
  SettingNames names;
  SettingKind kind = SettingKind::Value;
  std::string group;
  std::string documentation;
  std::string accepted;      ///< "a whole number from 1 to 8"
  std::string placeholder;   ///< what the flag takes in `--help`: "N"
  std::string default_text;  ///< empty: none
  std::function<Assigned(std::string_view)> assign;

  /// The name that messages use: the first variable, else the flag, else the key in the file.
  std::string name() const;
};

/// Something to tell once the log is there: a `snake_case` event and what it is about.
struct ConfigNote {
  std::string event;
  std::string detail;

  bool operator==(const ConfigNote&) const = default;
};

/// What the checks over several settings may look at and say.
class ConfigCheck {
 public:
  using Given = std::map<std::string, std::string, std::less<>>;

  explicit ConfigCheck(const Given& given) : given_{given} {}

  /// Whether the setting of this name (Setting::name) was given anywhere.
  bool is_given(std::string_view name) const { return given_.contains(name); }

  void problem(std::string text) { problems.push_back(std::move(text)); }
  void note(std::string event, std::string detail) {
    notes.push_back({std::move(event), std::move(detail)});
  }

  std::vector<std::string> problems;
  std::vector<ConfigNote> notes;

 private:
  const Given& given_;  // name to where it came from
};

/// librdkafka's own properties, which pass through under their own names.
using KafkaPassThrough = std::map<std::string, std::string>;

/// The description of everything one service can be told, bound to the struct that receives it. The
/// struct's values at the time of the description are the defaults. Must not outlive the struct.
class Settings {
 public:
  Settings(std::string service, std::string summary)
      : service_{std::move(service)}, summary_{std::move(summary)} {}

  /// Settings that follow belong to this heading.
  void group(std::string title) { group_ = std::move(title); }

  void text(std::string& value, SettingNames names, std::string documentation);
  void secret(Secret& value, SettingNames names, std::string documentation,
              std::string shown_default = {});
  void decimal(double& value, RangeOf<double> range, SettingNames names, std::string documentation);
  void boolean(bool& value, SettingNames names, std::string documentation);
  void list(std::vector<std::string>& value, SettingNames names, std::string documentation);
  void host(std::string& value, SettingNames names, std::string documentation);
  void address(std::string& value, SettingNames names, std::string documentation);
  void port(std::uint16_t& value, SettingNames names, std::string documentation);
  void kafka_name(std::string& value, SettingNames names, std::string documentation);
  void directory(std::filesystem::path& value, SettingNames names, std::string documentation);

  /// Durations; the variable's name says the unit. Seconds may have decimals.
  void milliseconds(std::chrono::milliseconds& value, RangeOf<std::chrono::milliseconds> range,
                    SettingNames names, std::string documentation);
  void seconds(std::chrono::milliseconds& value, RangeOf<std::chrono::milliseconds> range,
               SettingNames names, std::string documentation);
  void days(std::chrono::days& value, RangeOf<std::chrono::days> range, SettingNames names,
            std::string documentation);

  template <std::integral T>
  void integer(T& value, RangeOf<T> range, SettingNames names, std::string documentation) {
    add_integer(static_cast<std::int64_t>(value), static_cast<std::int64_t>(range.min),
                static_cast<std::int64_t>(range.max), std::move(names), std::move(documentation),
                [&value](std::int64_t number) { value = static_cast<T>(number); });
  }

  /// One of a few words, in any case.
  template <typename T>
  void choice(T& value, ChoiceOf<T> choices, SettingNames names, std::string documentation) {
    Setting setting = described(std::move(names), std::move(documentation));
    setting.accepted = "one of " + words_of(choices);
    setting.placeholder = "WORD";
    for (const auto& [word, meaning] : choices) {
      if (meaning == value) {
        setting.default_text = word;
        break;
      }
    }
    setting.assign = [&value, choices = std::move(choices)](std::string_view text) {
      const auto* meaning = find_choice(choices, text);
      if (meaning == nullptr) return Assigned::No;
      value = *meaning;
      return Assigned::Yes;
    };
    add(std::move(setting));
  }

  /// Any of a few words, separated by commas, in any case; at least one.
  template <typename T>
  void choices(std::vector<T>& value, ChoiceOf<T> choices, SettingNames names,
               std::string documentation) {
    Setting setting = described(std::move(names), std::move(documentation));
    setting.kind = SettingKind::List;
    setting.accepted = "a comma-separated list of " + words_of(choices);
    setting.placeholder = "LIST";
    for (const auto& [word, meaning] : choices) {
      if (std::find(value.begin(), value.end(), meaning) == value.end()) continue;
      setting.default_text += (setting.default_text.empty() ? "" : ",") + word;
    }
    setting.assign = [&value, choices = std::move(choices)](std::string_view text) {
      std::vector<T> found;
      for (const std::string& word : split_list(text)) {
        const auto* meaning = find_choice(choices, word);
        if (meaning == nullptr) return Assigned::No;
        if (std::find(found.begin(), found.end(), *meaning) == found.end()) {
          found.push_back(*meaning);
        }
      }
      if (found.empty()) return Assigned::No;
      value = std::move(found);
      return Assigned::Yes;
    };
    add(std::move(setting));
  }

  /// A setting of a kind of its own; names, documentation, accepted, placeholder and assign filled.
  void custom(Setting setting);

  /// Takes whatever `kafka.*` and `KAFKA_SASL_…`, `KAFKA_SSL_…`, `KAFKA_SECURITY_PROTOCOL` say.
  void kafka_properties(KafkaPassThrough& properties) { kafka_properties_ = &properties; }

  /// Lets words that are no flags through, as Loaded::arguments: `usage` is "list | show ID".
  void arguments(std::string usage, std::size_t at_most);

  /// Called when every setting has its value and none was malformed; in order.
  void check(std::function<void(ConfigCheck&)> check) { checks_.push_back(std::move(check)); }

  const std::string& service() const { return service_; }
  const std::string& summary() const { return summary_; }
  const std::vector<Setting>& all() const { return settings_; }
  const std::vector<std::function<void(ConfigCheck&)>>& checks() const { return checks_; }
  KafkaPassThrough* kafka_properties() const { return kafka_properties_; }
  const std::string& arguments_usage() const { return arguments_usage_; }
  std::size_t arguments_max() const { return arguments_max_; }

 private:
  template <typename T>
  static std::string words_of(const ChoiceOf<T>& choices) {
    std::string words;
    for (const auto& [word, meaning] : choices) words += (words.empty() ? "" : ", ") + word;
    return words;
  }

  template <typename T>
  static const T* find_choice(const ChoiceOf<T>& choices, std::string_view text) {
    const std::string wanted = lower_case(trimmed(text));
    for (const auto& [word, meaning] : choices) {
      if (lower_case(word) == wanted) return &meaning;
    }
    return nullptr;
  }

  Setting described(SettingNames names, std::string documentation) const;
  void add(Setting setting);
  void add_integer(std::int64_t now, std::int64_t min, std::int64_t max, SettingNames names,
                   std::string documentation, std::function<void(std::int64_t)> store);
  void add_matching(std::string& value, SettingNames names, std::string documentation,
                    std::string accepted, bool (*matches)(std::string_view));

  std::string service_;
  std::string summary_;
  std::string group_;
  std::vector<Setting> settings_;
  std::vector<std::function<void(ConfigCheck&)>> checks_;
  KafkaPassThrough* kafka_properties_ = nullptr;
  std::string arguments_usage_;
  std::size_t arguments_max_ = 0;
};

}  // namespace signalbox
