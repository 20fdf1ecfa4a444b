#pragma once

#include <chrono>
#include <cstdint>

namespace signalbox {

/// Decides when the next batch may be taken, so that queries stay within their number a second
/// and a quiet service waits for nothing.
///
/// While fewer than `quiet_signals_per_second` come, each is a batch of its own. Above it, batches
/// are as far apart as `queries_per_second` says and grow with the load. A function of the times
/// that it is told; one thread owns it.
class QueryBudget {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Limits {
    double queries_per_second = 30;  ///< 0: a batch is due by size and time-out alone
    double quiet_signals_per_second = 100;
    std::uint64_t batch_size = 20;                     ///< where there is no budget: due from here
    std::chrono::microseconds batch_timeout{500'000};  ///< likewise, since the batch before
  };

  explicit QueryBudget(const Limits& limits);

  /// How long to wait before the next batch is taken; zero = now.
  std::chrono::microseconds wait(TimePoint now) const;

  /// A batch of so many signals was taken.
  void took(std::uint64_t signals, TimePoint now);

  /// It cost a query.
  void queried(TimePoint now);
};

}  // namespace signalbox
