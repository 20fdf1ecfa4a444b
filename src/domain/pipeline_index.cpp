#include "domain/pipeline_index.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "domain/pipeline_index_parts.hpp"

namespace signalbox {
namespace {

constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();

/// Up to here a search looks at every item: they share a few cache lines, and nothing is guessed.
constexpr std::ptrdiff_t kLookAtAll = 24;

/// Up to here a list is compared with another one item by item.
constexpr std::size_t kFew = 16;

/// A stretch of sorted postings.
template <typename Word>
struct Run {
  const Word* begin = nullptr;
  const Word* end = nullptr;

  bool empty() const { return begin == end; }
  std::size_t size() const { return static_cast<std::size_t>(end - begin); }
};

template <typename Word>
const Word* first_from(Run<Word> run, Word key) {
  if (run.end - run.begin > kLookAtAll) return std::lower_bound(run.begin, run.end, key);
  std::ptrdiff_t below = 0;
  for (const Word* at = run.begin; at != run.end; ++at) below += *at < key ? 1 : 0;
  return run.begin + below;
}

/// What a posting's integer says.
template <typename Word>
class Reader {
 public:
  explicit Reader(const PostingLayout& layout)
      : level_bits_(layout.level_bits),
        stream_shift_(layout.stream_shift()),
        level_mask_(static_cast<Word>((Word{1} << layout.level_bits) - 1)),
        pipeline_mask_(static_cast<Word>((Word{1} << layout.pipeline_bits) - 1)) {}

  Word level(Word word) const { return word & level_mask_; }
  std::uint32_t pipeline(Word word) const {
    return static_cast<std::uint32_t>((word >> level_bits_) & pipeline_mask_);
  }
  std::uint32_t stream(Word word) const {
    return static_cast<std::uint32_t>(word >> stream_shift_);
  }
  Word first_of(std::uint32_t stream) const {
    return static_cast<Word>(Word{stream} << stream_shift_);
  }

 private:
  unsigned level_bits_;
  unsigned stream_shift_;
  Word level_mask_;
  Word pipeline_mask_;
};

/// One run needs no comparing: a posting follows the other.
template <typename Word>
Match* copy(const Reader<Word>& reader, Run<Word> run, Word level, std::uint32_t ticker,
            Match* out) {
  for (const Word* at = run.begin; at != run.end; ++at) {
    *out = {.pipeline = PipelineNumber{reader.pipeline(*at)}, .ticker = ticker};
    out += reader.level(*at) <= level ? 1 : 0;
  }
  return out;
}

/// Appends, in their order and each once, the pipelines that have a posting of at most the level
/// in one of two runs that are not empty. Without branches on the data: which run comes next is as
/// good as random.
template <typename Word>
Match* unite(const Reader<Word>& reader, Run<Word> one, Run<Word> other, Word level,
             std::uint32_t ticker, Match* out) {
  do {
    const std::uint32_t a = reader.pipeline(*one.begin);
    const std::uint32_t b = reader.pipeline(*other.begin);
    const unsigned is_one = a <= b ? 1 : 0;
    const unsigned is_other = b <= a ? 1 : 0;
    const unsigned passes = (is_one & (reader.level(*one.begin) <= level ? 1U : 0U)) |
                            (is_other & (reader.level(*other.begin) <= level ? 1U : 0U));
    *out = {.pipeline = PipelineNumber{std::min(a, b)}, .ticker = ticker};
    out += passes;
    one.begin += is_one;
    other.begin += is_other;
  } while (!one.empty() && !other.empty());
  out = copy(reader, one, level, ticker, out);
  return copy(reader, other, level, ticker, out);
}

/// The streams that a signal's type and timeframe ask for.
struct Wanted {
  std::uint32_t type = kNobody;  ///< kNobody: nobody subscribes to the type
  std::uint32_t first_stream = 0;
  std::uint32_t last_stream = 0;          ///< one past it
  std::uint32_t any_timeframe = kNobody;  ///< the type's stream for every timeframe
  std::uint32_t timeframe = kNobody;      ///< its stream for the signal's
  bool has_timeframe = false;

