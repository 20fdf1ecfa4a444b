#include "domain/fault_finder.hpp"

#include <utility>

namespace signalbox {
namespace {

using Trial = std::function<TrialOutcome(std::span<const std::size_t>)>;

/// One search; lives for one call of find_faults().
class Search {
 public:
  Search(std::span<const std::size_t> rows, const Trial& trial, const FaultSearchLimits& limits)
      : left_(rows.begin(), rows.end()), trial_(trial), limits_(limits) {}

  FoundFaults run() && {
    while (passing_ < left_.size() && may_go_on()) {
      const TrialOutcome whole = attempt(left_.size());
      if (whole.kind != TrialOutcome::Kind::RowFault) break;
      find_next(whole.why);
    }
    found_.others_pass = passing_ > 0;
    return std::move(found_);
  }

 private:
  bool may_go_on() const {
    if (trials_ >= limits_.trials_max || found_.unavailable) return false;
    return passing_ > 0 || found_.faults.size() < limits_.faults_max_without_pass;
  }

  /// Writes the first `count` rows that are left.
  TrialOutcome attempt(std::size_t count) {
    ++trials_;
    TrialOutcome outcome = trial_(std::span{left_}.first(count));
    if (outcome.kind == TrialOutcome::Kind::Passed) passing_ = count;
    if (outcome.kind == TrialOutcome::Kind::Unavailable) found_.unavailable = outcome.why;
    return outcome;
  }

  /// All that is left does not pass, its first `passing_` rows do: halves the distance between.
  void find_next(std::string why) {
    std::size_t failing = left_.size();
    while (failing - passing_ > 1) {
      if (trials_ >= limits_.trials_max) return;
      const std::size_t middle = passing_ + (failing - passing_) / 2;
      TrialOutcome outcome = attempt(middle);
      if (outcome.kind == TrialOutcome::Kind::Unavailable) return;
      if (outcome.kind == TrialOutcome::Kind::Passed) continue;
      failing = middle;
      why = std::move(outcome.why);
    }
    found_.faults.push_back({left_[failing - 1], std::move(why)});
    left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(failing - 1));
  }

  std::vector<std::size_t> left_;
  const Trial& trial_;
  const FaultSearchLimits& limits_;
  FoundFaults found_;
  std::size_t passing_ = 0;  ///< that many of the first rows left pass together
  std::size_t trials_ = 0;
};

}  // namespace

FoundFaults find_faults(std::span<const std::size_t> rows, const Trial& trial,
                        const FaultSearchLimits& limits) {
  return Search{rows, trial, limits}.run();
}

}  // namespace signalbox
