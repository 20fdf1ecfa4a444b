#pragma once

#include <map>
#include <string>
#include <vector>

#include "domain/comparison.hpp"

namespace signalbox {

/// What the messages say about one candle's row.
struct CandleEvidence {
  bool is_seen = false;  ///< a message of it, on either side
  bool is_published_by_original = false;
  bool has_open_version = false;   ///< a message that says it is not closed
  bool has_time_not_read = false;  ///< a message whose time the original does not store
  bool is_deduplicated = false;    ///< a message that the original took for a repeat
  std::string refused_for{};       ///< reason of our PostgreSQL lane; empty: not refused
};

using CandleEvidenceMap = std::map<CandleKey, CandleEvidence>;

CandleEvidenceMap gather_evidence(const Observation& seen,
                                  const std::vector<const Published*>& deduplicated);

/// Why the two rows differ. `agreeing` is how many candles of the same tables agree: where none
/// does, a missing row says more about the tables than about an INSERT.
Cause cause_of(const CandlePair& pair, Verdict verdict, const CandleEvidence& evidence,
               std::uint64_t agreeing);

}  // namespace signalbox
