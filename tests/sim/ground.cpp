#include "sim/ground.hpp"

#include <cstdio>

namespace signalbox::sim {
namespace {

constexpr std::uint64_t kEventsMax = 3'000'000;
constexpr std::size_t kLinesMax = 400;
constexpr EventTime kUtcBegin{std::chrono::milliseconds{1'750'000'000'000}};

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  return (hash ^ value) * 0x100000001B3ULL;
}

}  // namespace

Ground::Ground(std::uint64_t seed, Verbosity verbosity) : verbosity_(verbosity), random_(seed) {
  result_.seed = seed;
  result_.trace_hash = 0xCBF29CE484222325ULL;
}

EventTime Ground::utc_now() const {
  return kUtcBegin + std::chrono::milliseconds{now() / kMillisecond};
}

void Ground::start_coordinator() {
  scheduler_.at(0, [this] {
    struct Tick {
      Ground& ground;
      void operator()() const {
        if (ground.is_over()) return;
        ground.group().tick();
        ground.scheduler().at(ground.now() + ground.random().between(50, 400) * kMillisecond,
                              *this);
      }
    };
    Tick{*this}();
  });
}

void Ground::run_until(Micros deadline) {
  while (now() < deadline && result_.violation.empty()) {
    if (++result_.events > kEventsMax) fail("no end: too many events");
    if (!scheduler_.run_one()) break;
  }
}

void Ground::fail(const std::string& violation) {
  if (!result_.violation.empty() || is_over_) return;
  result_.violation = violation;
  trace("VIOLATION");
  for (const Line& line : lines_) result_.last_events.push_back(describe(line));
}

void Ground::trace(const char* what, int process, int partition, std::int64_t a, std::int64_t b) {
  std::uint64_t& hash = result_.trace_hash;
  hash = mix(hash, static_cast<std::uint64_t>(now()));
  for (const char* c = what; *c != '\0'; ++c) hash = mix(hash, static_cast<std::uint64_t>(*c));
  hash = mix(hash, static_cast<std::uint64_t>(process));
  hash = mix(hash, static_cast<std::uint64_t>(partition));
  hash = mix(hash, static_cast<std::uint64_t>(a));
  hash = mix(hash, static_cast<std::uint64_t>(b));
  if (is_over_) return;
  lines_.push_back({now(), what, process, partition, a, b});
  if (lines_.size() > kLinesMax) lines_.pop_front();
  if (verbosity_ == Verbosity::Verbose) std::puts(describe(lines_.back()).c_str());
}

std::string Ground::describe(const Line& line) const {
  char time[32];
  std::snprintf(time, sizeof time, "%11.6f s  ", static_cast<double>(line.time) / 1e6);
  std::string text = time;
  if (line.process >= 0) text += "process " + std::to_string(line.process) + ": ";
  text += line.what;
  if (line.partition >= 0) {
    const TopicPartition& name = log_.partition(static_cast<PartitionId>(line.partition)).name;
    text += " " + name.topic + "/" + std::to_string(name.partition);
  }
  if (line.a != 0 || line.b != 0 || line.partition >= 0) {
    text += " " + std::to_string(line.a) + " " + std::to_string(line.b);
  }
  return text;
}

}  // namespace signalbox::sim
