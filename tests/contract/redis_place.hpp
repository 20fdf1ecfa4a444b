#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/redis_sink.hpp"
#include "contract/sink_suite.hpp"

namespace signalbox {

/// REDIS_HOST and REDIS_PORT of the environment; by default those of tools/stack.
RedisOptions redis_of_tests();

/// A connection of the test's own to look at the server and to disturb it. A failed command fails
/// the test.
class RedisControl {
 public:
  RedisControl();

  /// Any reply as text: numbers in decimal, nil as "(nil)", the elements of arrays one a line.
  std::string ask(std::initializer_list<std::string_view> arguments);
  std::vector<std::string> ask_list(std::initializer_list<std::string_view> arguments);

  /// Ids of the clients with this name.
  std::vector<std::string> clients_named(std::string_view name);
  /// Waits up to two seconds until CLIENT PAUSE holds back a command of a client with this name.
  bool wait_for_paused_write(std::string_view name);
  void kill_clients(std::string_view name);
  void delete_keys(std::string_view pattern);

 private:
  RedisConnection connection_;
};

/// What a subscriber got, in order.
class RedisSubscriber {
 public:
  struct Publication {
    std::string channel;
    std::string payload;
  };

  /// Subscribes to a pattern; returns when the server has confirmed it.
  explicit RedisSubscriber(const std::string& pattern);
  ~RedisSubscriber();
  RedisSubscriber(const RedisSubscriber&) = delete;
  RedisSubscriber& operator=(const RedisSubscriber&) = delete;

  /// All that was published before this call, since the start.
  const std::vector<Publication>& received(RedisControl& control);

 private:
  struct Handle;
  void read_until_marker();

  std::string marker_;
  std::unique_ptr<Handle> handle_;
  std::vector<Publication> publications_;
};

/// A key space of one test: sinks publish to channels with the test's word in them.
class RedisPlace final : public SinkPlace {
 public:
  explicit RedisPlace(const std::string& word);
  ~RedisPlace() override;

  std::unique_ptr<Sink> make_sink(const std::string& group) override;
  std::vector<Delivered> delivered() override;
  Durability durability() const override { return Durability::Durable; }
  DeliveryOrder order() const override { return DeliveryOrder::Shown; }
  bool break_connections() override;

  RedisSinkOptions options(const std::string& group) const;
  RedisControl& control() { return control_; }
  RedisSubscriber& subscriber() { return subscriber_; }
  const std::string& client_name() const { return word_; }

 private:
  std::string word_;
  RedisControl control_;
  RedisSubscriber subscriber_;
};

}  // namespace signalbox
