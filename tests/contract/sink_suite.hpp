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
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/test_batch.hpp"
#include "ports/sink.hpp"

namespace signalbox {

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
