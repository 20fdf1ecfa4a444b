#include "adapters/resp.hpp"

#include <charconv>

namespace signalbox {
namespace {

/// `$408\r\n` or `*3\r\n`, written at `at`; returns where it ends.
char* write_count(char* at, char mark, std::size_t count) {
  *at++ = mark;
  at = std::to_chars(at, at + 20, count).ptr;
  *at++ = '\r';
  *at++ = '\n';
  return at;
}

constexpr std::size_t kCountSizeMax = 23;

}  // namespace

void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
  append_command_head(out, arguments.size());
  for (const std::string_view argument : arguments) append_argument(out, argument);
}

void append_command_head(std::string& out, std::size_t arguments) {
  char text[kCountSizeMax];
  const char* end = write_count(text, '*', arguments);
  out.append(text, static_cast<std::size_t>(end - text));
}

void append_argument(std::string& out, std::string_view argument) {
  char text[kCountSizeMax];
  const char* end = write_count(text, '$', argument.size());
  out.append(text, static_cast<std::size_t>(end - text));
  out.append(argument).append("\r\n", 2);
}

}  // namespace signalbox
