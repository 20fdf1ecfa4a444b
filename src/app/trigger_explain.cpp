#include "app/trigger_explain.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

#include "adapters/postgres_pipelines.hpp"
#include "adapters/postgres_runs.hpp"
#include "adapters/redis_outcomes.hpp"
#include "adapters/system_clock.hpp"
#include "adapters/wire_signal.hpp"
#include "app/command.hpp"
#include "app/trigger_parts.hpp"
#include "domain/routing_note.hpp"

namespace signalbox {
namespace {

struct Line {
  std::string outcome;
  std::string ticker;
  std::string pipeline_id;
  std::string pipeline_name;
  std::string why;
};

void print(const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    std::printf("%-16s  %-10s  %s  %s%s%s\n", line.outcome.c_str(), line.ticker.c_str(),
                line.pipeline_id.c_str(), line.pipeline_name.c_str(), line.why.empty() ? "" : ": ",
                line.why.c_str());
  }
}

std::string_view meaning_of(TriggerOutcome why) {
  switch (why) {
    case TriggerOutcome::NoSubscription:
      return "it does not subscribe to this type of signal";
    case TriggerOutcome::WrongTimeframe:
      return "it subscribes to this type on another timeframe";
    case TriggerOutcome::BelowConfidence:
      return "it asks for a higher confidence";
    case TriggerOutcome::NotRouted:
      return "the signal's ticker_pipelines sends this ticker to other pipelines";
    case TriggerOutcome::BacktestOff:
      return "the signal is a backtest's, and ALLOW_BACKTEST_SIGNALS is off";
    case TriggerOutcome::NoUser:
      return "it has no owner, so no worker would run it";
    case TriggerOutcome::MarketClosed:
      return "the market of the ticker is closed";
    default:
      return "";
  }
}

/// What the trigger would make of a signal now, without touching anything.
class Explainer {
 public:
  Explainer(const TriggerConfig& config, const TradingSignal& signal)
      : config_(config), rules_(config.rules()), signal_(signal) {}

  int run() {
    const PipelineIndex index = load();
    std::vector<Match> matches;
    std::vector<NoMatch> others;
    index.match(signal_, rules_.match, matches);
    index.judge_rest(signal_, rules_.match, others);
    std::printf(
        "signal %s, type %s, timeframe %s, %zu ticker(s); %zu active pipelines watch %zu "
        "tickers\n",
        signal_.id.empty() ? "without an id" : std::string(signal_.id).c_str(),
        std::string(signal_.type).c_str(),
        signal_.timeframe.empty() ? "none" : std::string(signal_.timeframe).c_str(),
        signal_.tickers.size(), index.size(), index.ticker_count());
    if (matches.empty() && others.empty()) {
      std::printf(
          "No pipeline matched: none watches any of its tickers (tickers are compared "
          "letter by letter).\n");
    }
    const ActiveRuns runs = running(index, matches);
    for (const Match& match : matches) explain_match(index, match, runs);
    for (const NoMatch& other : others) {
      add(index.at(other.pipeline), other.ticker, std::string(name_of(other.why)),
          std::string(meaning_of(other.why)));
    }
    print(lines_);
    return exit_status::kStopped;
  }

 private:
  PipelineIndex load() const {
    PostgresPipelines store{postgres_options(config_, "signalbox-explain")};
    const LoadedPipelines loaded = store.load();
    for (const MalformedPipeline& row : loaded.malformed) {
      std::printf("left out: pipeline %s: %s\n", row.id.c_str(), row.detail.c_str());
    }
    return PipelineIndex{loaded.pipelines};
  }

  ActiveRuns running(const PipelineIndex& index, const std::vector<Match>& matches) const {
    if (matches.empty()) return {};
    std::vector<Uuid> pipelines;
    for (const Match& match : matches) pipelines.push_back(index.at(match.pipeline).id);
    std::ranges::sort(pipelines);
    const auto repeats = std::ranges::unique(pipelines);
    pipelines.erase(repeats.begin(), repeats.end());
    PostgresRuns ledger{runs_options(config_, "signalbox-explain")};
    return ledger.active(pipelines);
  }

