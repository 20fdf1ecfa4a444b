#include "app/config/load.hpp"

#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "app/config/config_file.hpp"
#include "app/config/flags.hpp"
#include "app/config/kafka_pass_through.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kFileBytesMax = 1'000'000;
constexpr std::size_t kSecretBytesMax = 65'536;

/// A text that a setting was given, and what to call the place in a message.
struct Found {
  std::string text;
  std::string name;   // the name that was used there: an alias, a flag, a key
  std::string where;  // "environment", "command line", "signalbox.toml"
};

/// One run of load_settings: gathers problems instead of stopping at the first, so that a user
/// sees them all at once.
class Loader {
 public:
  Loader(const Settings& settings, std::span<const std::string> arguments,
         const LoadSources& sources)
      : settings_{settings}, sources_{sources}, flags_{parse_flags(settings, arguments)} {
    problems_ = flags_.problems;
  }

  std::expected<LoadOutcome, ConfigError> load();

 private:
  void read_files();
  std::optional<std::string> read_named_file(const std::filesystem::path& path,
                                             const std::string& name, std::size_t bytes_max);
  void assign(const Setting& setting);
  std::optional<Found> find(const Setting& setting);
  std::optional<Found> find_variable(const Setting& setting);
  std::optional<Found> find_key(const Setting& setting);
  void pass_through_kafka();
  void pass_through(const std::string& property, const Found& found);
  void refuse_unknown_keys();
  void check_combinations();

  const Settings& settings_;
  const LoadSources& sources_;
  Flags flags_;
  Environment environment_;
  FileValues file_;
  std::string file_name_;
  std::set<std::string, std::less<>> known_keys_;
  ConfigCheck::Given given_;
  LoadOutcome outcome_;
  std::vector<std::string> problems_;
};

std::expected<LoadOutcome, ConfigError> Loader::load() {
  outcome_.arguments = flags_.arguments;
  // Who asks for help gets it, whatever else is wrong.
  if (flags_.has("help")) outcome_.request = Request::Help;
  if (flags_.has("version")) outcome_.request = Request::Version;
  if (outcome_.request != Request::Run) return std::move(outcome_);
  read_files();
  for (const Setting& setting : settings_.all()) assign(setting);
  if (settings_.kafka_properties() != nullptr) pass_through_kafka();
  refuse_unknown_keys();
  if (problems_.empty()) check_combinations();
  if (!problems_.empty()) return std::unexpected(ConfigError{std::move(problems_)});
  return std::move(outcome_);
}

std::optional<std::string> Loader::read_named_file(const std::filesystem::path& path,
                                                   const std::string& name, std::size_t bytes_max) {
  auto text = read_text_file(path, bytes_max);
  if (text) return std::move(*text);
  problems_.push_back(fmt::format("{}: found \"{}\", which cannot be read ({}), accepted is a file",
                                  name, path.native(), text.error()));
  return std::nullopt;
}

void Loader::read_files() {
  environment_ = sources_.environment;
  std::optional<std::filesystem::path> env_file = flags_.find("env-file");
  std::error_code ignored;  // a folder that cannot be looked into holds no .env for us
  if (!env_file && !sources_.dot_env.empty() &&
      std::filesystem::exists(sources_.dot_env, ignored)) {
    env_file = sources_.dot_env;
  }
  if (env_file) {
    if (const auto text = read_named_file(*env_file, "--env-file", kFileBytesMax)) {
      if (auto variables = parse_env_file(*text)) {
        environment_ = environment_.over(*variables);
      } else {
        problems_.push_back(fmt::format("{}: {}", env_file->native(), variables.error()));
      }
    }
  }
  if (const auto config_file = flags_.find("config")) {
    file_name_ = *config_file;
    if (const auto text = read_named_file(*config_file, "--config", kFileBytesMax)) {
      if (auto values = parse_config_file(*text)) {
        file_ = std::move(*values);
      } else {
        problems_.push_back(fmt::format("{}: {}", file_name_, values.error()));
      }
    }
  }
}

void Loader::assign(const Setting& setting) {
  if (!setting.names.toml.empty()) {
    known_keys_.insert(setting.names.toml);
    if (setting.kind == SettingKind::Secret) known_keys_.insert(setting.names.toml + "_file");
  }
  const auto found = find(setting);
  if (!found) return;
  given_.emplace(setting.name(), found->where);
  if (setting.assign(found->text) == Assigned::Yes) return;
  const std::string shown = setting.kind == SettingKind::Secret
                                ? "a value that is not shown"
                                : fmt::format("\"{}\"", found->text);
  problems_.push_back(fmt::format("{}: found {} ({}), accepted is {}", found->name, shown,
                                  found->where, setting.accepted));
}

