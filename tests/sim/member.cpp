#include "sim/member.hpp"

#include "sim/ground.hpp"

namespace signalbox::sim {

bool Member::is_paused() const { return paused_until > ground.now(); }

void Member::check_alive() {
  while (true) {
    if (is_dead) throw Crashed{};
    if (!is_paused()) return;
    ground.scheduler().park(paused_until);
  }
}

void Member::pass_time(Micros from, Micros to) {
  ground.scheduler().park(ground.now() + ground.random().between(from, to));
  check_alive();
}

ReceivedAt SimClock::now() const {
  return ReceivedAt{member_.ground.utc_now()} + std::chrono::microseconds{member_.utc_jump};
}

std::chrono::steady_clock::time_point SimClock::steady_now() const {
  // Not zero: a steady clock counts from the machine's start.
  return std::chrono::steady_clock::time_point{
      std::chrono::microseconds{member_.ground.now() + 3'600 * kSecond}};
}

void SimClock::wait(std::chrono::milliseconds duration, std::stop_token stop) {
  const Micros deadline = member_.ground.now() + duration.count() * kMillisecond;
  member_.check_alive();
  while (member_.ground.now() < deadline && !stop.stop_requested()) {
    member_.ground.scheduler().park(deadline);
    member_.check_alive();
  }
}

}  // namespace signalbox::sim