  void explain_match(const PipelineIndex& index, const Match& match, const ActiveRuns& active) {
    const IndexedPipeline pipeline = index.at(match.pipeline);
    const std::string_view ticker = signal_.tickers[match.ticker].ticker;
    const bool is_running = std::ranges::any_of(active.runs, [&](const ActiveRun& run) {
      return run.pipeline == pipeline.id && (run.ticker.empty() || run.ticker == ticker);
    });
    if (!pipeline.user && signal_.backtest.user_id.empty()) {
      add(pipeline, match.ticker, "no_user", std::string(meaning_of(TriggerOutcome::NoUser)));
    } else if (signal_.backtest.run_id.empty() &&
               !rules_.is_market_open(ticker, signal_.time, clock_.now())) {
      add(pipeline, match.ticker, "market_closed",
          std::string(meaning_of(TriggerOutcome::MarketClosed)));
    } else if (is_running) {
      add(pipeline, match.ticker, "busy", "an execution of it is active on this ticker");
    } else {
      add(pipeline, match.ticker, "would run", "unless a task of it is still queued or at work");
    }
  }

  void add(const IndexedPipeline& pipeline, std::uint32_t ticker, std::string outcome,
           std::string why) {
    lines_.push_back({std::move(outcome), std::string(signal_.tickers[ticker].ticker),
                      to_text(pipeline.id), std::string(pipeline.name), std::move(why)});
  }

  const TriggerConfig& config_;
  TriggerRules rules_;
  const TradingSignal& signal_;
  SystemClock clock_;
  std::vector<Line> lines_;
};

int explain_file(const TriggerConfig& config, const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream text;
  text << file.rdbuf();
  const std::string payload = text.str();
  TradingSignal signal;
  SignalReader reader;
  const SystemClock clock;
  if (const auto reject = reader.read_signal(payload, clock.now(), signal)) {
    std::printf("refused: %s %s (it would be a dead letter)\n",
                std::string(name_of(reject->reason)).c_str(), reject->detail.c_str());
    return exit_status::kFailed;
  }
  return Explainer{config, signal}.run();
}

/// What the replicas recorded; newest first.
int explain_recorded(const TriggerConfig& config, const std::string& signal_id) {
  RedisOutcomes outcomes{task_queue_options(config, "signalbox-explain").redis,
                         config.is_shadow ? TaskQueueMode::Shadow : TaskQueueMode::Live};
  std::vector<Line> lines;
  EventTime oldest{};
  outcomes.read([&](const RecordedOutcome& recorded) {
    oldest = recorded.recorded_at;
    if (recorded.signal_key == signal_id) {
      lines.push_back({std::string(name_of(recorded.outcome)), std::string(recorded.ticker),
                       std::string(recorded.pipeline), iso_utc(recorded.recorded_at),
                       std::string(meaning_of(recorded.outcome))});
    }
    return ReadOn::Yes;
  });
  if (lines.empty()) {
    std::printf(
        "no outcome of signal %s is recorded%s%s: nobody watched its tickers, it was never "
        "read, or it is older\n",
        signal_id.c_str(), oldest == EventTime{} ? "" : " since ",
        oldest == EventTime{} ? "" : iso_utc(oldest).c_str());
    return exit_status::kFailed;
  }
  std::ranges::reverse(lines);
  print(lines);
  return exit_status::kStopped;
}

}  // namespace

int explain_signal(const TriggerConfig& config, const std::string& file_or_id) {
  std::error_code failed;
  if (std::filesystem::is_regular_file(file_or_id, failed)) return explain_file(config, file_or_id);
  return explain_recorded(config, file_or_id);
}

}  // namespace signalbox
