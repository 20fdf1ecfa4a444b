#include "base/log.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <mutex>
#include <system_error>
#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/log_limiter.hpp"
#include "base/text.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kFileBytesMax = 10 * 1024 * 1024;
constexpr std::size_t kOlderFiles = 5;

using Clock = LogCapture::Clock;
using Write = std::function<void(LogLevel, const std::string& line)>;

/// Everything that a line needs. One exists; `log_mutex()` guards it.
struct LogState {
  std::string service = "signalbox";
  Clock clock = [] { return std::chrono::system_clock::now(); };
  Write write;
  LogLimiter limiter;
};

/// Function statics, so that a line written before main or by another static's constructor works.
std::mutex& log_mutex() {
  static std::mutex mutex;
  return mutex;
}

LogState& log_state() {
  static LogState state;
  return state;
}

std::atomic<LogLevel>& log_level() {
  static std::atomic<LogLevel> level{LogLevel::Info};
  return level;
}

void append_texts(std::string& line, LogValue::Texts texts) {
  line += '[';
  for (const std::string_view text : texts) {
    if (line.back() != '[') line += ',';
    append_json_string(line, text);
  }
  line += ']';
}

void append_value(std::string& line, const LogValue& value) {
  std::visit(
      [&line](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          append_json_string(line, v);
        } else if constexpr (std::is_same_v<T, LogValue::Texts>) {
          append_texts(line, v);
        } else if constexpr (std::is_same_v<T, double>) {
          append_json_number(line, v);
        } else if constexpr (std::is_same_v<T, bool>) {
          line += v ? "true" : "false";
        } else {
          line += std::to_string(v);
        }
      },
      value.get());
}

void append_field(std::string& line, std::string_view name, const LogValue& value) {
  if (line.size() > 1) line += ',';
  append_json_string(line, name);
  line += ':';
  append_value(line, value);
}

std::string format_line(const LogState& state, LogLevel level, std::string_view event,
                        std::span<const LogField> fields, std::uint64_t repeated) {
  std::string line = "{";
  append_field(line, "time", rfc3339_utc(state.clock()));
  append_field(line, "level", to_text(level));
  append_field(line, "service", state.service);
  append_field(line, "event", event);
  for (const LogField& field : fields) append_field(line, field.name, field.value);
  if (repeated > 0) append_field(line, "repeated", repeated);
  line += '}';
  return line;
}

void write_line(LogState& state, LogLevel level, std::string_view event,
                std::span<const LogField> fields, std::uint64_t repeated = 0) {
  const std::string line = format_line(state, level, event, fields, repeated);
  if (state.write) {
    state.write(level, line);
    return;
  }
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void write_untold(LogState& state) {
  if (!log_enabled(LogLevel::Warning)) return;
  for (const LogLimiter::Untold& untold : state.limiter.drain()) {
    const LogField fields[] = {{"of_event", untold.event}, {"key", untold.key}};
    write_line(state, LogLevel::Warning, "log_repeats", fields, untold.repeated);
  }
}

spdlog::sink_ptr console_sink(LogConsole console) {
  if (console == LogConsole::Stderr) return std::make_shared<spdlog::sinks::stderr_sink_st>();
  return std::make_shared<spdlog::sinks::stdout_sink_st>();
}

/// The file's sink, or why there is none. The directory is made first: spdlog would say less.
spdlog::sink_ptr file_sink(const LogOptions& options, std::string& problem) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) {
    problem = error.message();
    return nullptr;
  }
  try {
    const std::filesystem::path path = options.directory / (options.service + ".log");
    return std::make_shared<spdlog::sinks::rotating_file_sink_st>(path.string(), kFileBytesMax,
                                                                  kOlderFiles);
  } catch (const spdlog::spdlog_ex& failure) {
    problem = failure.what();
    return nullptr;
  }
}

