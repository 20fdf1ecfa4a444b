#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/claim.hpp"
#include "sim/trigger/replica.hpp"

/// What the simulated Redis runs, whole and at once: the claim book, and in the planted builds the
/// mistakes that a script could make.
namespace signalbox::sim {

/// The same for the same (signal, pipeline, ticker), whoever asks.
std::string task_name(std::string_view signal_key, const Uuid& pipeline, std::string_view ticker);

/// Nullopt: refused.
std::optional<Claimed> run_claim(TriggerWorld& world, const ClaimCopy& call);
/// Whom a look before the call would take for idle.
std::vector<PairKey> judge_idle(TriggerWorld& world, const ClaimCopy& call);
Claimed run_settle(TriggerWorld& world, const SettleCopy& call);
void run_release(TriggerWorld& world, const std::vector<OpenClaim>& claims);

}  // namespace signalbox::sim
