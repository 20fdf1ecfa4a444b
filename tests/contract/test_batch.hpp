#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ports/sink.hpp"

namespace signalbox {

/// A message that ended in a sink.
struct Delivered {
  TopicPartition source;
  Offset offset;

  auto operator<=>(const Delivered&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Delivered& delivered);

/// A word that no other test of this or of another process has; lower case, at most 10 characters.
std::string unique_word();

/// `number` is 0 to 999: the source `market.data.<word><number>usdc.1m`.
TopicPartition candle_source_at(const std::string& word, int number);

/// The open time of the candle at this offset: a minute each.
EventTime open_time_at(Offset offset);

/// The reverse of both: which message a stored candle was. The symbol may be in any case.
std::optional<Delivered> candle_source(std::string_view symbol, EventTime open_time);

/// A fence as a lane would write it after the message before `next`.
Fence fence_at(std::int64_t next);

/// Messages and fence moves of one write, with the memory that they borrow.
class TestBatch {
 public:
  explicit TestBatch(std::string word) : word_(std::move(word)) {}

  /// Candles of source `number` at offsets first … first + count - 1.
  TestBatch& candles(int number, std::int64_t first, int count = 1);

  /// One candle with a field of `size` bytes more.
  TestBatch& large_candle(int number, std::int64_t offset, std::size_t size);

  TestBatch& move(int number, std::optional<Fence> expected, Fence next);
  TestBatch& move(TopicPartition partition, std::optional<Fence> expected, Fence next);

  WriteBatch get() const;

  /// What a sink must hold when it has committed this batch.
  const std::vector<Delivered>& contents() const { return contents_; }

  const Message& message(std::size_t index) const { return memory_->messages.at(index); }
  std::vector<Routed>& routed() { return routed_; }

 private:
  void add(int number, std::int64_t offset, std::string_view more);

  struct Memory {
    std::deque<std::string> payloads;
    std::deque<Message> messages;
    std::deque<TopicPartition> sources;
    std::deque<Route> routes;
  };

  std::string word_;
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();  ///< shared with copies of this
  std::vector<Routed> routed_;
  std::vector<FenceMove> moves_;
  std::vector<Delivered> contents_;
};

}  // namespace signalbox