  bool is_of_type(std::uint32_t stream) const {
    return stream >= first_stream && stream < last_stream;
  }
  bool is_of_timeframe(std::uint32_t stream) const {
    return !has_timeframe || stream == any_timeframe || stream == timeframe;
  }
};

Wanted wanted_by(const IndexParts& parts, const TradingSignal& signal) {
  Wanted wanted{.has_timeframe = !signal.timeframe.empty()};
  const auto type = parts.types.find(signal.type);
  if (!type) return wanted;
  wanted.type = *type;
  wanted.first_stream = parts.type_streams[*type];
  wanted.last_stream = parts.type_streams[*type + 1];
  const auto begin = parts.stream_timeframes.begin();
  const auto find = [&](std::uint32_t timeframe) {
    const auto end = begin + wanted.last_stream;
    const auto found = std::lower_bound(begin + wanted.first_stream, end, timeframe);
    return found == end || *found != timeframe ? kNobody
                                               : static_cast<std::uint32_t>(found - begin);
  };
  wanted.any_timeframe = find(IndexParts::kAnyTimeframe);
  if (!wanted.has_timeframe) return wanted;
  if (const auto timeframe = parts.timeframes.find(signal.timeframe)) {
    wanted.timeframe = find(*timeframe + 1);
  }
  return wanted;
}

/// The levels that a confidence reaches. Absent and NaN count as 0.
std::uint32_t level_of(const IndexParts& parts, std::optional<double> confidence) {
  if (parts.levels.empty()) return 0;
  const double given = confidence && !std::isnan(*confidence) ? *confidence : 0;
  // A search without branches: any confidence is as likely as the other.
  const double* at = parts.levels.data();
  for (std::size_t left = parts.levels.size(); left > 1; left -= left / 2) {
    at += at[left / 2 - 1] <= given ? left / 2 : 0;
  }
  return static_cast<std::uint32_t>(at - parts.levels.data()) + (*at <= given ? 1 : 0);
}

/// Calls `visit(number, position)` for each ticker of the signal that somebody watches, the first
/// time that it stands there.
template <typename Visit>
void for_each_ticker(const IndexParts& parts, const TradingSignal& signal, Visit visit) {
  const auto count = static_cast<std::uint32_t>(signal.tickers.size());
  if (count <= kFew) {
    std::array<std::uint32_t, kFew> seen;
    auto* end = seen.begin();
    for (std::uint32_t position = 0; position < count; ++position) {
      const auto number = parts.tickers.find(signal.tickers[position].ticker);
      if (!number || std::find(seen.begin(), end, *number) != end) continue;
      *end++ = *number;
      visit(*number, position);
    }
    return;
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;  // number, position
  for (std::uint32_t position = 0; position < count; ++position) {
    const auto number = parts.tickers.find(signal.tickers[position].ticker);
    if (number) found.emplace_back(*number, position);
  }
  std::ranges::sort(found);
  const auto repeats = std::ranges::unique(found, {}, [](const auto& pair) { return pair.first; });
  found.erase(repeats.begin(), repeats.end());
  std::ranges::sort(found, {}, [](const auto& pair) { return pair.second; });
  for (const auto& [number, position] : found) visit(number, position);
}

/// Which pipelines the sender lets a ticker reach.
class Admission {
 public:
  Admission(const IndexParts& parts, const TradingSignal& signal, const MatchRules& rules)
      : parts_(parts), signal_(signal) {
    is_off_ = signal.backtest.any() && !rules.allow_backtest;
    if (!signal.backtest.pipeline_id.empty()) {
      const auto id = parse_uuid(signal.backtest.pipeline_id);
      only_ = id ? number_of(*id) : kNobody;
    }
    if (signal.routing.size() <= kFew) return;
    for (const TickerRouting& routing : signal.routing) by_ticker_.push_back(&routing);
    std::ranges::stable_sort(by_ticker_, {}, &TickerRouting::ticker);
  }

  bool is_off() const { return is_off_; }

  /// From here on `admits` speaks of this ticker.
  void enter(std::string_view ticker) {
    admitted_.clear();
    const TickerRouting* routing = find(ticker);
    is_routed_ = routing != nullptr;
    if (!is_routed_) return;
    for (const Uuid& id : routing->pipelines) {
      const std::uint32_t number = number_of(id);
      if (number != kNobody) admitted_.push_back(number);
    }
    std::ranges::sort(admitted_);
  }

  bool admits_all() const { return !only_ && !is_routed_; }
  bool admits(PipelineNumber number) const {
    if (only_ && *only_ != number.value) return false;
    return !is_routed_ || std::ranges::binary_search(admitted_, number.value);
  }

 private:
  std::uint32_t number_of(const Uuid& id) const { return parts_.number_of(id).value_or(kNobody); }

  /// Of several entries for a ticker the last one, as in any JSON object.
  const TickerRouting* find(std::string_view ticker) const {
    if (by_ticker_.empty()) {
      const auto found = std::ranges::find(signal_.routing.rbegin(), signal_.routing.rend(), ticker,
                                           &TickerRouting::ticker);
      return found == signal_.routing.rend() ? nullptr : &*found;
    }
    const auto after = std::ranges::upper_bound(by_ticker_, ticker, {}, &TickerRouting::ticker);
    if (after == by_ticker_.begin() || after[-1]->ticker != ticker) return nullptr;
    return after[-1];
  }

  const IndexParts& parts_;
  const TradingSignal& signal_;
  bool is_off_ = false;
  bool is_routed_ = false;
  std::optional<std::uint32_t> only_;
  std::vector<std::uint32_t> admitted_;
  std::vector<const TickerRouting*> by_ticker_;
};

/// Looks into the postings of one width.
template <typename Word>
class Search {
 public:
  Search(const IndexParts& parts, const std::vector<Word>& postings)
      : parts_(parts), postings_(postings.data()), reader_(parts.layout) {}

  Run<Word> postings_of(std::uint32_t ticker) const {
    return {postings_ + parts_.posting_begins[ticker],
            postings_ + parts_.posting_begins[ticker + 1]};
  }

  void match(const Wanted& wanted, std::uint32_t ticker, std::uint32_t position,
             const SignalTicker& said, std::vector<Match>& out) const {
    Run<Word> everything;
    const Run<Word> of_type = runs_of(wanted, ticker, everything);
    const std::size_t before = out.size();
    out.resize(before + everything.size() + of_type.size());
    Match* end = out.data() + before;
    // Who takes every signal subscribes to none, and so is not among the others.
    for (const Word* at = everything.begin; at != everything.end; ++at) {
      *end++ = {.pipeline = PipelineNumber{reader_.pipeline(*at)}, .ticker = position};
    }
    if (!of_type.empty()) {
      const auto limit = static_cast<Word>(level_of(parts_, said.confidence));
      end = wanted.has_timeframe ? united(of_type, wanted, limit, position, end)
                                 : gathered(of_type, limit, position, end);
    }
    out.resize(static_cast<std::size_t>(end - out.data()));
  }

  /// How near each watcher of a ticker came, by pipeline: 0 to 3, 3 = it matches.
  void judge(const Wanted& wanted, std::uint32_t ticker, std::uint32_t level,
             std::vector<std::uint64_t>& out) const {
    const Run<Word> all = postings_of(ticker);
    for (const Word* at = all.begin; at != all.end; ++at) {
      const std::uint64_t progress = progress_of(wanted, *at, level);
      out.push_back(std::uint64_t{reader_.pipeline(*at)} << 2U | progress);
    }
  }

  bool watches(std::uint32_t pipeline, std::uint32_t ticker) const {
    const Run<Word> all = postings_of(ticker);
    return std::any_of(all.begin, all.end,
                       [&](Word word) { return reader_.pipeline(word) == pipeline; });
  }

 private:
  /// The postings for every signal, and those for the signal's type.
  Run<Word> runs_of(const Wanted& wanted, std::uint32_t ticker, Run<Word>& everything) const {
    const Run<Word> all = postings_of(ticker);
    const std::uint32_t directory = parts_.directory_begins.empty()
                                        ? IndexParts::kNoDirectory
                                        : parts_.directory_begins[ticker];
    if (directory != IndexParts::kNoDirectory) {
      // Of a large index nothing is in the processor's caches: ask for both stretches at once.
      ask_for(all.begin);
      const std::uint32_t* const types = parts_.directory.data() + directory;
      Run<Word> of_type{all.end, all.end};
      if (wanted.type != kNobody) {
        of_type = {postings_ + types[wanted.type], postings_ + types[wanted.type + 1]};
        ask_for(of_type.begin);
      }
      everything = {all.begin, postings_ + types[0]};
      return of_type;
    }
    everything = {all.begin, first_from(all, reader_.first_of(1))};
    if (wanted.type == kNobody) return {all.end, all.end};
    const Run<Word> rest{everything.end, all.end};
    const Word* const begin = first_from(rest, reader_.first_of(wanted.first_stream));
    return {begin, first_from({begin, all.end}, reader_.first_of(wanted.last_stream))};
  }

  /// The first two cache lines; the processor guesses those that follow.
  static void ask_for(const Word* at) {
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64 / sizeof(Word));
  }

  Run<Word> of_stream(Run<Word> of_type, std::uint32_t stream) const {
    if (stream == kNobody) return {of_type.end, of_type.end};
    const Word* const begin = first_from(of_type, reader_.first_of(stream));
    return {begin, first_from({begin, of_type.end}, reader_.first_of(stream + 1))};
  }

  Match* united(Run<Word> of_type, const Wanted& wanted, Word level, std::uint32_t position,
                Match* out) const {
    const Run<Word> any = of_stream(of_type, wanted.any_timeframe);
    const Run<Word> exact = of_stream(of_type, wanted.timeframe);
    if (any.empty()) return copy(reader_, exact, level, position, out);
    if (exact.empty()) return copy(reader_, any, level, position, out);
    return unite(reader_, any, exact, level, position, out);
  }

  /// A signal without a timeframe reaches the subscriptions of all of them.
  Match* gathered(Run<Word> of_type, Word level, std::uint32_t position, Match* out) const {
    Match* const end = copy(reader_, of_type, level, position, out);
    std::sort(out, end);
    return std::unique(out, end);
  }

  std::uint64_t progress_of(const Wanted& wanted, Word word, std::uint32_t level) const {
    const std::uint32_t stream = reader_.stream(word);
    if (stream == 0) return 3;
    if (!wanted.is_of_type(stream)) return 0;
    if (!wanted.is_of_timeframe(stream)) return 1;
    return reader_.level(word) <= level ? 3 : 2;
  }

  const IndexParts& parts_;
  const Word* postings_;
  Reader<Word> reader_;
};

constexpr std::array kReasons{TriggerOutcome::NoSubscription, TriggerOutcome::WrongTimeframe,
                              TriggerOutcome::BelowConfidence};

/// Calls `visit` with a Search of the width that the postings have.
template <typename Visit>
void with_search(const IndexParts& parts, Visit visit) {
  std::visit([&](const auto& postings) { visit(Search(parts, postings)); }, parts.postings);
}

}  // namespace

struct PipelineIndex::Parts : IndexParts {};

PipelineIndex::PipelineIndex() : PipelineIndex(std::span<const Pipeline>{}) {}

PipelineIndex::PipelineIndex(std::span<const Pipeline> pipelines)
    : parts_(std::make_unique<const Parts>(build_index_parts(pipelines))) {}

PipelineIndex::~PipelineIndex() = default;
PipelineIndex::PipelineIndex(PipelineIndex&&) noexcept = default;
PipelineIndex& PipelineIndex::operator=(PipelineIndex&&) noexcept = default;

std::size_t PipelineIndex::size() const { return parts_->ids.size(); }
std::size_t PipelineIndex::ticker_count() const { return parts_->tickers.size(); }
std::size_t PipelineIndex::posting_count() const { return parts_->watch_count; }
std::size_t PipelineIndex::memory_bytes() const { return parts_->memory_bytes(); }

IndexedPipeline PipelineIndex::at(PipelineNumber number) const {
  const IndexParts::Row& row = parts_->rows[number.value];
  const std::size_t begin = number.value == 0 ? 0 : parts_->rows[number.value - 1].name_end;
  return {.id = parts_->ids[number.value],
          .user = row.has_user ? std::optional(row.user) : std::nullopt,
          .name = {parts_->names.data() + begin, row.name_end - begin},
          .busy = row.has_busy ? std::optional(row.busy) : std::nullopt};
}

std::optional<PipelineNumber> PipelineIndex::find(const Uuid& id) const {
  const auto number = parts_->number_of(id);
  return number ? std::optional(PipelineNumber{*number}) : std::nullopt;
}

bool PipelineIndex::watches(PipelineNumber number, std::string_view ticker) const {
  const auto known = parts_->tickers.find(ticker);
  bool found = false;
  if (!known) return found;
  with_search(*parts_, [&](const auto& search) { found = search.watches(number.value, *known); });
  return found;
}

void PipelineIndex::match(const TradingSignal& signal, const MatchRules& rules,
                          std::vector<Match>& out) const {
  Admission admission(*parts_, signal, rules);
  if (admission.is_off()) return;
  const Wanted wanted = wanted_by(*parts_, signal);
  with_search(*parts_, [&](const auto& search) {
    for_each_ticker(*parts_, signal, [&](std::uint32_t ticker, std::uint32_t position) {
      const std::size_t before = out.size();
      const SignalTicker& said = signal.tickers[position];
      search.match(wanted, ticker, position, said, out);
      if (out.size() == before) return;
      admission.enter(said.ticker);
      if (admission.admits_all()) return;
      const auto begin = out.begin() + static_cast<std::ptrdiff_t>(before);
      const auto is_kept_out = [&](const Match& match) {
        return !admission.admits(match.pipeline);
      };
      out.erase(std::remove_if(begin, out.end(), is_kept_out), out.end());
    });
  });
}

void PipelineIndex::judge_rest(const TradingSignal& signal, const MatchRules& rules,
                               std::vector<NoMatch>& out) const {
  Admission admission(*parts_, signal, rules);
  const Wanted wanted = wanted_by(*parts_, signal);
  std::vector<std::uint64_t> judged;
  with_search(*parts_, [&](const auto& search) {
    for_each_ticker(*parts_, signal, [&](std::uint32_t ticker, std::uint32_t position) {
      const SignalTicker& said = signal.tickers[position];
      judged.clear();
      search.judge(wanted, ticker, level_of(*parts_, said.confidence), judged);
      std::ranges::sort(judged, std::greater{});  // of a pipeline the nearest miss first
      const auto repeats =
          std::ranges::unique(judged, {}, [](std::uint64_t one) { return one >> 2U; });
      judged.erase(repeats.begin(), repeats.end());
      admission.enter(said.ticker);
      for (auto one = judged.rbegin(); one != judged.rend(); ++one) {
        const PipelineNumber number{static_cast<std::uint32_t>(*one >> 2U)};
        const std::size_t progress = *one & 3U;
        if (admission.is_off()) {
          out.push_back({number, position, TriggerOutcome::BacktestOff});
        } else if (!admission.admits(number)) {
          out.push_back({number, position, TriggerOutcome::NotRouted});
        } else if (progress < kReasons.size()) {
          out.push_back({number, position, kReasons[progress]});
        }
      }
    });
  });
}

}  // namespace signalbox
