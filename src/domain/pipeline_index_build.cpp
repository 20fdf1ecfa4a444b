#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <unordered_map>

#include "domain/pipeline_index_parts.hpp"

namespace signalbox {
namespace {

constexpr double kNoMinimum = -std::numeric_limits<double>::infinity();

/// A ticker gets a directory when it has so many postings for each type: it costs an integer a
/// type, and a search among fewer touches one or two cache lines.
constexpr std::size_t kPostingsPerTypeMin = 4;
constexpr std::size_t kDirectoryPostingsMin = 64;

/// How far ahead of the writer the memory is asked for.
constexpr std::size_t kAhead = 12;

/// One subscription on its way into postings.
struct Wish {
  std::uint32_t type = 0;
  std::uint32_t timeframe = IndexParts::kAnyTimeframe;
  double minimum = kNoMinimum;

  auto operator<=>(const Wish&) const = default;
};

struct StreamWish {
  std::uint32_t pipeline = 0;
  std::uint32_t level = 0;
};

class Builder {
 public:
  explicit Builder(std::span<const Pipeline> pipelines) : pipelines_(pipelines) {}

  IndexParts build() {
    order_pipelines();
    reserve_texts();
    for (std::uint32_t number = 0; number < order_.size(); ++number) read(number);
    watch_begins_.push_back(watched_.size());
    wish_begins_.push_back(wishes_.size());
    number_levels();
    number_streams();
    place_postings();
    parts_.tickers.seal();
    parts_.types.seal();
    parts_.timeframes.seal();
    return std::move(parts_);
  }

 private:
  void order_pipelines();
  void reserve_texts();
  void read(std::uint32_t number);
  void read_row(const Pipeline& pipeline);
  void read_tickers(std::uint32_t number, const Pipeline& pipeline);
  void read_wishes(const Pipeline& pipeline);
  void number_levels();
  void number_streams();
  void group_wishes(const std::vector<std::uint32_t>& streams);
  void place_postings();
  void make_directory();
  template <typename Word>
  std::vector<Word> scatter() const;

  std::span<const Wish> wishes_of(std::size_t number) const {
    return {wishes_.data() + wish_begins_[number], wishes_.data() + wish_begins_[number + 1]};
  }
  std::span<const std::uint32_t> watched_by(std::size_t number) const {
    return {watched_.data() + watch_begins_[number], watched_.data() + watch_begins_[number + 1]};
  }
  std::uint32_t level_of(double minimum) const {
    return static_cast<std::uint32_t>(std::ranges::upper_bound(parts_.levels, minimum) -
                                      parts_.levels.begin());
  }

