#include "domain/query_budget.hpp"

#include <algorithm>

namespace signalbox {
namespace {

/// Signals do not come evenly: at exactly the quiet rate the bucket would run empty by chance now
/// and then, and signals would wait although nobody is in a hurry. So it fills a little faster.
constexpr double kQuietSlack = 1.5;

/// A burst is quiet up to half a second's signals. A load that lasted is forgotten after less than
/// a second.
constexpr double kQuietBurstSeconds = 0.5;
constexpr double kQuietDebtSeconds = 1;

/// What a pause saves up.
constexpr double kQueriesBurst = 2;

}  // namespace

double QueryBudget::Bucket::level_at(TimePoint now) const {
  if (now <= at) return level;
  return std::min(level + a_second * Seconds(now - at).count(), most);
}

void QueryBudget::Bucket::drain(double amount, TimePoint now) {
  level = std::max(level_at(now) - amount, least);
  at = now;
}

QueryBudget::QueryBudget(const Limits& limits)
    : limits_(limits),
      quiet_{.a_second = std::max(limits.quiet_signals_per_second, 0.0) * kQuietSlack,
             .most = std::max(limits.quiet_signals_per_second, 0.0) * kQuietBurstSeconds,
             .least = -std::max(limits.quiet_signals_per_second, 0.0) * kQuietDebtSeconds},
      queries_{.a_second = std::max(limits.queries_per_second, 0.0), .most = kQueriesBurst} {
  quiet_.level = quiet_.most;
  queries_.level = queries_.most;
}

std::chrono::microseconds QueryBudget::wait(TimePoint now) const {
  // Before the first batch nothing is known of the clock, and of one that jumped back no more.
  if (!has_taken_ || now < taken_at_) return {};
  if (queries_.a_second <= 0) return wait_for_size_or_timeout(now);
  if (quiet_.level_at(now) > 0) return {};
  const double missing = 1 - queries_.level_at(now);
  if (missing <= 0) return {};
  return std::chrono::ceil<std::chrono::microseconds>(Seconds(missing / queries_.a_second));
}

std::chrono::microseconds QueryBudget::wait_for_size_or_timeout(TimePoint now) const {
  const Seconds due = std::min(expected_, Seconds(limits_.batch_timeout));
  const Seconds left = due - Seconds(now - taken_at_);
  if (left.count() <= 0) return {};
  return std::chrono::ceil<std::chrono::microseconds>(left);
}

void QueryBudget::took(std::uint64_t signals, TimePoint now) {
  if (signals == 0) return;
  const auto count = static_cast<double>(signals);
  const bool is_after = has_taken_ && now > taken_at_;
  const Seconds since = is_after ? Seconds(now - taken_at_) : Seconds(limits_.batch_timeout);
  expected_ = since * (static_cast<double>(limits_.batch_size) / count);
  has_taken_ = true;
  taken_at_ = now;
  quiet_.drain(count, now);
}

void QueryBudget::queried(TimePoint now) { queries_.drain(1, now); }

}  // namespace signalbox
