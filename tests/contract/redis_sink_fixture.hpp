#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "adapters/redis_sink.hpp"
#include "contract/redis_place.hpp"
#include "contract/test_batch.hpp"

namespace signalbox {

/// A setting of the server, put back at the end of the scope.
class ServerSetting {
 public:
  ServerSetting(RedisControl& control, std::string name, std::string_view value)
      : control_(control), name_(std::move(name)) {
    before_ = control_.ask_list({"CONFIG", "GET", name_}).at(1);
    EXPECT_EQ(control_.ask({"CONFIG", "SET", name_, value}), "OK");
  }
  ~ServerSetting() { control_.ask({"CONFIG", "SET", name_, before_}); }
  ServerSetting(const ServerSetting&) = delete;
  ServerSetting& operator=(const ServerSetting&) = delete;

 private:
  RedisControl& control_;
  std::string name_;
  std::string before_;
};

class RedisSinkTest : public testing::Test {
 protected:
  RedisSinkTest() : word_(unique_word()), group_("group-" + word_), place_(word_) {}

  RedisSinkOptions options() const { return place_.options(group_); }
  RedisControl& control() { return place_.control(); }
  TestBatch batch() const { return TestBatch{word_}; }
  TopicPartition source(int number) const { return candle_source_at(word_, number); }
  std::string channel(int number) const { return route_for(source(number).topic)->channels.at(0); }

  std::optional<Fence> fence_of(Sink& sink, int number) {
    const TopicPartition partition = source(number);
    const FenceMap fences = sink.read_fences({&partition, 1});
    const auto found = fences.find(partition);
    return found == fences.end() ? std::nullopt : std::optional{found->second};
  }

  std::string word_;
  std::string group_;
  RedisPlace place_;
};

inline bool committed(const WriteOutcome& outcome) {
  return std::holds_alternative<Committed>(outcome);
}

inline std::string why_unavailable(const WriteOutcome& outcome) {
  const auto* unavailable = std::get_if<Unavailable>(&outcome);
  return unavailable ? unavailable->why : "outcome " + std::to_string(outcome.index());
}

}  // namespace signalbox
