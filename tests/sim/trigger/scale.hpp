#pragma once

#include <chrono>

#include "domain/claim.hpp"
#include "sim/scheduler.hpp"

/// The platform's times, twenty times quicker: a seed then sees claims and tasks grow old. What
/// matters is their order: a task expires, and its longest run ends, before its claim's deadline;
/// the broker gives a dead worker's task away only after that.
namespace signalbox::sim {

inline constexpr std::chrono::seconds kTaskExpires{30};
inline constexpr Micros kHardLimit = 30 * kSecond;
inline constexpr Micros kVisibility = 70 * kSecond;
inline constexpr Micros kRunStale = 36 * kSecond;
inline constexpr Micros kSkewMax = 500 * kMillisecond;
inline constexpr std::chrono::seconds kSignalMaxAge{30};
inline constexpr std::chrono::seconds kCacheMaxAge{15};

inline constexpr ClaimRules kClaimRules{.task_expires = kTaskExpires,
                                        .task_hard_limit = std::chrono::seconds{30},
                                        .margin = std::chrono::seconds{3},
                                        .generation_length = std::chrono::seconds{15}};

/// From enqueue to deadline.
inline constexpr Micros kClaimLength = 63 * kSecond;

/// A signal is known again for at least so long.
inline constexpr Micros kSeenAtLeast =
    3 * std::chrono::microseconds{kClaimRules.generation_length}.count();

}  // namespace signalbox::sim
