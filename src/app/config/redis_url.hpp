#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace signalbox {

/// redis://[[user]:password@]host[:port][/db], taken apart; percent signs in user and password are
/// decoded.
struct RedisUrl {
  std::string host;
  std::uint16_t port = 6379;
  std::string username;
  std::optional<std::string> password;
  std::optional<int> db;

  bool operator==(const RedisUrl&) const = default;
};

/// The error says what was found and what is accepted, and never holds the URL: it may carry a
/// password.
std::expected<RedisUrl, std::string> parse_redis_url(std::string_view url);

}  // namespace signalbox
