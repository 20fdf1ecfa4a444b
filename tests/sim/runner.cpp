#include "sim/runner.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "services/planted_bugs.hpp"

namespace signalbox::sim {
namespace {

constexpr std::uint64_t kHitsWanted = 100;
constexpr std::uint64_t kSeedsForCoverage = 20'000;
constexpr std::uint64_t kSeedsRunTwice = 200;
constexpr std::uint64_t kSeedsToFindABug = 5'000;
constexpr std::size_t kFailuresShown = 5;

struct Options {
  std::uint64_t seeds = 1'000;
  std::uint64_t start = 1;
  unsigned threads = 2;
  bool is_verbose = false;
  bool shows_summary = false;
  std::string plant;
};

struct Summary {
  std::uint64_t seeds = 0;
  std::uint64_t messages = 0;
  std::uint64_t events = 0;
  std::vector<Result> failures;
  std::uint64_t failed = 0;
  std::uint64_t unequal = 0;  ///< seeds whose second run went another way
  Coverage coverage;
  std::map<std::string_view, std::uint64_t> counts;
  double seconds = 0;
};

enum class Until : std::uint8_t { AllSeeds, FirstFailure };

Summary run_seeds(const Subject& subject, const Options& options, Until until) {
  const auto began = std::chrono::steady_clock::now();
  Summary summary;
  std::mutex mutex;
  std::atomic<std::uint64_t> next = options.start;
  std::atomic<bool> is_found = false;
  const std::uint64_t end = options.start + options.seeds;
  const auto work = [&] {
    for (std::uint64_t seed = next++; seed < end; seed = next++) {
      if (until == Until::FirstFailure && is_found) return;
      const auto verbosity = options.is_verbose ? Verbosity::Verbose : Verbosity::Quiet;
      Result result = subject.run(seed, verbosity);
      const bool is_twice =
          !options.is_verbose && seed - options.start < kSeedsRunTwice && until == Until::AllSeeds;
      const bool is_equal =
          !is_twice || subject.run(seed, Verbosity::Quiet).trace_hash == result.trace_hash;
      const std::lock_guard lock{mutex};
      ++summary.seeds;
      summary.messages += result.messages;
      summary.events += result.events;
      summary.coverage.add(result.coverage);
      for (const auto& [name, count] : result.counts) summary.counts[name] += count;
      if (!is_equal) ++summary.unequal;
      if (result.violation.empty()) continue;
      ++summary.failed;
      is_found = true;
      summary.failures.push_back(std::move(result));
      std::ranges::sort(summary.failures, {}, &Result::seed);
      if (summary.failures.size() > kFailuresShown) summary.failures.pop_back();
    }
  };
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < options.threads; ++i) workers.emplace_back(work);
  }
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return summary;
}

void print_coverage(const Subject& subject, const Coverage& coverage) {
  std::printf("\n%-16s", "fault x step");
  for (const std::string_view step : subject.steps) std::printf("%14s", std::string(step).c_str());
  std::puts("");
  for (std::size_t fault = 0; fault < subject.faults.size(); ++fault) {
    std::printf("%-16s", std::string(subject.faults[fault]).c_str());
    for (std::size_t step = 0; step < subject.steps.size(); ++step) {
      if (subject.impossible_because(fault, step).empty()) {
        std::printf("%14llu", static_cast<unsigned long long>(coverage.hits[fault][step]));
      } else {
        std::printf("%14s", "-");
      }
    }
    std::puts("");
  }
  std::puts("\n-: cannot happen");
  for (std::size_t fault = 0; fault < subject.faults.size(); ++fault) {
    for (std::size_t step = 0; step < subject.steps.size(); ++step) {
      const std::string_view why = subject.impossible_because(fault, step);
      if (why.empty()) continue;
      std::printf("   %s, %s: %s\n", std::string(subject.faults[fault]).c_str(),
                  std::string(subject.steps[step]).c_str(), std::string(why).c_str());
    }
  }
}

/// Pairs of fault and step that were hit too rarely to say anything.
std::uint64_t count_thin(const Subject& subject, const Coverage& coverage) {
  std::uint64_t thin = 0;
  for (std::size_t fault = 0; fault < subject.faults.size(); ++fault) {
    for (std::size_t step = 0; step < subject.steps.size(); ++step) {
      if (!subject.impossible_because(fault, step).empty()) continue;
      const std::uint64_t hits = coverage.hits[fault][step];
      if (hits >= kHitsWanted) continue;
      ++thin;
      std::printf("%s at %s: hit %llu times, at least %llu are wanted\n",
                  std::string(subject.faults[fault]).c_str(),
                  std::string(subject.steps[step]).c_str(), static_cast<unsigned long long>(hits),
                  static_cast<unsigned long long>(kHitsWanted));
    }
  }
  return thin;
}