  std::span<const Pipeline> pipelines_;
  std::vector<std::uint32_t> order_;         // pipelines by id
  std::vector<std::size_t> watch_begins_;    // by number, into watched_
  std::vector<std::uint32_t> watched_;       // tickers
  std::vector<std::uint32_t> last_watcher_;  // of each ticker, the number plus 1
  std::vector<std::size_t> wish_begins_;     // by number, into wishes_
  std::vector<Wish> wishes_;
  std::vector<std::size_t> stream_begins_;  // into stream_wishes_
  std::vector<StreamWish> stream_wishes_;
  IndexParts parts_;
};

void Builder::order_pipelines() {
  if (pipelines_.size() >= std::numeric_limits<std::uint32_t>::max()) {
    throw std::length_error("more pipelines than an index takes");
  }
  const auto id_of = [this](std::uint32_t at) -> const Uuid& { return pipelines_[at].id; };
  order_.resize(pipelines_.size());
  std::iota(order_.begin(), order_.end(), 0U);
  if (!std::ranges::is_sorted(order_, {}, id_of)) {
    std::ranges::stable_sort(order_, {}, id_of);
  }
  const auto repeats = std::ranges::unique(order_, {}, id_of);
  order_.erase(repeats.begin(), repeats.end());
  parts_.ids.reserve(order_.size());
  parts_.rows.reserve(order_.size());
  watch_begins_.reserve(order_.size() + 1);
  wish_begins_.reserve(order_.size() + 1);
}

void Builder::reserve_texts() {
  std::size_t names = 0;
  for (const std::uint32_t at : order_) names += pipelines_[at].name.size();
  parts_.names.reserve(names);
}

void Builder::read(std::uint32_t number) {
  const Pipeline& pipeline = pipelines_[order_[number]];
  read_row(pipeline);
  read_tickers(number, pipeline);
  read_wishes(pipeline);
}

void Builder::read_row(const Pipeline& pipeline) {
  if (parts_.names.size() + pipeline.name.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw std::length_error("names of more than 4 GB in an index");
  }
  parts_.names.insert(parts_.names.end(), pipeline.name.begin(), pipeline.name.end());
  parts_.ids.push_back(pipeline.id);
  parts_.rows.push_back({.user = pipeline.user.value_or(Uuid{}),
                         .name_end = static_cast<std::uint32_t>(parts_.names.size()),
                         .busy = pipeline.busy.value_or(BusyRule{}),
                         .has_user = pipeline.user.has_value(),
                         .has_busy = pipeline.busy.has_value()});
}

void Builder::read_tickers(std::uint32_t number, const Pipeline& pipeline) {
  watch_begins_.push_back(watched_.size());
  for (const std::string& ticker : pipeline.tickers) {
    if (ticker.empty()) continue;
    const std::uint32_t known = parts_.tickers.intern(ticker);
    if (known == last_watcher_.size()) last_watcher_.push_back(0);
    if (last_watcher_[known] == number + 1) continue;
    last_watcher_[known] = number + 1;
    watched_.push_back(known);
  }
}

/// A subscription that another one of the pipeline covers (as easy to please or easier, on the
/// same timeframe or on any) decides nothing and is left out.
void Builder::read_wishes(const Pipeline& pipeline) {
  const auto begin = static_cast<std::ptrdiff_t>(wishes_.size());
  wish_begins_.push_back(wishes_.size());
  for (const Subscription& subscription : pipeline.subscriptions) {
    Wish wish{.type = parts_.types.intern(subscription.signal_type)};
    if (!subscription.timeframe.empty()) {
      wish.timeframe = parts_.timeframes.intern(subscription.timeframe) + 1;
    }
    if (subscription.min_confidence) {
      const double minimum = *subscription.min_confidence;
      wish.minimum = std::isnan(minimum) ? std::numeric_limits<double>::infinity() : minimum;
    }
    wishes_.push_back(wish);
  }
  if (pipeline.subscriptions.size() < 2) return;
  std::sort(wishes_.begin() + begin, wishes_.end());
  auto kept = wishes_.begin() + begin;
  const Wish* any = nullptr;  // the easiest of the type on any timeframe: it comes first
  for (auto next = kept; next != wishes_.end(); ++next) {
    if (any != nullptr && any->type == next->type && any->minimum <= next->minimum) continue;
    const bool is_first = kept == wishes_.begin() + begin;
    if (!is_first && kept[-1].type == next->type && kept[-1].timeframe == next->timeframe) continue;
    *kept = *next;
    if (kept->timeframe == IndexParts::kAnyTimeframe) any = &*kept;
    ++kept;
  }
  wishes_.erase(kept, wishes_.end());
}

void Builder::number_levels() {
  std::vector<double>& levels = parts_.levels;
  // Most subscriptions ask for one of a few round numbers: what was just seen is not sorted again.
  std::vector<double> seen(256, kNoMinimum);
  for (const Wish& wish : wishes_) {
    if (wish.minimum == kNoMinimum) continue;
    const auto bits = std::bit_cast<std::uint64_t>(wish.minimum);
    double& place = seen[(bits * 0x9E3779B97F4A7C15U) >> 56U];
    if (place == wish.minimum) continue;
    place = wish.minimum;
    levels.push_back(wish.minimum);
  }
  std::ranges::sort(levels);
  const auto repeats = std::ranges::unique(levels);
  levels.erase(repeats.begin(), repeats.end());
  levels.shrink_to_fit();
}

/// Streams are numbered by type and timeframe, so that those of a type are neighbours.
void Builder::number_streams() {
  std::unordered_map<std::uint64_t, std::uint32_t> known;
  std::vector<std::uint64_t> kinds;
  std::vector<std::uint32_t> streams(wishes_.size());
  const auto kind_of = [](const Wish& wish) {
    return std::uint64_t{wish.type} << 32U | wish.timeframe;
  };
  for (std::size_t at = 0; at < wishes_.size(); ++at) {
    const std::uint64_t kind = kind_of(wishes_[at]);
    const auto [found, is_new] = known.try_emplace(kind, static_cast<std::uint32_t>(kinds.size()));
    if (is_new) kinds.push_back(kind);
    streams[at] = found->second;
  }
  std::vector<std::uint64_t> sorted = kinds;
  std::ranges::sort(sorted);
  std::vector<std::uint32_t> final_numbers(kinds.size());
  parts_.type_streams.assign(parts_.types.size() + 1, 0);
  parts_.stream_timeframes.assign(1, IndexParts::kAnyTimeframe);
  parts_.stream_timeframes.reserve(sorted.size() + 1);
  for (const std::uint64_t kind : sorted) {
    final_numbers[known.at(kind)] = static_cast<std::uint32_t>(parts_.stream_timeframes.size());
    parts_.stream_timeframes.push_back(static_cast<std::uint32_t>(kind));
    ++parts_.type_streams[(kind >> 32U) + 1];
  }
  // Every type comes from a subscription that was kept, so none is without a stream.
  parts_.type_streams[0] = 1;
  std::partial_sum(parts_.type_streams.begin(), parts_.type_streams.end(),
                   parts_.type_streams.begin());
  for (std::uint32_t& stream : streams) stream = final_numbers[stream];
  group_wishes(streams);
}

/// By stream, and within one by pipeline: a counting sort, since pipelines come in order.
void Builder::group_wishes(const std::vector<std::uint32_t>& streams) {
  stream_begins_.assign(parts_.stream_timeframes.size() + 1, 0);
  for (std::size_t number = 0; number < order_.size(); ++number) {
    if (wishes_of(number).empty()) ++stream_begins_[1];
  }
  for (const std::uint32_t stream : streams) ++stream_begins_[stream + 1];
  std::partial_sum(stream_begins_.begin(), stream_begins_.end(), stream_begins_.begin());
  std::vector<std::size_t> next(stream_begins_.begin(), stream_begins_.end() - 1);
  stream_wishes_.resize(stream_begins_.back());
  for (std::uint32_t number = 0; number < order_.size(); ++number) {
    if (wishes_of(number).empty()) stream_wishes_[next[0]++] = {.pipeline = number, .level = 0};
    for (std::size_t at = wish_begins_[number]; at < wish_begins_[number + 1]; ++at) {
      stream_wishes_[next[streams[at]]++] = {.pipeline = number,
                                             .level = level_of(wishes_[at].minimum)};
    }
  }
}

void Builder::place_postings() {
  std::vector<std::uint64_t> counts(parts_.tickers.size() + 1, 0);
  for (std::size_t number = 0; number < order_.size(); ++number) {
    const std::size_t postings = std::max<std::size_t>(wishes_of(number).size(), 1);
    for (const std::uint32_t ticker : watched_by(number)) counts[ticker + 1] += postings;
  }
  std::partial_sum(counts.begin(), counts.end(), counts.begin());
  if (counts.back() >= std::numeric_limits<std::uint32_t>::max()) {
    throw std::length_error("more postings than an index takes");
  }
  parts_.posting_begins.assign(counts.begin(), counts.end());
  parts_.watch_count = watched_.size();
  PostingLayout& layout = parts_.layout;
  layout.level_bits = static_cast<unsigned>(std::bit_width(parts_.levels.size()));
  layout.pipeline_bits = static_cast<unsigned>(std::bit_width(order_.size()));
  // The stream after the last one has to fit as well: searches ask for where it would begin.
  const auto stream_bits = static_cast<unsigned>(std::bit_width(parts_.stream_timeframes.size()));
  if (layout.stream_shift() + stream_bits > 64) {
    throw std::length_error("more kinds of subscriptions than an index takes");
  }
  if (layout.stream_shift() + stream_bits <= 32) {
    parts_.postings = scatter<std::uint32_t>();
  } else {
    parts_.postings = scatter<std::uint64_t>();
  }
  make_directory();
}

/// Every ticker's postings are sorted without a sort: they are written by stream, then by pipeline.
template <typename Word>
std::vector<Word> Builder::scatter() const {
  std::vector<Word> postings(std::size_t{parts_.posting_begins.back()} + 1);
  std::vector<std::uint32_t> next(parts_.posting_begins);
  for (std::size_t stream = 0; stream + 1 < stream_begins_.size(); ++stream) {
    const Word head = static_cast<Word>(static_cast<Word>(stream) << parts_.layout.stream_shift());
    for (std::size_t at = stream_begins_[stream]; at < stream_begins_[stream + 1]; ++at) {
      if (at + kAhead < stream_wishes_.size()) {
        __builtin_prefetch(watched_by(stream_wishes_[at + kAhead].pipeline).data());
      }
      const auto [pipeline, level] = stream_wishes_[at];
      const Word word = head | static_cast<Word>(pipeline) << parts_.layout.level_bits | level;
      for (const std::uint32_t ticker : watched_by(pipeline)) postings[next[ticker]++] = word;
    }
  }
  return postings;
}

void Builder::make_directory() {
  const std::size_t types = parts_.types.size();
  const std::vector<std::uint32_t>& begins = parts_.posting_begins;
  const std::size_t enough = std::max(kDirectoryPostingsMin, kPostingsPerTypeMin * (types + 1));
  for (std::uint32_t ticker = 0; ticker + 1 < begins.size(); ++ticker) {
    if (begins[ticker + 1] - begins[ticker] < enough) continue;
    if (parts_.directory_begins.empty()) {
      parts_.directory_begins.assign(begins.size() - 1, IndexParts::kNoDirectory);
    }
    parts_.directory_begins[ticker] = static_cast<std::uint32_t>(parts_.directory.size());
    std::visit(
        [&](const auto& postings) {
          std::uint32_t at = begins[ticker];
          for (std::size_t type = 0; type < types; ++type) {
            const std::uint64_t first = parts_.type_streams[type];
            while (at < begins[ticker + 1] &&
                   (std::uint64_t{postings[at]} >> parts_.layout.stream_shift()) < first) {
              ++at;
            }
            parts_.directory.push_back(at);
          }
        },
        parts_.postings);
    parts_.directory.push_back(begins[ticker + 1]);
  }
  parts_.directory.shrink_to_fit();
}

}  // namespace

IndexParts build_index_parts(std::span<const Pipeline> pipelines) {
  return Builder(pipelines).build();
}

std::size_t IndexParts::memory_bytes() const {
  const auto bytes = [](const auto& items) { return items.capacity() * sizeof(items[0]); };
  return sizeof(IndexParts) + bytes(ids) + bytes(rows) + bytes(names) + tickers.memory_bytes() +
         types.memory_bytes() + timeframes.memory_bytes() + bytes(type_streams) +
         bytes(stream_timeframes) + bytes(levels) + bytes(posting_begins) +
         bytes(directory_begins) + bytes(directory) + std::visit(bytes, postings);
}

}  // namespace signalbox
