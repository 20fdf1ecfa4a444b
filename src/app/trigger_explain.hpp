#pragma once

#include <string>

#include "app/trigger_config.hpp"

namespace signalbox {

/// `signalbox trigger explain SIGNAL.json|ID`: prints, for each pipeline that watches a ticker of
/// the signal, whether it would run (a file, against the pipelines and runs of this moment) or what
/// became of it (an id, from the recorded outcomes). Returns the exit status. Throws IoError.
int explain_signal(const TriggerConfig& config, const std::string& file_or_id);

}  // namespace signalbox
