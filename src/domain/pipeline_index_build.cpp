#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "domain/pipeline_index_parts.hpp"

namespace signalbox {
namespace {

constexpr std::size_t kNumberMax = std::numeric_limits<std::uint32_t>::max();

constexpr double kNoMinimum = -std::numeric_limits<double>::infinity();

/// A ticker gets a directory when it has so many postings for each type: it costs an integer a
/// type, and a search among fewer touches one or two cache lines.
constexpr std::size_t kPostingsPerTypeMin = 4;
constexpr std::size_t kDirectoryPostingsMin = 64;

/// How far ahead of the writer the memory is asked for.
constexpr std::size_t kAhead = 12;

/// One subscription as it is read.
struct Wish {
  std::uint32_t type = 0;
  std::uint32_t timeframe = IndexParts::kAnyTimeframe;
  double minimum = kNoMinimum;

  auto operator<=>(const Wish&) const = default;
};

/// Numbers 64-bit values in the order of their first appearance.
class ValueTable {
 public:
  std::uint32_t intern(std::uint64_t value) {
    const std::uint64_t hash = mixed(value);
    const auto known =
        slots_.find(hash, [&](std::uint32_t number) { return values_[number] == value; });
    if (known) return *known;
    const auto number = static_cast<std::uint32_t>(values_.size());
    values_.push_back(value);
    if (slots_.is_crowded_by(values_.size())) {
      slots_.clear(values_.size() * 4 + 8);
      for (std::uint32_t at = 0; at <= number; ++at) slots_.insert(mixed(values_[at]), at);
    } else {
      slots_.insert(hash, number);
    }
    return number;
  }

  const std::vector<std::uint64_t>& values() const { return values_; }

 private:
  std::vector<std::uint64_t> values_;
  SlotTable slots_;
};

/// A subscription on its way into postings: its kind is a type and a timeframe, its minimum the
/// number of one in a ValueTable.
struct KeptWish {
  std::uint32_t kind = 0;
  std::uint32_t minimum = 0;
};

struct StreamWish {
  std::uint32_t pipeline = 0;
  std::uint32_t level = 0;
};

class Builder {
 public:
  explicit Builder(std::span<const Pipeline> pipelines) : pipelines_(pipelines) {}

  IndexParts build() {
    reserve();
    for (const Pipeline& pipeline : pipelines_) read(pipeline);
    watch_begins_.push_back(watched_.size());
    wish_begins_.push_back(wishes_.size());
    number_levels();
    number_streams();
    group_wishes();
    place_postings();
    parts_.tickers.seal();
    parts_.types.seal();
    parts_.timeframes.seal();
    return std::move(parts_);
  }

 private:
  void reserve();
  void read(const Pipeline& pipeline);
  bool read_row(const Pipeline& pipeline);
  void read_tickers(const Pipeline& pipeline);
  void read_wishes(const Pipeline& pipeline);
  void drop_covered_wishes();
  void number_levels();
  void number_streams();
  void group_wishes();
  void place_postings();
  void make_directory();
  template <typename Word>
  std::vector<Word> scatter() const;

  std::size_t count() const { return parts_.ids.size(); }
  std::span<const KeptWish> wishes_of(std::size_t number) const {
    return {wishes_.data() + wish_begins_[number], wishes_.data() + wish_begins_[number + 1]};
  }
  std::span<const std::uint32_t> watched_by(std::size_t number) const {
    return {watched_.data() + watch_begins_[number], watched_.data() + watch_begins_[number + 1]};
  }

