#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace signalbox {

/// A TCP relay on loopback that can swallow what the server answers and hang up instead: the way
/// to lose exactly the reply to a COMMIT. Serves one connection at a time on a thread of its own.
class ReplyEater {
 public:
  ReplyEater(std::string host, std::uint16_t port);
  ~ReplyEater();
  ReplyEater(const ReplyEater&) = delete;
  ReplyEater& operator=(const ReplyEater&) = delete;

  std::uint16_t port() const { return port_; }

  /// The next answer is read to its end and not passed on; then the client is cut off.
  void eat_next_reply() { eat_ = true; }

 private:
  void run(const std::stop_token& stop);
  void relay(int client, const std::stop_token& stop);

  std::string host_;
  std::uint16_t server_port_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> eat_ = false;
  std::jthread thread_;
};

}  // namespace signalbox
