#pragma once

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace signalbox {

/// Environment variables as a value: the process's own, a file's, or a test's.
class Environment {
 public:
  using Variables = std::map<std::string, std::string, std::less<>>;

  Environment() = default;
  explicit Environment(Variables variables) : variables_{std::move(variables)} {}

  /// The process's environment. The only place that reads it; `main` calls it once.
  static Environment of_process();

  /// The value, or nothing when the variable is missing or empty: compose files and shells write
  /// `NAME=` for "not set".
  std::optional<std::string> find(std::string_view name) const;

  /// These variables, and those of `other` that are missing here.
  Environment over(const Environment& other) const;

  const Variables& variables() const { return variables_; }

  bool operator==(const Environment&) const = default;

 private:
  Variables variables_;
};

/// Reads the text of an `.env` file: `NAME=value` lines, `export` before the name, comments, single
/// quotes (literal), double quotes (with \n \t \r \" \\ \$), CRLF. `$NAME` is not replaced. The
/// error names the line and never its text, which may be a secret.
std::expected<Environment, std::string> parse_env_file(std::string_view text);

}  // namespace signalbox
