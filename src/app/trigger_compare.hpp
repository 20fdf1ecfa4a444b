#pragma once

#include "app/trigger_config.hpp"

namespace signalbox {

/// `signalbox trigger compare`: what a shadow would have enqueued in the last `--seconds`, beside
/// the runs that the original's workers started, and why they differ. Returns the exit status: 0
/// when every difference is explained. Throws IoError.
int compare_with_original(const TriggerConfig& config);

}  // namespace signalbox
