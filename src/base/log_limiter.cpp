#include "base/log_limiter.hpp"

#include <algorithm>
#include <utility>

namespace signalbox {

std::optional<std::uint64_t> LogLimiter::admit(std::string_view event, std::string_view key,
                                               Time now) {
  const auto found = entries_.find({std::string{event}, std::string{key}});
  if (found == entries_.end()) {
    if (entries_.size() >= limits_.keys_max) forget_oldest();
    entries_.emplace(std::pair{std::string{event}, std::string{key}}, Entry{now});
    return 0;
  }
  Entry& entry = found->second;
  // A clock that was set back must not silence a line for hours: it opens a new window.
  if (now >= entry.written && now - entry.written < limits_.window) {
    ++entry.repeated;
    return std::nullopt;
  }
  entry.written = now;
  return std::exchange(entry.repeated, 0);
}

std::vector<LogLimiter::Untold> LogLimiter::drain() {
  std::vector<Untold> untold = std::exchange(forgotten_, {});
  for (auto& [name, entry] : entries_) {
    if (entry.repeated == 0) continue;
    untold.push_back({name.first, name.second, std::exchange(entry.repeated, 0)});
  }
  return untold;
}

void LogLimiter::forget_oldest() {
  const auto oldest = std::min_element(
      entries_.begin(), entries_.end(),
      [](const auto& a, const auto& b) { return a.second.written < b.second.written; });
  if (oldest == entries_.end()) return;
  // Bounded like the keys themselves; beyond that the counts are lost, the first lines are not.
  if (oldest->second.repeated > 0 && forgotten_.size() < limits_.keys_max) {
    forgotten_.push_back({oldest->first.first, oldest->first.second, oldest->second.repeated});
  }
  entries_.erase(oldest);
}

}  // namespace signalbox
