#include "app/config/redis_url.hpp"

#include <cstddef>

#include "app/config/parse.hpp"

namespace signalbox {
namespace {

constexpr int kDbMax = 16383;
constexpr std::string_view kAccepted = ", accepted is redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]";

std::unexpected<std::string> found(std::string_view what) {
  return std::unexpected("found " + std::string{what} + std::string{kAccepted});
}

/// Celery knows more kinds of broker than Redis at one address: what was found is named, but never
/// more of a text that may hold a password.
std::unexpected<std::string> refuse_scheme(std::string_view url) {
  constexpr std::string_view kKnown[] = {"sentinel", "redis+socket", "amqp", "amqps",
                                         "pyamqp",   "sqs",          "unix"};
  const std::size_t end = url.find("://");
  const std::string scheme = lower_case(url.substr(0, end == std::string_view::npos ? 0 : end));
  for (const std::string_view known : kKnown) {
    if (scheme == known) return found(scheme + "://, which is not supported");
  }
  return found("no redis:// at its start");
}

/// Reads `[user]:password`; a name alone is a user without a password, which Redis does not have.
bool read_credentials(std::string_view text, RedisUrl& url) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto username = percent_decoded(text.substr(0, colon));
  const auto password = percent_decoded(text.substr(colon + 1));
  if (!username || !password) return false;
  url.username = *username;
  url.password = *password;
  return true;
}

bool read_host_and_port(std::string_view text, RedisUrl& url) {
  // An IPv6 address stands in brackets, since it has colons of its own.
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return false;
  const std::size_t colon = text.find(':', bracket);
  std::string_view host = text.substr(0, colon);
  if (bracket != 0) host = text.substr(1, bracket - 1);
  if (bracket != 0 && bracket + 1 != text.size() && colon != bracket + 1) return false;
  if (!is_host(host)) return false;
  url.host = host;
  if (colon == std::string_view::npos) return true;
  const auto port = parse_integer(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) return false;
  url.port = static_cast<std::uint16_t>(*port);
  return true;
}

}  // namespace

std::expected<RedisUrl, std::string> parse_redis_url(std::string_view url) {
  constexpr std::string_view kScheme = "redis://";
  url = trimmed(url);
  if (lower_case(url.substr(0, 9)) == "rediss://") {
    return std::unexpected(
        "found rediss://, but this build has no TLS to Redis, accepted is redis://; a TLS proxy "
        "such as stunnel beside the service reaches a server that insists on it");
  }
  if (lower_case(url.substr(0, kScheme.size())) != kScheme) return refuse_scheme(url);
  url.remove_prefix(kScheme.size());
  if (url.find(";redis://") != std::string_view::npos) return found("a list of servers");
  if (url.find_first_of("?#") != std::string_view::npos) return found("a query");

  RedisUrl parsed;
  // The last @ ends the credentials: a password may hold one.
  const std::size_t at = url.rfind('@');
  if (at != std::string_view::npos) {
    if (!read_credentials(url.substr(0, at), parsed)) return found("malformed credentials");
    url.remove_prefix(at + 1);
  }
  const std::size_t slash = url.find('/');
  if (!read_host_and_port(url.substr(0, slash), parsed)) return found("a malformed host or port");
  if (slash == std::string_view::npos || slash + 1 == url.size()) return parsed;
  const auto db = parse_integer(url.substr(slash + 1));
  if (!db || *db < 0 || *db > kDbMax) return found("a database that is no number from 0 to 16383");
  parsed.db = static_cast<int>(*db);
  return parsed;
}

}  // namespace signalbox
