#include "adapters/redis_connection.hpp"

#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "adapters/resp.hpp"
#include "base/check.hpp"

namespace signalbox {
namespace {

using Type = RedisReply::Type;

constexpr std::size_t kReceiveBytes = 64 * 1024;
constexpr int kKeepaliveProbes = 3;

/// The reader's callbacks: each appends to the flat replies. The reader wants an object that is
/// not null; it gets the replies themselves and must not free them.
void* add_text(const redisReadTask* task, char* text, std::size_t size) {
  const Type type = task->type == REDIS_REPLY_ERROR    ? Type::Error
                    : task->type == REDIS_REPLY_STATUS ? Type::Status
                                                       : Type::Text;
  static_cast<RedisReplies*>(task->privdata)->add(type, 0, {text, size});
  return task->privdata;
}

void* add_array(const redisReadTask* task, int elements) {
  static_cast<RedisReplies*>(task->privdata)->add(Type::Array, elements, {});
  return task->privdata;
}

void* add_integer(const redisReadTask* task, long long value) {
  static_cast<RedisReplies*>(task->privdata)->add(Type::Integer, value, {});
  return task->privdata;
}

void* add_nil(const redisReadTask* task) {
  static_cast<RedisReplies*>(task->privdata)->add(Type::Nil, 0, {});
  return task->privdata;
}

void free_nothing(void*) {}

redisReplyObjectFunctions kReplyFunctions{add_text, add_array, add_integer, add_nil, free_nothing};

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};

struct FreeReader {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

timeval timeval_of(std::chrono::milliseconds duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {.tv_sec = seconds.count(),
          .tv_usec = std::chrono::microseconds{duration - seconds}.count()};
}

void set_option(int socket, int level, int name, int value) {
  // A socket that lacks an option works without it.
  static_cast<void>(setsockopt(socket, level, name, &value, sizeof value));
}

}  // namespace

void RedisReplies::clear() {
  nodes_.clear();
  texts_.clear();
  next_ = 0;
}

void RedisReplies::add(Type type, std::int64_t integer, std::string_view text) {
  nodes_.push_back({type, integer, texts_.size(), text.size()});
  texts_.append(text);
}

RedisReply RedisReplies::take() {
  SB_CHECK(next_ < nodes_.size());
  const Node& node = nodes_[next_++];
  return {node.type, node.integer, std::string_view{texts_}.substr(node.begin, node.size)};
}

void RedisReplies::skip() {
  for (std::int64_t left = 1; left > 0; --left) {
    const RedisReply reply = take();
    if (reply.type == Type::Array) left += reply.integer;
  }
}

std::expected<std::vector<std::optional<std::string>>, std::string> RedisReplies::take_texts() {
  const RedisReply head = take();
  if (head.type == Type::Error) return std::unexpected(std::string(head.text));
  if (head.type != Type::Array) return std::unexpected("an array was expected");
  std::vector<std::optional<std::string>> texts;
  texts.reserve(static_cast<std::size_t>(head.integer));
  for (std::int64_t i = 0; i < head.integer; ++i) {
    const RedisReply element = take();
    if (element.type == Type::Text) {
      texts.emplace_back(element.text);
    } else if (element.type == Type::Nil) {
      texts.emplace_back(std::nullopt);
    } else {
      return std::unexpected("an array of texts was expected");
    }
  }
  return texts;
}

struct RedisConnection::Handle {
  std::unique_ptr<redisContext, FreeContext> context;
  std::unique_ptr<redisReader, FreeReader> reader;

  int socket() const { return context->fd; }
};

RedisConnection::RedisConnection(RedisOptions options)
    : options_(std::move(options)),
      address_(options_.host + ":" + std::to_string(options_.port)),
      buffer_(kReceiveBytes) {}

RedisConnection::~RedisConnection() = default;

void RedisConnection::close() { handle_.reset(); }

std::unexpected<std::string> RedisConnection::fail(std::string_view why) {
  std::string text = address_ + ": " + std::string(why);  // `why` may die with the connection
  close();
  return std::unexpected(std::move(text));
}

std::expected<void, std::string> RedisConnection::ready() {
  if (handle_) {
    // Between requests nothing is owed to us: whatever can be read is the server's good-bye, or
    // says that we lost count of the replies.
    char byte;
    const auto seen = recv(handle_->socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (seen >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) close();
  }
  if (!handle_) {
    if (auto opened = open(); !opened) return opened;
  }
  deadline_ = std::chrono::steady_clock::now() + options_.command_timeout;
  return {};
}

std::expected<void, std::string> RedisConnection::open() {
  auto handle = std::make_unique<Handle>();
  handle->context.reset(redisConnectWithTimeout(options_.host.c_str(), options_.port,
                                                timeval_of(options_.connect_timeout)));
  if (!handle->context) return fail("no memory for a connection");
  if (handle->context->err != 0) return fail(handle->context->errstr);
  handle->reader.reset(redisReaderCreateWithFunctions(&kReplyFunctions));
  if (!handle->reader) return fail("no memory for a connection");
  handle->reader->privdata = &replies_;
  handle_ = std::move(handle);
  ++generation_;
  set_socket_options();
  deadline_ = std::chrono::steady_clock::now() + options_.command_timeout;
  return greet();
}

void RedisConnection::wait_up_to(std::chrono::milliseconds duration) {
  deadline_ = std::chrono::steady_clock::now() + duration;
}

void RedisConnection::set_socket_options() {
  const int socket = handle_->socket();
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  if (!options_.keepalive) return;
  const int seconds = static_cast<int>(options_.keepalive->count());
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, seconds / kKeepaliveProbes));
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
}

