#include "app/config/help.hpp"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "app/config/flags.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kWidth = 100;

/// `text` broken into lines that begin with `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = kWidth;
  while (!text.empty()) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, blank);
    if (column + 1 + word.size() > kWidth) {
      if (!out.empty()) out += '\n';
      out += std::string(indent, ' ');
      column = indent;
    } else {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
  return out + '\n';
}

std::string describe_value(const Setting& setting) {
  const std::string text =
      setting.default_text.empty() ? std::string{"none"} : setting.default_text;
  return fmt::format("{} Accepted: {}. Default: {}.", setting.documentation, setting.accepted,
                     text);
}

std::string flag_line(std::string_view name, std::string_view placeholder) {
  return fmt::format("  --{}{}{}\n", name, placeholder.empty() ? "" : " ", placeholder);
}

std::string names_line(const Setting& setting) {
  std::string names = fmt::format("{}", fmt::join(setting.names.env, " or "));
  if (setting.kind == SettingKind::Secret) names += fmt::format(" or {}_FILE", setting.name());
  if (setting.names.toml.empty()) return fmt::format("  {}\n", names);
  return fmt::format("  {} [{}]\n", names, setting.names.toml);
}

/// Code in a table cell; a bar would end the cell.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string code(std::string_view text) {
  return text.empty() ? std::string{} : fmt::format("`{}`", cell(text));
}

}  // namespace

std::string help_text(const Settings& settings) {
  std::string out = fmt::format("Usage: signalbox {} [flags]{}{}\n\n{}\nFlags:\n",
                                settings.service(), settings.arguments_usage().empty() ? "" : " ",
                                settings.arguments_usage(), wrapped(settings.summary(), 0));
  for (const Setting& setting : settings.all()) {
    if (setting.names.flag.empty()) continue;
    out += flag_line(setting.names.flag, setting.placeholder);
    out += wrapped(describe_value(setting), 6);
  }
  for (const CommonFlag& flag : common_flags()) {
    out += flag_line(flag.name, flag.placeholder) + wrapped(flag.documentation, 6);
  }
  out +=
      "\nVariables, and [their key] in the --config file. A flag wins over the environment, the\n"
      "environment over ./.env, that over the file.\n";
  std::string group;
  for (const Setting& setting : settings.all()) {
    if (setting.names.env.empty()) continue;
    if (setting.group != group) out += fmt::format("\n{}:\n", setting.group);
    group = setting.group;
    out += names_line(setting) + wrapped(describe_value(setting), 6);
  }
  if (settings.kafka_properties() != nullptr) {
    out +=
        "\nlibrdkafka's own properties:\n"
        "  KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_..., KAFKA_SSL_... [kafka.PROPERTY]\n" +
        wrapped("KAFKA_SASL_USERNAME is sasl.username, and so on.", 6);
  }
  return out;
}

std::string markdown_table(const Settings& settings, std::string_view group) {
  std::string out =
      "| variable | key in the file | flag | default | accepted | what it does |\n"
      "|---|---|---|---|---|---|\n";
  for (const Setting& setting : settings.all()) {
    if (setting.group != group) continue;
    std::string variables;
    for (const std::string& name : setting.names.env) {
      variables += (variables.empty() ? "" : ", ") + code(name);
      if (setting.kind == SettingKind::Secret) variables += ", " + code(name + "_FILE");
    }
    const std::string flag = setting.names.flag.empty() ? "" : code("--" + setting.names.flag);
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", variables, code(setting.names.toml),
                       flag, code(setting.default_text), cell(setting.accepted),
                       cell(setting.documentation));
  }
  return out;
}

}  // namespace signalbox
