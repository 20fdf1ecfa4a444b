#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace signalbox {

/// How much a line matters. Warning: we coped. Error: a human must look. Critical: we stop.
enum class LogLevel { Debug, Info, Warning, Error, Critical };

/// Python's level names in any case, WARN for WARNING and FATAL for CRITICAL included.
std::optional<LogLevel> parse_log_level(std::string_view name);

/// The upper-case name: "WARNING".
std::string_view to_text(LogLevel level);

/// One value of a log line: text, a whole number, a double, a boolean or a list of texts. Borrows
/// text, so it lives as long as the call.
class LogValue {
 public:
  using Texts = std::span<const std::string_view>;
  using Variant = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool, Texts>;

  template <typename T>
    requires std::convertible_to<const T&, std::string_view>
  LogValue(const T& text) : value_{std::string_view{text}} {}  // NOLINT: implicit on purpose

  template <typename T>
    requires std::is_arithmetic_v<T>
  LogValue(T number) : value_{widest(number)} {}  // NOLINT: implicit on purpose

  LogValue(Texts texts) : value_{texts} {}  // NOLINT: implicit on purpose

  const Variant& get() const { return value_; }

 private:
  template <typename T>
  static Variant widest(T number) {
    if constexpr (std::is_same_v<T, bool>) {
      return number;
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<double>(number);
    } else if constexpr (std::is_signed_v<T>) {
      return static_cast<std::int64_t>(number);
    } else {
      return static_cast<std::uint64_t>(number);
    }
  }

  Variant value_;
};

/// A named value; the name says the unit: {"wait_ms", 250}.
struct LogField {
  std::string_view name;
  LogValue value;
};

using LogFields = std::initializer_list<LogField>;

/// Whether a line of this level would be written: ask before building something costly.
bool log_enabled(LogLevel level);

/// Writes one JSON line: time, level, service, event, then the fields. Any thread; never throws.
/// Event and field names are `snake_case` and API. No secrets; payloads at Debug only.
void log_event(LogLevel level, std::string_view event, std::span<const LogField> fields);

/// The same, but the first of an (event, key) is written at once, repeats within 30 s are counted,
/// and the next line carries `repeated`. `key` says what repeats: a host, a lane, a topic. At most
/// 256 pairs are remembered.
void log_event_limited(LogLevel level, std::string_view key, std::string_view event,
                       std::span<const LogField> fields);

inline void log_debug(std::string_view event, LogFields fields = {}) {
  log_event(LogLevel::Debug, event, {fields.begin(), fields.size()});
}
inline void log_info(std::string_view event, LogFields fields = {}) {
  log_event(LogLevel::Info, event, {fields.begin(), fields.size()});
}
inline void log_warn(std::string_view event, LogFields fields = {}) {
  log_event(LogLevel::Warning, event, {fields.begin(), fields.size()});
}
inline void log_error(std::string_view event, LogFields fields = {}) {
  log_event(LogLevel::Error, event, {fields.begin(), fields.size()});
}
inline void log_critical(std::string_view event, LogFields fields = {}) {
  log_event(LogLevel::Critical, event, {fields.begin(), fields.size()});
}
inline void log_warn_limited(std::string_view key, std::string_view event, LogFields fields = {}) {
  log_event_limited(LogLevel::Warning, key, event, {fields.begin(), fields.size()});
}
inline void log_error_limited(std::string_view key, std::string_view event, LogFields fields = {}) {
  log_event_limited(LogLevel::Error, key, event, {fields.begin(), fields.size()});
}

/// Where lines go besides the file. Commands whose answer is on stdout log to stderr; one with a
/// live terminal line logs to its file only.
enum class LogConsole { Stdout, Stderr, None };

struct LogOptions {
  std::string service;
  LogLevel level = LogLevel::Info;
  LogConsole console = LogConsole::Stdout;
  /// Holds `<service>.log`, 10 MB and five older ones; created when missing. Empty: no file.
  std::filesystem::path directory;
};

/// The logger from here to the end of the scope: one object, made by `app` before any thread. A
/// directory that cannot be written costs one warning. Without a LogSetup lines of Info and above
/// go to stdout. Ends with the repeats that nobody has told.
class LogSetup {
 public:
  explicit LogSetup(const LogOptions& options);
  ~LogSetup();
  LogSetup(const LogSetup&) = delete;
  LogSetup& operator=(const LogSetup&) = delete;
};

/// For tests: catches every line, Debug included, instead of writing it, with a clock that the
/// test holds and a limiter of its own. The logger before it is back when it ends.
class LogCapture {
 public:
  using Clock = std::function<std::chrono::system_clock::time_point()>;

  LogCapture();
  explicit LogCapture(Clock clock);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// The lines so far, in order, without line ends.
  std::vector<std::string> lines() const;

  /// Those of this level or above.
  std::vector<std::string> lines(LogLevel at_least) const;

 private:
  struct Lines;
  struct Outer;
  std::shared_ptr<Lines> lines_;  // shared with the logger's sink while the capture lives
  std::unique_ptr<Outer> outer_;
};

}  // namespace signalbox
