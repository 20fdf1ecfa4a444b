#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox {

/// Where a Redis is and how long to wait for it.
struct RedisOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user;      ///< of an ACL; empty: the default user
  std::string password;  ///< empty: no AUTH
  int database = 0;
  std::string client_name = "signalbox";  ///< shown by CLIENT LIST
  std::chrono::milliseconds connect_timeout{2'000};
  std::chrono::milliseconds command_timeout{5'000};  ///< for one request and its replies
  std::optional<std::chrono::seconds> keepalive{15};
};

/// One reply, or one element of an array.
struct RedisReply {
  enum class Type : std::uint8_t { Status, Error, Integer, Text, Nil, Array };

  Type type;
  std::int64_t integer = 0;  ///< the number; of an array, how many elements follow
  std::string_view text{};   ///< of Status, Error and Text; dies with the next receive()
};

/// The replies of one request in the order of the wire: an array, then its elements. Kept flat
/// and used again, so that a thousand small replies cost no allocation.
class RedisReplies {
 public:
  void clear();
  void add(RedisReply::Type type, std::int64_t integer, std::string_view text);

  /// The next reply or element. There must be one: the connection read as many as were asked for.
  RedisReply take();

  /// Passes the next reply with all its elements.
  void skip();

  /// The next reply as texts, when it is an array of them; nil is nullopt. Anything else is passed
  /// and gives nullopt, or the text of the error.
  std::expected<std::vector<std::optional<std::string>>, std::string> take_texts();

 private:
  struct Node {
    RedisReply::Type type;
    std::int64_t integer;
    std::size_t begin;
    std::size_t size;
  };

  std::vector<Node> nodes_;
  std::string texts_;
  std::size_t next_ = 0;
};

/// One connection to one Redis, opened when it is needed.
///
/// One thread owns it. Failures are texts, not exceptions, because a sink must tell apart what was
/// sent and what was not. After a failure the connection is closed and never used again: replies
/// still on their way would be read as answers to the next request.
class RedisConnection {
 public:
  explicit RedisConnection(RedisOptions options);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  /// Opens the connection when there is none or the server has closed it, and starts the time-out
  /// of one request. Refuses a Redis Cluster and a user without MULTI by name.
  std::expected<void, std::string> ready();

  /// Starts a time-out of this length: for who waits longer for the next reply than for an answer.
  void wait_up_to(std::chrono::milliseconds duration);

  /// Hands over what the socket takes now, without waiting; returns how many bytes that were.
  std::expected<std::size_t, std::string> send_some(std::string_view bytes);

  /// Sends everything, or fails at the time-out.
  std::expected<void, std::string> send(std::string_view bytes);

  /// Reads `count` replies. The answer is valid until the next call.
  std::expected<RedisReplies*, std::string> receive(std::size_t count);

  /// send() and receive() in one.
  std::expected<RedisReplies*, std::string> call(std::string_view bytes, std::size_t count);

  void close();

  /// Counts the connections made: what the server remembers of a client (WATCH) ends with one.
  std::uint64_t generation() const { return generation_; }

  /// All bytes that were ever handed to a socket: what was not is certainly not executed.
  std::uint64_t bytes_sent() const { return bytes_sent_; }

  /// `host:port`, for texts.
  const std::string& address() const { return address_; }

 private:
  struct Handle;

  std::expected<void, std::string> open();
  std::expected<void, std::string> greet();
  void set_socket_options();
  std::expected<void, std::string> wait_for(short events);
  std::expected<std::size_t, std::string> read_some();
  std::unexpected<std::string> fail(std::string_view why);

  RedisOptions options_;
  std::string address_;
  std::unique_ptr<Handle> handle_;
  std::chrono::steady_clock::time_point deadline_{};
  std::uint64_t generation_ = 0;
  std::uint64_t bytes_sent_ = 0;
  RedisReplies replies_;
  std::vector<char> buffer_;
};

}  // namespace signalbox