void print_failure(const Result& failure, const char* program) {
  std::printf("\nseed %llu: %s\n", static_cast<unsigned long long>(failure.seed),
              failure.violation.c_str());
  for (const std::string& line : failure.last_events) std::printf("  %s\n", line.c_str());
  std::printf("seed %llu: %s\n  replay: %s --start %llu --seeds 1 --verbose\n",
              static_cast<unsigned long long>(failure.seed), failure.violation.c_str(), program,
              static_cast<unsigned long long>(failure.seed));
}

int run_plain(const Subject& subject, const Options& options, const char* program) {
  const Summary summary = run_seeds(subject, options, Until::AllSeeds);
  for (const Result& failure : summary.failures) print_failure(failure, program);
  std::uint64_t wrong = summary.failed + summary.unequal;
  if (summary.unequal > 0) {
    std::printf("%llu seeds went another way the second time\n",
                static_cast<unsigned long long>(summary.unequal));
  }
  if (options.shows_summary || options.seeds >= kSeedsForCoverage) {
    print_coverage(subject, summary.coverage);
    for (const auto& [name, count] : summary.counts) {
      std::printf("%12llu %s\n", static_cast<unsigned long long>(count), std::string(name).c_str());
    }
  }
  if (options.seeds >= kSeedsForCoverage) wrong += count_thin(subject, summary.coverage);
  const auto seeds = static_cast<double>(summary.seeds);
  std::printf("%.1f s, %.2f ms of one processor a seed, %.0f messages and %.0f events a seed\n",
              summary.seconds, summary.seconds * options.threads * 1e3 / seeds,
              static_cast<double>(summary.messages) / seeds,
              static_cast<double>(summary.events) / seeds);
  std::printf("%llu passed, %llu failed\n",
              static_cast<unsigned long long>(summary.seeds - summary.failed),
              static_cast<unsigned long long>(wrong));
  return wrong == 0 ? 0 : 1;
}

#ifdef SIGNALBOX_PLANTED_BUGS

int run_planted(const Subject& subject, Options options) {
  options.seeds = kSeedsToFindABug;
  int found = 0;
  int missed = 0;
  for (const NamedBug& named : subject.bugs) {
    if (options.plant != "all" && options.plant != named.name) continue;
    planted_bug = named.bug;
    const Summary summary = run_seeds(subject, options, Until::FirstFailure);
    if (summary.failures.empty()) {
      std::printf("%-24s not found in %llu seeds\n", named.name,
                  static_cast<unsigned long long>(summary.seeds));
      ++missed;
      continue;
    }
    const Result& first = summary.failures.front();
    std::printf("%-24s found by seed %llu: %s\n", named.name,
                static_cast<unsigned long long>(first.seed), first.violation.c_str());
    if (options.is_verbose) print_failure(first, subject.planted_program);
    ++found;
  }
  std::printf("%d passed, %d failed\n", found, missed);
  return missed == 0 && found > 0 ? 0 : 1;
}

#endif

template <typename Number>
bool read_number(const char* text, Number& number) {
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, number);
  return error == std::errc{} && rest == end;
}

std::optional<Options> read_options(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    const char* value = i + 1 < count ? arguments[i + 1] : "";
    if (name == "--verbose") {
      options.is_verbose = true;
    } else if (name == "--summary") {
      options.shows_summary = true;
    } else if (name == "--plant") {
      options.plant = arguments[++i < count ? i : 0];
    } else if (name == "--seeds" && read_number(value, options.seeds)) {
      ++i;
    } else if (name == "--start" && read_number(value, options.start)) {
      ++i;
    } else if (name == "--threads" && read_number(value, options.threads)) {
      ++i;
    } else if (name == "--seed-only" && read_number(value, options.start)) {
      options.seeds = 1;
      ++i;
    } else {
      return std::nullopt;
    }
  }
  if (options.is_verbose) options.threads = 1;
  return options;
}

}  // namespace

int run_simulation(int count, char** arguments, const Subject& subject) {
  const auto options = read_options(count, arguments);
  if (!options || options->seeds == 0 || options->threads == 0) {
    std::fputs(
        "usage: sim --seeds N --start S [--threads T] [--seed-only S] [--verbose] "
        "[--summary]\n       sim-planted --plant NAME|all [--start S]\n",
        stderr);
    return 2;
  }
  // What lanes log in a simulation is nobody's business.
  const LogSetup quiet{{.service = "sim",
                        .level = LogLevel::Critical,
                        .console = LogConsole::None,
                        .directory = {}}};
#ifdef SIGNALBOX_PLANTED_BUGS
  if (!options->plant.empty()) return run_planted(subject, *options);
#endif
  return run_plain(subject, *options, arguments[0]);
}

}  // namespace signalbox::sim
