#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace signalbox {

/// What is done to one request of a client, or to the reply to it.
enum class Harm : std::uint8_t {
  LoseRequest,  ///< the client is cut off before a byte of it is passed on
  TearRequest,  ///< half of what came is passed on, then both sides are cut off
  LoseReply,    ///< passed on; when the server answers, the client is cut off instead
  TearReply,    ///< the client gets half of what the server answered first, and is cut off
  HoldRequest,  ///< the client is cut off; the server gets the request with release_held()
  StallReply,   ///< passed on; the reply never comes, until the client gives up
  DelayReply,   ///< passed on; the reply takes some milliseconds longer
};
inline constexpr std::size_t kHarms = 7;
std::string_view name_of(Harm harm);

/// A TCP relay on loopback before a server, which does harm on purpose: between a write, its reply
/// and what the client does next. Any number of connections, one thread. Its methods may be called
/// from any thread.
class FaultProxy {
 public:
  FaultProxy(const std::string& host, std::uint16_t port);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  /// Where clients connect to.
  std::uint16_t port() const { return port_; }

  /// Passes `requests` requests on as they are, then does this to the next one.
  void harm_after(int requests, Harm harm);

  /// Forgets a harm that has not been done yet.
  void spare();

  /// Cuts every connection.
  void cut();

  /// Lets requests that were held reach the server. Returns when it has answered them all, or
  /// after two seconds.
  void release_held();

  /// How often each harm was done.
  std::array<int, kHarms> done() const;

 private:
  struct Link {
    int client = -1;
    int server = -1;
    std::vector<Harm> harm;  ///< being done to it: none or one
    std::string held;
  };

  void run(const std::stop_token& stop);
  void accept_client();
  void on_request(Link& link);
  void on_reply(Link& link);
  void harm_request(Link& link, Harm harm, std::string_view bytes);
  void harm_reply(Link& link, std::string_view bytes);
  void obey();
  void send_held(Link& link);
  void close_link(Link& link);
  void wake();

  std::string host_;
  std::uint16_t server_port_;
  int listener_;
  int wake_up_;
  std::uint16_t port_ = 0;
  std::list<Link> links_;  ///< the thread's own, as are the held ones
  std::list<Link> held_;

  mutable std::mutex mutex_;
  std::condition_variable obeyed_;
  std::vector<Harm> next_harm_;  ///< none or one
  int requests_before_ = 0;
  bool must_cut_ = false;
  bool must_release_ = false;
  std::array<int, kHarms> done_{};

  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace signalbox
