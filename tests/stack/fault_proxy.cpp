#include "stack/fault_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace signalbox {
namespace {

constexpr int kDelayMs = 15;
/// After this long without a byte a server has said all that it had to say.
constexpr int kQuietMs = 15;
constexpr int kReleaseMs = 100;

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &address.sin_addr);
  return address;
}

/// The socket functions want the common beginning of all address types.
sockaddr* generic(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

bool is_readable(int socket, int wait_ms) {
  pollfd entry{socket, POLLIN, 0};
  return ::poll(&entry, 1, wait_ms) > 0;
}

/// What is there to read; empty at the end of the stream.
std::string receive(int socket) {
  std::array<char, 65'536> buffer{};
  const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
  return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string{};
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Closes with a reset: the other side reads no end of the stream but an error.
void reset(int& socket) {
  if (socket < 0) return;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(socket);
  socket = -1;
}

}  // namespace

std::string_view name_of(Harm harm) {
  constexpr std::array<std::string_view, kHarms> names{
      "lose request", "tear request", "lose reply", "tear reply",
      "hold request", "stall reply",  "delay reply"};
  return names[static_cast<std::size_t>(harm)];
}

FaultProxy::FaultProxy(const std::string& host, std::uint16_t port)
    : host_(host),
      server_port_(port),
      listener_(::socket(AF_INET, SOCK_STREAM, 0)),
      wake_up_(::eventfd(0, EFD_NONBLOCK)) {
  sockaddr_in own = address_of("127.0.0.1", 0);
  socklen_t size = sizeof own;
  if (::bind(listener_, generic(own), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, generic(own), &size) != 0) {
    throw std::runtime_error("no port for the proxy");
  }
  port_ = ntohs(own.sin_port);
  thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

FaultProxy::~FaultProxy() {
  thread_.request_stop();
  wake();
  thread_.join();
  for (Link& link : links_) close_link(link);
  for (Link& link : held_) close_link(link);
  ::close(listener_);
  ::close(wake_up_);
}

void FaultProxy::harm_after(int requests, Harm harm) {
  const std::lock_guard lock{mutex_};
  requests_before_ = requests;
  next_harm_ = {harm};
}

void FaultProxy::spare() {
  const std::lock_guard lock{mutex_};
  next_harm_.clear();
}

void FaultProxy::cut() {
  std::unique_lock lock{mutex_};
  must_cut_ = true;
  wake();
  obeyed_.wait(lock, [this] { return !must_cut_; });
}

void FaultProxy::release_held() {
  std::unique_lock lock{mutex_};
  must_release_ = true;
  wake();
  obeyed_.wait_for(lock, std::chrono::seconds{2}, [this] { return !must_release_; });
}

std::array<int, kHarms> FaultProxy::done() const {
  const std::lock_guard lock{mutex_};
  return done_;
}

void FaultProxy::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_up_, &one, sizeof one) == 0);
}

void FaultProxy::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> entries{{listener_, POLLIN, 0}, {wake_up_, POLLIN, 0}};
    for (const Link& link : links_) {
      entries.push_back({link.client, POLLIN, 0});
      entries.push_back({link.server, POLLIN, 0});
    }
    if (::poll(entries.data(), entries.size(), -1) <= 0) continue;
    std::size_t i = 2;
    for (Link& link : links_) {
      const bool has_request = entries[i++].revents != 0;
      const bool has_reply = entries[i++].revents != 0;
      if (has_reply && link.server >= 0) on_reply(link);
      if (has_request && link.client >= 0) on_request(link);
    }
    std::erase_if(links_, [](const Link& link) { return link.client < 0; });
    if (entries[1].revents != 0) obey();
    if (entries[0].revents != 0) accept_client();
  }
}

void FaultProxy::accept_client() {
  const int client = ::accept(listener_, nullptr, nullptr);
  if (client < 0) return;
  const int server = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = address_of(host_, server_port_);
  Link link{.client = client, .server = server, .harm = {}, .held = {}};
  const int on = 1;
  ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(server, generic(address), sizeof address) != 0) {
    close_link(link);
    return;
  }
  links_.push_back(std::move(link));
}

void FaultProxy::on_request(Link& link) {
  const std::string bytes = receive(link.client);
  if (bytes.empty()) return close_link(link);
  if (link.harm.empty()) {
    const std::lock_guard lock{mutex_};
    if (!next_harm_.empty() && requests_before_-- <= 0) {
      link.harm = std::exchange(next_harm_, {});
      ++done_[static_cast<std::size_t>(link.harm.front())];
    }
  }
  if (!link.harm.empty()) return harm_request(link, link.harm.front(), bytes);
  if (!send_all(link.server, bytes)) close_link(link);
}

void FaultProxy::harm_request(Link& link, Harm harm, std::string_view bytes) {
  switch (harm) {
    case Harm::LoseRequest:
      close_link(link);
      return;
    case Harm::TearRequest:
      send_all(link.server, bytes.substr(0, bytes.size() / 2));
      close_link(link);
      return;
    case Harm::HoldRequest:
      link.held = bytes;
      while (is_readable(link.client, 5)) {
        const std::string more = receive(link.client);
        if (more.empty()) break;
        link.held += more;
      }
      reset(link.client);
      held_.push_back(std::move(link));
      link = Link{};
      return;
    case Harm::LoseReply:
    case Harm::TearReply:
    case Harm::StallReply:
    case Harm::DelayReply:
      if (!send_all(link.server, bytes)) close_link(link);
      return;
  }
}

void FaultProxy::on_reply(Link& link) {
  const std::string bytes = receive(link.server);
  if (bytes.empty()) return close_link(link);
  if (!link.harm.empty()) return harm_reply(link, bytes);
  if (!send_all(link.client, bytes)) close_link(link);
}

void FaultProxy::harm_reply(Link& link, std::string_view bytes) {
  switch (link.harm.front()) {
    case Harm::TearReply:
      send_all(link.client, bytes.substr(0, bytes.size() / 2));
      close_link(link);
      return;
    case Harm::LoseReply:
      close_link(link);
      return;
    case Harm::DelayReply:
      static_cast<void>(::poll(nullptr, 0, kDelayMs));
      link.harm.clear();
      if (!send_all(link.client, bytes)) close_link(link);
      return;
    case Harm::StallReply:
    case Harm::LoseRequest:
    case Harm::TearRequest:
    case Harm::HoldRequest:
      return;  // swallowed: the client waits until it has waited long enough
  }
}

void FaultProxy::obey() {
  std::uint64_t count = 0;
  static_cast<void>(::read(wake_up_, &count, sizeof count) == 0);
  bool is_release = false;
  bool is_cut = false;
  {
    const std::lock_guard lock{mutex_};
    is_release = must_release_;
    is_cut = must_cut_;
  }
  if (is_release) {
    for (Link& link : held_) send_held(link);
    held_.clear();
  }
  if (is_cut) {
    for (Link& link : links_) close_link(link);
    links_.clear();
  }
  const std::lock_guard lock{mutex_};
  if (is_release) must_release_ = false;
  if (is_cut) must_cut_ = false;
  obeyed_.notify_all();
}

/// The server reads the whole request although nobody waits for the answer: only then is it closed.
void FaultProxy::send_held(Link& link) {
  send_all(link.server, link.held);
  int wait_ms = kReleaseMs;
  while (is_readable(link.server, wait_ms) && !receive(link.server).empty()) wait_ms = kQuietMs;
  close_link(link);
}

void FaultProxy::close_link(Link& link) {
  reset(link.client);
  reset(link.server);
}

}  // namespace signalbox
