#include "app/process_facts.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace signalbox {
namespace {

/// Fields of /proc/self/stat, counted from the one behind the program's name (`state` is 0).
enum StatField : std::size_t {
  kUserTicks = 11,
  kSystemTicks = 12,
  kThreads = 17,
  kStartTicks = 19,
  kVirtualBytes = 20,
  kResidentPages = 21,
};

std::vector<double> stat_fields() {
  std::ifstream file{"/proc/self/stat"};
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');  // the name may hold blanks
  std::vector<double> fields;
  if (name_end == std::string::npos) return fields;
  std::istringstream rest{line.substr(name_end + 1)};
  std::string state;
  rest >> state;
  fields.push_back(0);
  for (double value = 0; rest >> value;) fields.push_back(value);
  return fields;
}

double boot_time_seconds() {
  std::ifstream file{"/proc/stat"};
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

std::uint64_t count_open_files() {
  std::error_code failed;
  std::filesystem::directory_iterator files{"/proc/self/fd", failed};
  std::uint64_t count = 0;
  for (; !failed && files != std::filesystem::directory_iterator{}; files.increment(failed)) {
    ++count;
  }
  return count;
}

}  // namespace

ProcessFacts process_facts() {
  const std::vector<double> stat = stat_fields();
  ProcessFacts facts;
  if (stat.size() <= kResidentPages) return facts;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  facts.cpu_seconds = (stat[kUserTicks] + stat[kSystemTicks]) / ticks;
  facts.start_time_seconds = boot_time_seconds() + stat[kStartTicks] / ticks;
  facts.threads = static_cast<std::uint64_t>(stat[kThreads]);
  facts.virtual_bytes = static_cast<std::uint64_t>(stat[kVirtualBytes]);
  facts.resident_bytes = static_cast<std::uint64_t>(stat[kResidentPages]) *
                         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  facts.open_files = count_open_files();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.open_files_max = limit.rlim_cur;
  return facts;
}

}  // namespace signalbox
