#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "domain/pipeline.hpp"
#include "domain/trading_signal.hpp"
#include "domain/trigger_outcome.hpp"
#include "domain/uuid.hpp"

namespace signalbox {

/// A pipeline's place in one index; means nothing in another.
struct PipelineNumber {
  std::uint32_t value = 0;

  auto operator<=>(const PipelineNumber&) const = default;
};

/// What a task needs to know of a pipeline. Borrows from the index.
struct IndexedPipeline {
  Uuid id;
  std::optional<Uuid> user;
  std::string_view name;
  std::optional<BusyRule> busy;
};

struct MatchRules {
  bool allow_backtest = false;
};

/// A pipeline that watches a ticker of the signal. `ticker` is an index into signal.tickers.
struct Match {
  PipelineNumber pipeline;
  std::uint32_t ticker = 0;

  auto operator<=>(const Match&) const = default;
};

/// A pipeline that watches a ticker of the signal, and why it does not run.
struct NoMatch {
  PipelineNumber pipeline;
  std::uint32_t ticker = 0;
  TriggerOutcome why;

  bool operator==(const NoMatch&) const = default;
};

/// All active signal pipelines, ready to be asked who wants a signal. Immutable; any thread.
///
/// A ticker's pipelines are found in constant time; each (pipeline, ticker) is named at most once
/// for a signal, whatever the number of its subscriptions or of the signal's repeats of a ticker
/// (the first one counts). The rules of a match, and where they depart from the original's, are in
/// docs/TRIGGER.md.
class PipelineIndex {
 public:
  PipelineIndex();
  /// Of several pipelines with one id the first counts. Throws std::length_error where 2^32
  /// postings or 64 bits a posting are too few; a million pipelines with four subscriptions fit.
  explicit PipelineIndex(std::span<const Pipeline> pipelines);
  ~PipelineIndex();
  PipelineIndex(PipelineIndex&&) noexcept;
  PipelineIndex& operator=(PipelineIndex&&) noexcept;

  std::size_t size() const;           ///< pipelines
  std::size_t ticker_count() const;   ///< distinct tickers
  std::size_t posting_count() const;  ///< (pipeline, ticker)
  std::size_t memory_bytes() const;

  IndexedPipeline at(PipelineNumber number) const;
  std::optional<PipelineNumber> find(const Uuid& id) const;
  bool watches(PipelineNumber number, std::string_view ticker) const;

  /// Appends whoever wants the signal, in order of the signal's tickers; the pipelines of one are
  /// in an order of the index's own, which stays the same. A backtest's signal matches as any other
  /// does, at most the pipeline that it names; where it is not allowed, nobody.
  void match(const TradingSignal& signal, const MatchRules& rules, std::vector<Match>& out) const;

  /// Appends everybody else who watches one of its tickers, each with the reason.
  void judge_rest(const TradingSignal& signal, const MatchRules& rules,
                  std::vector<NoMatch>& out) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace signalbox
