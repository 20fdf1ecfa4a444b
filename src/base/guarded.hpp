#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace signalbox {

/// A value that threads share: it can be touched under its mutex only.
///
/// Copy out with `copy()`, or do something short with `with()`; never call out (I/O, callbacks,
/// another Guarded) from inside. Not copyable, not movable: the mutex stays where it is.
template <typename T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_{std::move(value)} {}

  /// The value as it is now.
  T copy() const {
    const std::lock_guard lock{mutex_};
    return value_;
  }

  /// Replaces the value. The old one is destroyed after the mutex is let go.
  void set(T value) {
    const std::lock_guard lock{mutex_};
    std::swap(value_, value);
  }

  /// Calls `action(T&)` under the mutex and returns what it returns, by value: a reference into
  /// the value would outlive the lock.
  template <typename Action>
  auto with(Action&& action) {
    const std::lock_guard lock{mutex_};
    return std::invoke(std::forward<Action>(action), value_);
  }

  /// The same for reading: `action(const T&)`.
  template <typename Action>
  auto with(Action&& action) const {
    const std::lock_guard lock{mutex_};
    return std::invoke(std::forward<Action>(action), std::as_const(value_));
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

}  // namespace signalbox
