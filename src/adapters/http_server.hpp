#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace signalbox {

struct HttpRequest {
  std::string method;
  std::string path;
  std::string body;
  std::string remote_address;
  std::multimap<std::string, std::string> query;
  std::map<std::string, std::string> headers;  ///< names in lower case; the last of a repeat

  /// The value of a header (lower-case name); empty when it is missing.
  std::string_view header(const std::string& name) const;
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
};

/// `{"error": text, "code": SNAKE_CASE}`
HttpResponse http_error(int status, std::string_view code, std::string_view text);

/// Who may change state: with a token, whoever sends it (`Authorization: Bearer` or
/// `X-Signalbox-Token`); without one, loopback peers whose request came through no proxy.
/// nullopt-like: status 200 means allowed.
HttpResponse authorize(const HttpRequest& request, const std::string& token);

/// A small HTTP server: a bounded pool of threads, paths and handlers.
///
/// Handlers run on the server's threads and may be called at the same time. An exception that
/// leaves one becomes a 500 with its text in the log only. Requests above 4 MB are answered 413.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  struct Options {
    std::string bind = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0: any free one
    std::string token;       ///< for handlers added with post()
  };

  explicit HttpServer(Options options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void get(const std::string& path, Handler handler);

  /// For what changes state: the caller is authorized first.
  void post(const std::string& path, Handler handler);

  /// Binds and serves from threads of its own. Throws IoError when the address cannot be bound.
  void start();

  std::uint16_t port() const;

  /// Answers what it has begun and ends. Called by the destructor too.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One GET with a deadline, for `signalbox probe` and compare.
struct HttpAnswer {
  int status = 0;  ///< 0: no answer; `body` says why
  std::string body;
};
HttpAnswer http_get(const std::string& host, std::uint16_t port, const std::string& path,
                    int timeout_ms);

}  // namespace signalbox
