#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

namespace signalbox {

/// Every status that a row of `executions` can have.
inline constexpr std::array<std::string_view, 11> kRunStatuses{"PENDING",
                                                               "RUNNING",
                                                               "COMPLETED",
                                                               "FAILED",
                                                               "CANCELLED",
                                                               "SKIPPED",
                                                               "PAUSED",
                                                               "MONITORING",
                                                               "AWAITING_APPROVAL",
                                                               "COMMUNICATION_ERROR",
                                                               "NEEDS_RECONCILIATION"};

/// Those that keep a pair busy, as the original has it. AWAITING_APPROVAL and PAUSED may be added.
inline constexpr std::array<std::string_view, 5> kBlockingStatuses{
    "PENDING", "RUNNING", "MONITORING", "COMMUNICATION_ERROR", "NEEDS_RECONCILIATION"};

/// Those that count for kRunStaleAfter only: whoever wrote them may be dead. The age is that of
/// `started_at`, or else of `created_at`.
inline constexpr std::array<std::string_view, 2> kAgeingStatuses{"PENDING", "RUNNING"};
inline constexpr std::chrono::minutes kRunStaleAfter{12};

/// A run that has one of these has ended.
inline constexpr std::array<std::string_view, 4> kTerminalStatuses{"COMPLETED", "FAILED",
                                                                   "CANCELLED", "SKIPPED"};

constexpr bool is_run_status(std::string_view name) {
  return std::ranges::find(kRunStatuses, name) != kRunStatuses.end();
}

}  // namespace signalbox
