#pragma once

#include "app/trigger_config.hpp"

namespace signalbox {

/// `signalbox trigger check`: for each dependency of the trigger what is wrong and what to do,
/// before anything is started. Returns the exit status.
int check_trigger(const TriggerConfig& config);

}  // namespace signalbox
