#include "adapters/http_server.hpp"

#include <httplib.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kBodyMax = 4'000'000;

HttpRequest request_of(const httplib::Request& from) {
  HttpRequest request{.method = from.method,
                      .path = from.path,
                      .body = from.body,
                      .remote_address = from.remote_addr,
                      .query = {from.params.begin(), from.params.end()},
                      .headers = {}};
  for (const auto& [name, value] : from.headers) {
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    request.headers.insert_or_assign(std::move(lower), value);
  }
  return request;
}

void fill(httplib::Response& response, const HttpResponse& from) {
  response.status = from.status;
  response.set_content(from.body, from.content_type.c_str());
}

httplib::Server::Handler served(HttpServer::Handler handler) {
  return [handler = std::move(handler)](const httplib::Request& from, httplib::Response& to) {
    try {
      fill(to, handler(request_of(from)));
    } catch (const std::exception& error) {
      log_error_limited(from.path, "http_handler_failed",
                        {{"path", from.path}, {"error", error.what()}});
      fill(to, http_error(500, "INTERNAL", "the request failed; the log says why"));
    }
  };
}

/// Compares without telling by its time where the first difference is.
bool same_token(std::string_view given, std::string_view expected) {
  unsigned difference = given.size() == expected.size() ? 0U : 1U;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char other = expected.empty() ? '\0' : expected[i % expected.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(given[i] ^ other));
  }
  return difference == 0;
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

}  // namespace

std::string_view HttpRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view{} : std::string_view{found->second};
}

HttpResponse http_error(int status, std::string_view code, std::string_view text) {
  const nlohmann::json body{{"error", text}, {"code", code}};
  return {.status = status,
          .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

HttpResponse authorize(const HttpRequest& request, const std::string& token) {
  if (token.empty()) {
    const bool proxied =
        !request.header("forwarded").empty() || !request.header("x-forwarded-for").empty();
    if (is_loopback(request.remote_address) && !proxied) return {};
    return http_error(403, "LOOPBACK_ONLY",
                      "no SIGNALBOX_TOKEN is configured: only this machine may do that");
  }
  std::string_view given = request.header("x-signalbox-token");
  const std::string_view authorization = request.header("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  if (authorization.starts_with(kBearer)) given = authorization.substr(kBearer.size());
  if (given.empty()) return http_error(401, "TOKEN_MISSING", "send Authorization: Bearer TOKEN");
  if (!same_token(given, token)) return http_error(403, "TOKEN_WRONG", "the token is another");
  return {};
}

struct HttpServer::Impl {
  Options options;
  httplib::Server server;
  std::uint16_t port = 0;
  std::jthread thread;
};

HttpServer::HttpServer(Options options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  httplib::Server& server = impl_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  // The library's default, SO_REUSEPORT, would let two processes share a port unnoticed.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.set_payload_max_length(kBodyMax);
  server.set_read_timeout(5);
  server.set_write_timeout(5);
  server.set_keep_alive_timeout(2);
  server.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    const int status = response.status;
    const char* code = status == 404 ? "NOT_FOUND" : status == 413 ? "TOO_LARGE" : "BAD_REQUEST";
    fill(response, http_error(status, code, "nothing is served at " + request.path));
  });
}

HttpServer::~HttpServer() { stop(); }

void HttpServer::get(const std::string& path, Handler handler) {
  impl_->server.Get(path, served(std::move(handler)));
}

void HttpServer::post(const std::string& path, Handler handler) {
  impl_->server.Post(path, served([token = impl_->options.token,
                                   handler = std::move(handler)](const HttpRequest& request) {
                       HttpResponse verdict = authorize(request, token);
                       return verdict.status == 200 ? handler(request) : verdict;
                     }));
}

void HttpServer::start() {
  const std::string& bind = impl_->options.bind;
  const std::uint16_t wanted = impl_->options.port;
  if (wanted == 0) {
    const int port = impl_->server.bind_to_any_port(bind.c_str());
    if (port <= 0) throw IoError("http", "cannot bind " + bind);
    impl_->port = static_cast<std::uint16_t>(port);
  } else {
    if (!impl_->server.bind_to_port(bind.c_str(), wanted)) {
      throw IoError("http", "cannot bind " + bind + ":" + std::to_string(wanted) +
                                ": is another process using the port? (--port changes it)");
    }
    impl_->port = wanted;
  }
  impl_->thread = std::jthread{[this] { impl_->server.listen_after_bind(); }};
  while (!impl_->server.is_running()) std::this_thread::yield();
}

std::uint16_t HttpServer::port() const { return impl_->port; }

void HttpServer::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->server.stop();
  impl_->thread.join();
}

HttpAnswer http_get(const std::string& host, std::uint16_t port, const std::string& path,
                    int timeout_ms) {
  httplib::Client client{host, port};
  client.set_connection_timeout(timeout_ms / 1000, (timeout_ms % 1000) * 1000);
  client.set_read_timeout(timeout_ms / 1000, (timeout_ms % 1000) * 1000);
  const httplib::Result result = client.Get(path.c_str());
  if (!result) return {.status = 0, .body = httplib::to_string(result.error())};
  return {.status = result->status, .body = result->body};
}

}  // namespace signalbox
