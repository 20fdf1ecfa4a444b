#include "adapters/embedded_bus.hpp"

#include <algorithm>
#include <utility>

namespace signalbox {

std::vector<BusMessage> BusSubscription::take(std::size_t most, std::chrono::milliseconds wait,
                                              std::stop_token stop) {
  std::unique_lock lock{mutex_};
  filled_.wait_for(lock, stop, wait, [&] { return !queue_.empty(); });
  const auto count = static_cast<std::ptrdiff_t>(std::min(most, queue_.size()));
  const auto end = queue_.begin() + count;
  std::vector<BusMessage> taken{std::move_iterator{queue_.begin()}, std::move_iterator{end}};
  queue_.erase(queue_.begin(), end);
  return taken;
}

std::uint64_t BusSubscription::dropped() const {
  const std::lock_guard lock{mutex_};
  return dropped_;
}

void BusSubscription::put(const BusMessage& message) {
  {
    const std::lock_guard lock{mutex_};
    if (queue_.size() >= options_.queue_max) {
      ++dropped_;
      if (queue_.empty()) return;  // of a subscriber that wants none
      queue_.pop_front();
    }
    queue_.push_back(message);
  }
  filled_.notify_one();
}

std::shared_ptr<BusSubscription> EmbeddedBus::subscribe(SubscribeOptions options) {
  auto subscription = std::make_shared<BusSubscription>(std::move(options));
  const std::lock_guard lock{mutex_};
  std::erase_if(subscriptions_, [](const auto& known) { return known.expired(); });
  subscriptions_.push_back(subscription);
  return subscription;
}

/// The bus is locked for the whole call, so that every subscriber sees the same order; a
/// subscriber's lock is only ever held for a push or a pop.
std::uint64_t EmbeddedBus::publish(std::span<const BusMessage> messages) {
  const std::lock_guard lock{mutex_};
  std::uint64_t receivers = 0;
  for (const std::weak_ptr<BusSubscription>& known : subscriptions_) {
    const std::shared_ptr<BusSubscription> subscription = known.lock();
    if (!subscription) continue;
    for (const BusMessage& message : messages) {
      if (!matches_pattern(subscription->pattern(), message.channel)) continue;
      subscription->put(message);
      ++receivers;
    }
  }
  for (const BusMessage& message : messages) last_.insert_or_assign(message.channel, message);
  return receivers;
}

std::optional<BusMessage> EmbeddedBus::last_value(const std::string& channel) const {
  const std::lock_guard lock{mutex_};
  const auto found = last_.find(channel);
  return found == last_.end() ? std::nullopt : std::optional{found->second};
}

std::vector<BusMessage> EmbeddedBus::last_values(std::string_view pattern) const {
  const std::lock_guard lock{mutex_};
  std::vector<BusMessage> values;
  for (const auto& [channel, message] : last_) {
    if (matches_pattern(pattern, channel)) values.push_back(message);
  }
  return values;
}

void EmbeddedBus::remember(std::span<const BusMessage> messages) {
  const std::lock_guard lock{mutex_};
  for (const BusMessage& message : messages) last_.try_emplace(message.channel, message);
}

// The text between two stars is looked for from the left: the first place is as good as any later
// one, so a mismatch only ever goes back to the last star.
bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t in_text = 0;
  std::optional<std::size_t> star;
  std::size_t after_star = 0;
  while (in_text < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      after_star = in_text;
    } else if (at < pattern.size() && pattern[at] == text[in_text]) {
      ++at;
      ++in_text;
    } else if (star) {
      at = *star + 1;
      in_text = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

}  // namespace signalbox
