#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

namespace signalbox::sim {

/// Simulated time: microseconds since the seed began.
using Micros = std::int64_t;

inline constexpr Micros kMillisecond = 1'000;
inline constexpr Micros kSecond = 1'000'000;

using FiberId = std::size_t;

/// Runs fibers and events in the order of simulated time, ties in the order of their making. One
/// OS thread; nothing depends on real time, so a run is a function of its seed.
class Scheduler {
 public:
  Scheduler();
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  Micros now() const { return now_; }

  /// Runs `action` at `time`, outside of any fiber.
  void at(Micros time, std::function<void()> action);

  /// A fiber that starts at the present time. Its body must not let an exception out.
  FiberId spawn(std::function<void()> body);

  /// Inside a fiber: waits until `deadline`, or until somebody calls wake(). Never call it while
  /// an exception is being handled: fibers of one thread share the list of caught exceptions.
  void park(Micros deadline);

  /// Lets a parked fiber go on at `time`; nothing when it is not parked.
  void wake(FiberId fiber, Micros time);

  bool is_done(FiberId fiber) const;

  /// Runs the next event. False when there is none.
  bool run_one();

 private:
  struct Fiber;
  struct Event {
    Micros time;
    std::uint64_t order;
    std::function<void()> action;  ///< empty: `fiber` goes on
    FiberId fiber = 0;
    std::uint64_t park = 0;  ///< which of the fiber's waits it ends
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.time != b.time ? a.time > b.time : a.order > b.order;
    }
  };

  void resume(Fiber& fiber);

  Micros now_ = 0;
  std::uint64_t order_ = 0;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  Fiber* current_ = nullptr;
};

}  // namespace signalbox::sim
