#include "app/shutdown_signals.hpp"

#include <csignal>
#include <ctime>

namespace signalbox {
namespace {

sigset_t shutdown_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

ShutdownSignals::ShutdownSignals() {
  const sigset_t set = shutdown_set();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A peer that closes its connection is an error to read, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
}

bool ShutdownSignals::wait_for(std::chrono::milliseconds patience) {
  const sigset_t set = shutdown_set();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timespec limit{.tv_sec = seconds.count(),
                       .tv_nsec = std::chrono::nanoseconds(patience - seconds).count()};
  return sigtimedwait(&set, nullptr, &limit) > 0;
}

void ShutdownSignals::let_the_next_one_kill() {
  const sigset_t set = shutdown_set();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace signalbox
