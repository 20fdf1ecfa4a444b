#include "app/config/config_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <toml++/toml.h>

namespace signalbox {
namespace {

/// The text of a node that is no table and no array; nothing for dates and times, which no setting
/// takes.
std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return std::string{truth->get() ? "true" : "false"};
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  return std::nullopt;
}

std::optional<std::string> array_text(const toml::array& array) {
  std::string joined;
  for (const toml::node& node : array) {
    const auto text = scalar_text(node);
    // A comma inside one part would make two of it later.
    if (!text || text->find(',') != std::string::npos) return std::nullopt;
    if (!joined.empty()) joined += ',';
    joined += *text;
  }
  return joined;
}

/// Adds the table's values; returns what is wrong with the first that cannot be one.
std::optional<std::string> flatten(const toml::table& table, const std::string& prefix,
                                   FileValues& values) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string{key.str()};
    if (const toml::table* inner = node.as_table()) {
      if (auto problem = flatten(*inner, name + '.', values)) return problem;
      continue;
    }
    const auto text = node.is_array() ? array_text(*node.as_array()) : scalar_text(node);
    if (!text) {
      return fmt::format(
          "{} (line {}): accepted is text, a number, true, false, or a list of these", name,
          node.source().begin.line);
    }
    if (!values.emplace(name, *text).second) return name + ": given twice";
  }
  return std::nullopt;
}

}  // namespace

std::expected<FileValues, std::string> parse_config_file(std::string_view text) {
  try {
    FileValues values;
    const toml::table table = toml::parse(text);
    if (auto problem = flatten(table, "", values)) return std::unexpected(*problem);
    return values;
  } catch (const toml::parse_error& error) {
    return std::unexpected(
        fmt::format("line {}: {}", error.source().begin.line, error.description()));
  }
}

std::expected<std::string, std::string> read_text_file(const std::filesystem::path& path,
                                                       std::size_t bytes_max) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file{std::fopen(path.c_str(), "rb"), close};
  if (!file) return std::unexpected(std::string{std::strerror(errno)});
  std::string text(bytes_max + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return std::unexpected(std::string{std::strerror(errno)});
  if (text.size() > bytes_max) {
    return std::unexpected(fmt::format("more than {} bytes", bytes_max));
  }
  return text;
}

}  // namespace signalbox
