#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace signalbox {

/// Appends one command in the form that Redis reads (RESP2): binary safe, no escapes.
void append_command(std::string& out, std::initializer_list<std::string_view> arguments);

/// The same for a command whose arguments come one by one: the head says how many follow.
void append_command_head(std::string& out, std::size_t arguments);
void append_argument(std::string& out, std::string_view argument);

}  // namespace signalbox
