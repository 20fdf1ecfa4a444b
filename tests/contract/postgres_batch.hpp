#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/postgres_place.hpp"
#include "contract/test_batch.hpp"
#include "ports/sink.hpp"

namespace signalbox {

/// Candles as a test wants them, beside the well-formed ones of TestBatch.
struct CandleOf {
  std::string symbol = "BTCUSDC";
  int minute = 0;  ///< after the first of the tests' open times
  const char* open = "10";
  const char* high = "12";
  const char* low = "9";
  const char* close = "11";
  const char* volume = "5";
  bool is_closed = true;
};

/// Messages of any kind with one fence move, with the memory that they borrow. Offsets count up.
class AnyBatch {
 public:
  explicit AnyBatch(std::int64_t first_offset = 0) : first_(first_offset) {}

  AnyBatch& candle(const CandleOf& candle);
  AnyBatch& record(const std::string& topic, const std::string& payload, RecordFields fields = {});
  AnyBatch& letter(DeadLetterFields fields, std::string_view payload);
  /// The last message comes again by a replay, for the given time of its first production.
  AnyBatch& replayed(EventTime first_time);

  /// Moves the fence of `test/0` from the first offset to the next one.
  WriteBatch get();

  static const TopicPartition& partition();

 private:
  Routed& add(const std::string& topic, std::string_view payload);

  struct Memory {
    std::deque<std::string> payloads;
    std::deque<Message> messages;
    std::deque<TopicPartition> sources;
    std::deque<Route> routes;
  };

  std::int64_t first_;
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();  ///< shared with copies of this
  std::vector<Routed> routed_;
  std::vector<FenceMove> moves_;
};

/// The fence that AnyBatch leaves behind.
Fence fence_after(std::int64_t next);

/// Which outcome it is, and why.
std::string name_of(const WriteOutcome& outcome);

}  // namespace signalbox
