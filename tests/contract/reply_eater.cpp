#include "contract/reply_eater.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace signalbox {
namespace {

constexpr int kLookForStopMs = 50;
/// After the first byte of an answer: the rest of it comes well within this time.
constexpr int kRestOfReplyMs = 300;

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

/// False at the end of the stream.
bool pass_on(int from, int to) {
  std::array<char, 65536> buffer{};
  const ssize_t size = ::recv(from, buffer.data(), buffer.size(), 0);
  if (size <= 0) return false;
  for (ssize_t sent = 0; sent < size;) {
    const auto left = static_cast<std::size_t>(size - sent);
    const ssize_t now = ::send(to, buffer.data() + sent, left, MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += now;
  }
  return true;
}

void discard_reply(int server) {
  std::array<char, 65536> buffer{};
  while (is_readable(server, kRestOfReplyMs) &&
         ::recv(server, buffer.data(), buffer.size(), 0) > 0) {
  }
}

}  // namespace

ReplyEater::ReplyEater(std::string host, std::uint16_t port)
    : host_(std::move(host)), server_port_(port), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in own = address_of("127.0.0.1", 0);
  socklen_t size = sizeof own;
  if (::bind(listener_, generic(own), size) != 0 || ::listen(listener_, 4) != 0 ||
      ::getsockname(listener_, generic(own), &size) != 0) {
    throw std::runtime_error("no port for the relay");
  }
  port_ = ntohs(own.sin_port);
  thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

ReplyEater::~ReplyEater() {
  thread_.request_stop();
  thread_.join();
  ::close(listener_);
}

void ReplyEater::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!is_readable(listener_, kLookForStopMs)) continue;
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) continue;
    relay(client, stop);
    ::close(client);
  }
}

void ReplyEater::relay(int client, const std::stop_token& stop) {
  const int server = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = address_of(host_, server_port_);
  bool is_open = ::connect(server, generic(address), sizeof address) == 0;
  while (is_open && !stop.stop_requested()) {
    std::array<pollfd, 2> entries{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    if (::poll(entries.data(), entries.size(), kLookForStopMs) <= 0) continue;
    if (entries[0].revents != 0) is_open = pass_on(client, server);
    if (entries[1].revents == 0 || !is_open) continue;
    if (eat_.exchange(false)) {
      discard_reply(server);
      is_open = false;
    } else {
      is_open = pass_on(server, client);
    }
  }
  ::close(server);
}

}  // namespace signalbox
