#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "domain/pipeline.hpp"
#include "domain/slot_table.hpp"
#include "domain/text_table.hpp"
#include "domain/uuid.hpp"

namespace signalbox {

/// How one subscription of one watched ticker is packed into an integer: from the top the stream,
/// the pipeline and the level, so that the integers of a ticker, sorted, are sorted by these.
///
/// A *stream* is a pair of signal type and timeframe that somebody subscribes to. Stream 0 stands
/// for every signal. A *level* is the place of a min_confidence among all that occur, from 1 on;
/// 0 stands for none.
struct PostingLayout {
  unsigned level_bits = 0;
  unsigned pipeline_bits = 0;

  unsigned stream_shift() const { return level_bits + pipeline_bits; }
};

/// The contents of a PipelineIndex; the one that builds it fills it, then nobody changes it.
struct IndexParts {
  static constexpr std::uint32_t kAnyTimeframe = 0;  ///< others: their number in the table, plus 1
  static constexpr std::uint32_t kNoDirectory = 0xFFFFFFFF;

  struct Row {
    Uuid user;
    std::uint32_t name_end = 0;
    BusyRule busy;
    bool has_user = false;
    bool has_busy = false;
  };

  std::vector<Uuid> ids;  ///< a pipeline's number is its place: they stay as they were given
  SlotTable numbers;      ///< by id
  std::vector<Row> rows;
  std::vector<char> names;

  TextTable tickers;
  TextTable types;
  TextTable timeframes;
  std::vector<std::uint32_t> type_streams;       ///< of each type the first stream, and one more
  std::vector<std::uint32_t> stream_timeframes;  ///< of each stream, sorted within a type
  std::vector<double> levels;                    ///< sorted

  PostingLayout layout;
  std::vector<std::uint32_t> posting_begins;  ///< of each ticker, and one more
  /// Where a ticker's types begin among its postings, for tickers that have many: by ticker the
  /// place in `directory`. Empty when no ticker has.
  std::vector<std::uint32_t> directory_begins;
  std::vector<std::uint32_t> directory;
  /// Narrow where everything fits into 32 bits. One more at the end, so that a reader who has come
  /// to the end may look at it.
  std::variant<std::vector<std::uint32_t>, std::vector<std::uint64_t>> postings;
  std::size_t watch_count = 0;  ///< (pipeline, ticker)

  std::optional<std::uint32_t> number_of(const Uuid& id) const {
    return numbers.find(hash_of(id), [&](std::uint32_t number) { return ids[number] == id; });
  }

  static std::uint64_t hash_of(const Uuid& id) { return mixed(std::hash<Uuid>{}(id)); }

  std::size_t memory_bytes() const;
};

/// Of several pipelines with one id the first counts; so it is with a ticker that stands twice in
/// a pipeline. Throws std::length_error where more than 2^32 postings or 64 bits a posting would
/// be needed: a million pipelines with four subscriptions each always fit.
IndexParts build_index_parts(std::span<const Pipeline> pipelines);

}  // namespace signalbox