  std::span<const Pipeline> pipelines_;
  std::vector<std::size_t> watch_begins_;    // by pipeline, into watched_
  std::vector<std::uint32_t> watched_;       // tickers
  std::vector<std::uint32_t> last_watcher_;  // of each ticker, the number plus 1
  std::vector<std::size_t> wish_begins_;     // by pipeline, into wishes_
  std::vector<KeptWish> wishes_;
  std::vector<Wish> own_wishes_;  // of the pipeline that is read
  ValueTable kinds_;
  ValueTable minimums_;                     // bits of a double
  std::vector<std::uint32_t> streams_;      // by kind
  std::vector<std::uint32_t> levels_;       // by minimum
  std::vector<std::size_t> stream_begins_;  // into stream_wishes_
  std::vector<StreamWish> stream_wishes_;
  IndexParts parts_;
};

void Builder::reserve() {
  std::size_t names = 0;
  std::size_t tickers = 0;
  std::size_t wishes = 0;
  for (const Pipeline& pipeline : pipelines_) {
    names += pipeline.name.size();
    tickers += pipeline.tickers.size();
    wishes += pipeline.subscriptions.size();
  }
  if (pipelines_.size() > SlotTable::kItemsMax || names > kNumberMax || tickers > kNumberMax) {
    throw std::length_error("more pipelines than an index takes");
  }
  parts_.names.reserve(names);
  parts_.ids.reserve(pipelines_.size());
  parts_.rows.reserve(pipelines_.size());
  parts_.numbers.clear(slots_for(pipelines_.size()));
  watched_.reserve(tickers);
  watch_begins_.reserve(pipelines_.size() + 1);
  wishes_.reserve(wishes);
  wish_begins_.reserve(pipelines_.size() + 1);
}

void Builder::read(const Pipeline& pipeline) {
  if (!read_row(pipeline)) return;
  read_tickers(pipeline);
  read_wishes(pipeline);
}

/// False where the id came before.
bool Builder::read_row(const Pipeline& pipeline) {
  const std::uint64_t hash = IndexParts::hash_of(pipeline.id);
  const auto is_it = [&](std::uint32_t number) { return parts_.ids[number] == pipeline.id; };
  if (parts_.numbers.find(hash, is_it)) return false;
  parts_.numbers.insert(hash, static_cast<std::uint32_t>(count()));
  parts_.names.insert(parts_.names.end(), pipeline.name.begin(), pipeline.name.end());
  parts_.ids.push_back(pipeline.id);
  parts_.rows.push_back({.user = pipeline.user.value_or(Uuid{}),
                         .name_end = static_cast<std::uint32_t>(parts_.names.size()),
                         .busy = pipeline.busy.value_or(BusyRule{}),
                         .has_user = pipeline.user.has_value(),
                         .has_busy = pipeline.busy.has_value()});
  return true;
}

void Builder::read_tickers(const Pipeline& pipeline) {
  const auto mark = static_cast<std::uint32_t>(count());
  watch_begins_.push_back(watched_.size());
  for (const std::string& ticker : pipeline.tickers) {
    if (ticker.empty()) continue;
    const std::uint32_t known = parts_.tickers.intern(ticker);
    if (known == last_watcher_.size()) last_watcher_.push_back(0);
    if (last_watcher_[known] == mark) continue;
    last_watcher_[known] = mark;
    watched_.push_back(known);
  }
}

void Builder::read_wishes(const Pipeline& pipeline) {
  wish_begins_.push_back(wishes_.size());
  own_wishes_.clear();
  for (const Subscription& subscription : pipeline.subscriptions) {
    Wish wish{.type = parts_.types.intern(subscription.signal_type)};
    if (!subscription.timeframe.empty()) {
      wish.timeframe = parts_.timeframes.intern(subscription.timeframe) + 1;
    }
    if (subscription.min_confidence) {
      const double minimum = *subscription.min_confidence;
      wish.minimum = std::isnan(minimum) ? std::numeric_limits<double>::infinity() : minimum;
    }
    own_wishes_.push_back(wish);
  }
  if (own_wishes_.size() > 1) drop_covered_wishes();
  for (const Wish& wish : own_wishes_) {
    // Minus zero is zero: their sum is.
    wishes_.push_back(
        {.kind = kinds_.intern(std::uint64_t{wish.type} << 32U | wish.timeframe),
         .minimum = minimums_.intern(std::bit_cast<std::uint64_t>(wish.minimum + 0.0))});
  }
}

/// A subscription that another one of the pipeline covers (as easy to please or easier, on the
/// same timeframe or on any) decides nothing and is left out.
void Builder::drop_covered_wishes() {
  std::ranges::sort(own_wishes_);
  const Wish* any = nullptr;  // the easiest of the type on any timeframe: it comes first
  auto kept = own_wishes_.begin();
  for (const Wish& next : own_wishes_) {
    if (any != nullptr && any->type == next.type && any->minimum <= next.minimum) continue;
    const bool is_first = kept == own_wishes_.begin();
    if (!is_first && kept[-1].type == next.type && kept[-1].timeframe == next.timeframe) continue;
    *kept = next;
    if (kept->timeframe == IndexParts::kAnyTimeframe) any = &*kept;
    ++kept;
  }
  own_wishes_.erase(kept, own_wishes_.end());
}

void Builder::number_levels() {
  std::vector<double>& levels = parts_.levels;
  for (const std::uint64_t bits : minimums_.values()) {
    const auto minimum = std::bit_cast<double>(bits);
    if (minimum != kNoMinimum) levels.push_back(minimum);
  }
  std::ranges::sort(levels);
  levels.shrink_to_fit();
  for (const std::uint64_t bits : minimums_.values()) {
    const auto after = std::ranges::upper_bound(levels, std::bit_cast<double>(bits));
    levels_.push_back(static_cast<std::uint32_t>(after - levels.begin()));
  }
}

/// Streams are numbered by type and timeframe, so that those of a type are neighbours.
void Builder::number_streams() {
  std::vector<std::uint64_t> sorted = kinds_.values();
  std::ranges::sort(sorted);
  parts_.type_streams.assign(parts_.types.size() + 1, 0);
  parts_.type_streams[0] = 1;
  parts_.stream_timeframes.reserve(sorted.size() + 1);
  parts_.stream_timeframes.push_back(IndexParts::kAnyTimeframe);
  for (const std::uint64_t kind : sorted) {
    parts_.stream_timeframes.push_back(static_cast<std::uint32_t>(kind));
    ++parts_.type_streams[(kind >> 32U) + 1];
  }
  std::partial_sum(parts_.type_streams.begin(), parts_.type_streams.end(),
                   parts_.type_streams.begin());
  for (const std::uint64_t kind : kinds_.values()) {
    const auto place = std::ranges::lower_bound(sorted, kind) - sorted.begin();
    streams_.push_back(static_cast<std::uint32_t>(place) + 1);
  }
}

/// By stream, and within one by pipeline: a counting sort, since pipelines come in order.
void Builder::group_wishes() {
  stream_begins_.assign(parts_.stream_timeframes.size() + 1, 0);
  for (std::size_t number = 0; number < count(); ++number) {
    if (wishes_of(number).empty()) ++stream_begins_[1];
  }
  for (const KeptWish& wish : wishes_) ++stream_begins_[streams_[wish.kind] + 1];
  std::partial_sum(stream_begins_.begin(), stream_begins_.end(), stream_begins_.begin());
  std::vector<std::size_t> next(stream_begins_.begin(), stream_begins_.end() - 1);
  stream_wishes_.resize(stream_begins_.back());
  for (std::uint32_t number = 0; number < count(); ++number) {
    if (wishes_of(number).empty()) stream_wishes_[next[0]++] = {.pipeline = number, .level = 0};
    for (const KeptWish& wish : wishes_of(number)) {
      stream_wishes_[next[streams_[wish.kind]]++] = {.pipeline = number,
                                                     .level = levels_[wish.minimum]};
    }
  }
}

void Builder::place_postings() {
  std::vector<std::uint64_t> counts(parts_.tickers.size() + 1, 0);
  for (std::size_t number = 0; number < count(); ++number) {
    const std::size_t postings = std::max<std::size_t>(wishes_of(number).size(), 1);
    for (const std::uint32_t ticker : watched_by(number)) counts[ticker + 1] += postings;
  }
  std::partial_sum(counts.begin(), counts.end(), counts.begin());
  if (counts.back() >= kNumberMax) {
    throw std::length_error("more postings than an index takes");
  }
  parts_.posting_begins.assign(counts.begin(), counts.end());
  parts_.watch_count = watched_.size();
  PostingLayout& layout = parts_.layout;
  layout.level_bits = static_cast<unsigned>(std::bit_width(parts_.levels.size()));
  layout.pipeline_bits = static_cast<unsigned>(std::bit_width(count()));
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
  return sizeof(IndexParts) + bytes(ids) + numbers.memory_bytes() + bytes(rows) + bytes(names) +
         tickers.memory_bytes() + types.memory_bytes() + timeframes.memory_bytes() +
         bytes(type_streams) + bytes(stream_timeframes) + bytes(levels) + bytes(posting_begins) +
         bytes(directory_begins) + bytes(directory) + std::visit(bytes, postings);
}

}  // namespace signalbox