std::optional<Found> Loader::find(const Setting& setting) {
  if (!setting.names.flag.empty()) {
    if (const auto text = flags_.find(setting.names.flag)) {
      return Found{*text, "--" + setting.names.flag, "command line"};
    }
  }
  if (auto found = find_variable(setting)) return found;
  return find_key(setting);
}

std::optional<Found> Loader::find_variable(const Setting& setting) {
  for (const std::string& name : setting.names.env) {
    const auto text = environment_.find(name);
    if (setting.kind != SettingKind::Secret) {
      if (text) return Found{*text, name, "environment"};
      continue;
    }
    const auto path = environment_.find(name + "_FILE");
    if (text && path) {
      problems_.push_back(
          fmt::format("{0} and {0}_FILE: found both, accepted is one of them", name));
    }
    if (text) return Found{*text, name, "environment"};
    if (!path) continue;
    const auto secret = read_named_file(*path, name + "_FILE", kSecretBytesMax);
    if (!secret) return std::nullopt;
    return Found{secret->substr(0, secret->find_last_not_of("\r\n") + 1), name + "_FILE", *path};
  }
  return std::nullopt;
}

std::optional<Found> Loader::find_key(const Setting& setting) {
  if (setting.names.toml.empty()) return std::nullopt;
  const auto found = file_.find(setting.names.toml);
  if (found != file_.end() && !found->second.empty()) {
    return Found{found->second, setting.names.toml, file_name_};
  }
  const auto path = file_.find(setting.names.toml + "_file");
  if (setting.kind != SettingKind::Secret || path == file_.end()) return std::nullopt;
  const auto secret = read_named_file(path->second, path->first, kSecretBytesMax);
  if (!secret) return std::nullopt;
  return Found{secret->substr(0, secret->find_last_not_of("\r\n") + 1), path->first, path->second};
}

/// The file first, then the variables, which win.
void Loader::pass_through_kafka() {
  constexpr std::string_view kTable = "kafka.";
  for (const auto& [key, text] : file_) {
    if (!key.starts_with(kTable) || known_keys_.contains(key)) continue;
    known_keys_.insert(key);
    std::string property = key.substr(kTable.size());
    if (property == "sasl.mechanism") property = "sasl.mechanisms";
    pass_through(property, {text, key, file_name_});
  }
  for (const auto& [variable, value] : environment_.variables()) {
    const auto property = kafka_property_of(variable);
    if (!property || value.empty()) continue;
    if (!variable.ends_with("_FILE")) {
      pass_through(*property, {value, variable, "environment"});
    } else if (const auto text = read_named_file(value, variable, kSecretBytesMax)) {
      pass_through(*property,
                   {text->substr(0, text->find_last_not_of("\r\n") + 1), variable, value});
    }
  }
}

void Loader::pass_through(const std::string& property, const Found& found) {
  if (const auto problem = kafka_pass_through_problem(property, found.text)) {
    problems_.push_back(fmt::format("{} ({}): {}", found.name, found.where, *problem));
    return;
  }
  (*settings_.kafka_properties())[property] = found.text;
}

void Loader::refuse_unknown_keys() {
  for (const auto& [key, text] : file_) {
    if (known_keys_.contains(key) || sources_.foreign_keys.contains(key)) continue;
    // librdkafka's properties in a file that a service with Kafka shares with this one.
    if (settings_.kafka_properties() == nullptr && key.starts_with("kafka.")) continue;
    problems_.push_back(
        fmt::format("{} ({}): unknown key, accepted are those of docs/CONFIG.md", key, file_name_));
  }
}

void Loader::check_combinations() {
  ConfigCheck check{given_};
  for (const auto& step : settings_.checks()) step(check);
  if (settings_.kafka_properties() != nullptr) {
    if (auto problem = kafka_combination_problem(*settings_.kafka_properties())) {
      check.problem(std::move(*problem));
    }
  }
  problems_ = std::move(check.problems);
  outcome_.notes = std::move(check.notes);
}

}  // namespace

std::string ConfigError::text() const { return fmt::format("{}", fmt::join(problems, "\n")); }

std::expected<LoadOutcome, ConfigError> load_settings(const Settings& settings,
                                                      std::span<const std::string> arguments,
                                                      const LoadSources& sources) {
  return Loader{settings, arguments, sources}.load();
}

}  // namespace signalbox
