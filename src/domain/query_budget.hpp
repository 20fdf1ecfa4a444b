#pragma once

#include <chrono>
#include <cstdint>

namespace signalbox {

/// Decides when the next batch may be taken, so that queries stay within their number a second
/// and a quiet service waits for nothing.
///
/// While fewer than `quiet_signals_per_second` come, each is a batch of its own. Above it, batches
/// are as far apart as `queries_per_second` says and grow with the load. A function of the times
/// that it is told; one thread owns it. A clock that jumps back costs one early batch.
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

  /// How long to wait before the next batch is taken; zero = now. At most the time of one query,
  /// or the batch's time-out where there is no budget.
  std::chrono::microseconds wait(TimePoint now) const;

  /// A batch of so many signals was taken.
  void took(std::uint64_t signals, TimePoint now);

  /// It cost a query.
  void queried(TimePoint now);

 private:
  using Seconds = std::chrono::duration<double>;

  /// An amount that grows with time up to its limit. A debt is remembered down to another limit.
  struct Bucket {
    double a_second = 0;
    double most = 0;
    double least = 0;
    double level = 0;
    TimePoint at{};

    double level_at(TimePoint now) const;
    void drain(double amount, TimePoint now);
  };

  std::chrono::microseconds wait_for_size_or_timeout(TimePoint now) const;

  Limits limits_;
  Bucket quiet_;    // of signals: while something is left, the service is quiet
  Bucket queries_;  // each a batch
  bool has_taken_ = false;
  TimePoint taken_at_{};
  Seconds expected_{};  // from the batch before: until as many signals have come as are a batch
};

}  // namespace signalbox
