#pragma once

#include <span>
#include <string>
#include <vector>

#include "domain/message.hpp"
#include "domain/uuid.hpp"

namespace signalbox {

/// A run that keeps its pair busy.
struct ActiveRun {
  Uuid pipeline;
  std::string ticker;  ///< empty: every ticker of the pipeline
};

struct ActiveRuns {
  DatabaseTime now;  ///< when the question was answered
  std::vector<ActiveRun> runs;
};

/// A pair, and the database's clock when a task of it was enqueued.
struct PairSince {
  Uuid pipeline;
  std::string ticker;
  DatabaseTime since;
};

/// The database's clock so long after an answer: what a claim is stamped with, so that a run of the
/// pair that came and went between the answer and the claim is not taken for the claim's own.
inline DatabaseTime later(DatabaseTime answer, std::chrono::steady_clock::duration elapsed) {
  return answer + std::chrono::floor<std::chrono::microseconds>(elapsed);
}

/// The executions of all pipelines, whoever started them. One thread owns a ledger.
class RunLedger {
 public:
  virtual ~RunLedger() = default;

  /// One statement in one round trip, whatever the number of pipelines (each given once). Throws
  /// IoError; then nothing is known, and nobody may be taken for idle.
  virtual ActiveRuns active(std::span<const Uuid> pipelines) = 0;

  /// Which of the pairs have a run that was created after `since` and has ended: indices into
  /// `pairs`. Throws IoError.
  virtual std::vector<std::size_t> finished(std::span<const PairSince> pairs) = 0;
};

}  // namespace signalbox
