#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "domain/pipeline.hpp"

namespace signalbox {

/// A row that could not be read as a pipeline, and what is wrong with it.
struct MalformedPipeline {
  std::string id;
  std::string detail;
};

struct LoadedPipelines {
  std::vector<Pipeline> pipelines;  ///< active, started by signals, watching at least one ticker
  std::vector<MalformedPipeline> malformed;
};

/// Where users keep their pipelines: the platform's PostgreSQL, or SQLite. One thread owns a store.
class PipelineStore {
 public:
  virtual ~PipelineStore() = default;

  /// All of them. A malformed row costs that row. Throws IoError.
  virtual LoadedPipelines load() = 0;

  /// Returns true as soon as something changed that load() would show, false after `wait` or when
  /// a stop is requested. A store that is not told of changes only waits. Throws IoError.
  virtual bool wait_for_change(std::chrono::milliseconds wait, std::stop_token stop) = 0;
};

}  // namespace signalbox