/// spdlog does the rotating and the writing; the line is ours and the lock is ours.
Write spdlog_writer(std::vector<spdlog::sink_ptr> sinks, const std::string& service) {
  auto logger = std::make_shared<spdlog::logger>(service, sinks.begin(), sinks.end());
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::info);
  // A disk that fills up later must not flood stderr: once is enough.
  logger->set_error_handler([told = false](const std::string& why) mutable {
    if (std::exchange(told, true)) return;
    std::fprintf(stderr, "signalbox: a log line could not be written: %s\n", why.c_str());
  });
  return [logger](LogLevel level, const std::string& line) {
    const auto importance = level == LogLevel::Debug ? spdlog::level::debug : spdlog::level::info;
    logger->log(importance, spdlog::string_view_t{line.data(), line.size()});
  };
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view name) {
  std::string upper{name};
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (upper == "DEBUG") return LogLevel::Debug;
  if (upper == "INFO") return LogLevel::Info;
  if (upper == "WARNING" || upper == "WARN") return LogLevel::Warning;
  if (upper == "ERROR") return LogLevel::Error;
  if (upper == "CRITICAL" || upper == "FATAL") return LogLevel::Critical;
  return std::nullopt;
}

std::string_view to_text(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return "DEBUG";
    case LogLevel::Info:
      return "INFO";
    case LogLevel::Warning:
      return "WARNING";
    case LogLevel::Error:
      return "ERROR";
    case LogLevel::Critical:
      return "CRITICAL";
  }
  return "CRITICAL";
}

bool log_enabled(LogLevel level) { return level >= log_level().load(std::memory_order_relaxed); }

void log_event(LogLevel level, std::string_view event, std::span<const LogField> fields) {
  if (!log_enabled(level)) return;
  const std::lock_guard lock{log_mutex()};
  write_line(log_state(), level, event, fields);
}

void log_event_limited(LogLevel level, std::string_view key, std::string_view event,
                       std::span<const LogField> fields) {
  if (!log_enabled(level)) return;
  const std::lock_guard lock{log_mutex()};
  LogState& state = log_state();
  const auto repeated = state.limiter.admit(event, key, state.clock());
  if (repeated) write_line(state, level, event, fields, *repeated);
}

LogSetup::LogSetup(const LogOptions& options) {
  std::vector<spdlog::sink_ptr> sinks;
  std::string problem;
  if (options.console != LogConsole::None) sinks.push_back(console_sink(options.console));
  if (!options.directory.empty()) {
    if (auto sink = file_sink(options, problem)) sinks.push_back(std::move(sink));
  }
  // Without a file and a console the warning below would have nowhere to go.
  if (sinks.empty()) sinks.push_back(console_sink(LogConsole::Stderr));
  {
    const std::lock_guard lock{log_mutex()};
    log_state().service = options.service;
    log_state().write = spdlog_writer(std::move(sinks), options.service);
    log_level().store(options.level);
  }
  if (!problem.empty()) {
    log_warn("log_file_unavailable",
             {{"directory", options.directory.native()}, {"error", problem}});
  }
}

LogSetup::~LogSetup() {
  const std::lock_guard lock{log_mutex()};
  write_untold(log_state());
  log_state() = LogState{};
  log_level().store(LogLevel::Info);
}

struct LogCapture::Lines {
  std::vector<std::pair<LogLevel, std::string>> written;
};

struct LogCapture::Outer {
  LogState state;
  LogLevel level;
};

LogCapture::LogCapture() : LogCapture{[] { return std::chrono::system_clock::now(); }} {}

LogCapture::LogCapture(Clock clock) : lines_{std::make_shared<Lines>()} {
  const std::lock_guard lock{log_mutex()};
  outer_ = std::make_unique<Outer>(Outer{std::exchange(log_state(), LogState{}), log_level()});
  log_state().service = outer_->state.service;
  log_state().clock = std::move(clock);
  log_state().write = [lines = lines_](LogLevel level, const std::string& line) {
    lines->written.emplace_back(level, line);
  };
  log_level().store(LogLevel::Debug);
}

LogCapture::~LogCapture() {
  const std::lock_guard lock{log_mutex()};
  log_state() = std::move(outer_->state);
  log_level().store(outer_->level);
}

std::vector<std::string> LogCapture::lines() const { return lines(LogLevel::Debug); }

std::vector<std::string> LogCapture::lines(LogLevel at_least) const {
  const std::lock_guard lock{log_mutex()};
  std::vector<std::string> found;
  for (const auto& [level, line] : lines_->written) {
    if (level >= at_least) found.push_back(line);
  }
  return found;
}

}  // namespace signalbox