/// Everything a new connection asks for, in one round trip. MULTI and EXEC are tried here: where
/// they were refused later, what they should hold together would be executed one by one.
std::expected<void, std::string> RedisConnection::greet() {
  std::string request;
  std::size_t required = 0;
  if (!options_.password.empty() && options_.user.empty()) {
    append_command(request, {"AUTH", options_.password});
    ++required;
  } else if (!options_.password.empty()) {
    append_command(request, {"AUTH", options_.user, options_.password});
    ++required;
  }
  append_command(request, {"SELECT", std::to_string(options_.database)});
  append_command(request, {"MULTI"});
  append_command(request, {"EXEC"});
  required += 3;
  append_command(request, {"CLIENT", "SETNAME", options_.client_name});
  append_command(request, {"INFO", "cluster"});
  auto received = call(request, required + 2);
  if (!received) return std::unexpected(std::move(received.error()));
  RedisReplies& replies = **received;
  for (std::size_t i = 0; i < required; ++i) {
    const RedisReply reply = replies.take();
    if (reply.type == Type::Error) return fail(reply.text);
  }
  replies.skip();  // A user who may not name itself stays nameless.
  const RedisReply info = replies.take();
  if (info.text.find("cluster_enabled:1") != std::string_view::npos) {
    return fail(
        "this is a Redis Cluster, which is not supported: data and fences must be in one place. "
        "Use a Redis with cluster-enabled no");
  }
  return {};
}

std::expected<void, std::string> RedisConnection::wait_for(short events) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return fail("no answer within " + std::to_string(options_.command_timeout.count()) + " ms");
    }
    pollfd waiting{.fd = handle_->socket(), .events = events, .revents = 0};
    const int count = poll(&waiting, 1, static_cast<int>(left.count()));
    if (count > 0) return {};
    if (count < 0 && errno != EINTR) return fail(std::strerror(errno));
  }
}

std::expected<std::size_t, std::string> RedisConnection::send_some(std::string_view bytes) {
  SB_CHECK(handle_);
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const auto count = ::send(handle_->socket(), bytes.data() + sent, bytes.size() - sent,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
      bytes_sent_ += static_cast<std::uint64_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      return fail(std::strerror(errno));
    }
  }
  return sent;
}

std::expected<void, std::string> RedisConnection::send(std::string_view bytes) {
  for (;;) {
    const auto sent = send_some(bytes);
    if (!sent) return std::unexpected(sent.error());
    bytes.remove_prefix(*sent);
    if (bytes.empty()) return {};
    if (auto waited = wait_for(POLLOUT); !waited) return waited;
  }
}

std::expected<std::size_t, std::string> RedisConnection::read_some() {
  for (;;) {
    const auto count = recv(handle_->socket(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) return fail("the server closed the connection");
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (auto waited = wait_for(POLLIN); !waited) return std::unexpected(waited.error());
    } else if (errno != EINTR) {
      return fail(std::strerror(errno));
    }
  }
}

std::expected<RedisReplies*, std::string> RedisConnection::receive(std::size_t count) {
  SB_CHECK(handle_);
  replies_.clear();
  redisReader* const reader = handle_->reader.get();
  while (count > 0) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK) return fail(reader->errstr);
    if (reply != nullptr) {
      --count;
      continue;
    }
    const auto size = read_some();
    if (!size) return std::unexpected(size.error());
    if (redisReaderFeed(reader, buffer_.data(), *size) != REDIS_OK) return fail(reader->errstr);
  }
  return &replies_;
}

std::expected<RedisReplies*, std::string> RedisConnection::call(std::string_view bytes,
                                                                std::size_t count) {
  if (auto sent = send(bytes); !sent) return std::unexpected(std::move(sent.error()));
  return receive(count);
}

}  // namespace signalbox
