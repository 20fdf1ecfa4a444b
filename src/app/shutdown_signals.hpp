#pragma once

#include <chrono>

namespace signalbox {

/// SIGINT and SIGTERM as something to wait for.
///
/// Make one in main before any thread starts: threads inherit the blocked signals, so that they
/// reach the waiting thread only. After the first, a second one ends the process at once.
class ShutdownSignals {
 public:
  ShutdownSignals();

  /// True when a stop was requested; waits for it at most `patience`.
  bool wait_for(std::chrono::milliseconds patience);

  /// From now on a signal has its ordinary effect: it ends the process.
  void let_the_next_one_kill();
};

}  // namespace signalbox
