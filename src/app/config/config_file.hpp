#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace signalbox {

/// A configuration file as dotted keys and texts: `[redis]` `port = 6379` is "redis.port" → "6379".
/// The parts of an array are joined by commas.
using FileValues = std::map<std::string, std::string, std::less<>>;

/// Reads TOML. The error says where and what, in one line, without the file's name.
std::expected<FileValues, std::string> parse_config_file(std::string_view text);

/// The whole of a file of at most `bytes_max`. The error is the system's word: "No such file …".
std::expected<std::string, std::string> read_text_file(const std::filesystem::path& path,
                                                       std::size_t bytes_max);

}  // namespace signalbox
