#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox {

/// What a subscriber gets. The payload is shared by all who get it: it is never copied or changed.
struct BusMessage {
  std::string channel;
  std::shared_ptr<const std::string> payload;
};

struct SubscribeOptions {
  /// A channel, or a pattern in which `*` stands for any text, the empty one included.
  std::string pattern = "*";
  /// A subscriber that is slower than its channels loses the oldest messages first, and is told
  /// how many; publishers never wait for it.
  std::size_t queue_max = 1'000;
};

/// Messages for one subscriber, pulled by one thread. May outlive the bus, which then is silent.
class BusSubscription {
 public:
  explicit BusSubscription(SubscribeOptions options) : options_(std::move(options)) {}

  /// What is there, at most `most`, oldest first; waits up to `wait` for the first one, or until a
  /// stop is requested.
  std::vector<BusMessage> take(std::size_t most, std::chrono::milliseconds wait,
                               std::stop_token stop = {});

  /// Messages that this subscriber was too slow for, since the start.
  std::uint64_t dropped() const;

  const std::string& pattern() const { return options_.pattern; }

 private:
  friend class EmbeddedBus;
  void put(const BusMessage& message);

  const SubscribeOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable_any filled_;
  std::deque<BusMessage> queue_;
  std::uint64_t dropped_ = 0;
};

/// Channels inside this process: Redis's PUBLISH for the embedded set. Thread-safe.
class EmbeddedBus {
 public:
  /// A subscriber gets what is published from now on, until it lets go of the subscription.
  std::shared_ptr<BusSubscription> subscribe(SubscribeOptions options);

  /// Whoever commits before it publishes holds a turn over both, so that what is committed first
  /// is published first. A holder waits for its file only, and that has a bound.
  std::unique_lock<std::mutex> turn() { return std::unique_lock{turn_}; }

  /// Returns how many subscribers got a copy, summed over the messages.
  std::uint64_t publish(std::span<const BusMessage> messages);

  /// The last message of a channel; none when nothing was published and the sink's file has none.
  std::optional<BusMessage> last_value(const std::string& channel) const;

  /// The last message of each channel that matches, by channel.
  std::vector<BusMessage> last_values(std::string_view pattern) const;

  /// Sets the last values of channels that have none: what was published before a restart.
  void remember(std::span<const BusMessage> messages);

 private:
  std::mutex turn_;
  mutable std::mutex mutex_;
  /// Shared with the subscribers: whoever lets go of one unsubscribes.
  std::vector<std::weak_ptr<BusSubscription>> subscriptions_;
  std::map<std::string, BusMessage, std::less<>> last_;
};

/// Whether `text` matches a pattern in which `*` stands for any text.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace signalbox
