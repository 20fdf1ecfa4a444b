#pragma once

#include <cstdint>

namespace signalbox {

/// What the kernel says of this process; zeros where there is no /proc.
struct ProcessFacts {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  ///< since the epoch
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t threads = 0;
  std::uint64_t open_files = 0;
  std::uint64_t open_files_max = 0;
};

ProcessFacts process_facts();

}  // namespace signalbox
