#pragma once

// The contract suite of the port Sink, run against every adapter.
//
// To run it against another adapter, write one file beside this one that
//   1. derives a SinkPlace: an empty space (key space, schema, file) of the test's own, which makes
//      sinks and can say which messages ended in them;
//   2. instantiates the suite:
//        INSTANTIATE_TEST_SUITE_P(Redis, SinkContract,
//                                 testing::Values(SinkAdapter{"Redis", make_redis_place}),
//                                 adapter_name);
// The suite writes candles whose symbol and open time say which message they are: a place whose
// sink keeps rows turns (symbol, open time) back with candle_source(). What an adapter cannot do,
// its place states (durability, order, break_connection), and only such statements skip a test.

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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

enum class Durability : std::uint8_t { Durable, Volatile };

/// Whether delivered() shows in which order the messages of a partition arrived.
enum class DeliveryOrder : std::uint8_t { Shown, Hidden };

/// Where one test's sinks write. Empty when made; leaves nothing behind.
class SinkPlace {
 public:
  virtual ~SinkPlace() = default;

  /// A sink of this place: each call makes an independent one, as another replica would.
  virtual std::unique_ptr<Sink> make_sink(const std::string& group) = 0;

  /// Every message that ended here so far, a message as often as it was written.
  virtual std::vector<Delivered> delivered() = 0;

  virtual Durability durability() const = 0;
  virtual DeliveryOrder order() const = 0;

  /// Cuts the connections of this place's sinks from the server's side. False: has none.
  virtual bool break_connections() { return false; }
};

/// An adapter under test. `word` is a few letters and digits that no other test has: for names of
/// schemas, files and clients. The symbols of the test's candles begin with it.
struct SinkAdapter {
  std::string name;
  std::function<std::unique_ptr<SinkPlace>(const std::string& word)> make_place;
};

std::string adapter_name(const testing::TestParamInfo<SinkAdapter>& info);

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

class SinkContract : public testing::TestWithParam<SinkAdapter> {
 protected:
  SinkContract() : word_(unique_word()), place_(GetParam().make_place(word_)) {}

  std::unique_ptr<Sink> make_sink() { return place_->make_sink("group-" + word_); }
  TestBatch batch() const { return TestBatch{word_}; }
  TopicPartition source(int number) const { return candle_source_at(word_, number); }
  std::optional<Fence> fence_of(Sink& sink, int number);

  /// delivered(), by source and, where the order of arrival is hidden, by offset.
  std::vector<Delivered> delivered();

  std::string word_;
  std::unique_ptr<SinkPlace> place_;
};

}  // namespace signalbox
