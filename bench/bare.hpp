#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// What the bare programs share. They know no rules, no fences and no failures: they are the limit
/// that the product is measured against, and end with a message when anything goes wrong.
namespace bare {

using Clock = std::chrono::steady_clock;

/// An environment variable, or what stands for it.
std::string variable(const char* name, const std::string& otherwise);

[[noreturn]] void fail(const std::string& why);

/// User and system time of this process, in seconds.
double cpu_seconds();

/// Peak resident memory of this process, in bytes.
long peak_bytes();

/// Nanoseconds since 1970.
std::int64_t now_ns();

struct ClientDeleter {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
};
using Client = std::unique_ptr<rd_kafka_t, ClientDeleter>;

struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;

using Properties = std::vector<std::pair<std::string, std::string>>;

/// The settings that proved fastest; a later property wins.
Client open_consumer(const Properties& properties);
Client open_producer(const Properties& properties);

/// Every topic of the cluster whose name begins so.
std::vector<std::string> topics_with_prefix(rd_kafka_t* client, const std::string& prefix);

/// Creates what is not there.
void make_topics(rd_kafka_t* client, const std::vector<std::string>& names, int partitions);

/// Reads every partition of the topics from `offset` on, without a group.
void assign_all(rd_kafka_t* consumer, const std::vector<std::string>& topics, std::int64_t offset);

/// A blocking connection to Redis that counts replies instead of reading them.
class Redis {
 public:
  /// REDIS_HOST and REDIS_PORT.
  Redis();
  ~Redis();
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  void write(std::string_view bytes);
  /// Waits for `count` replies of one line.
  void read_lines(std::size_t count);
  /// Whatever has come; empty after `wait` of silence.
  std::string_view read_some(std::chrono::milliseconds wait);

 private:
  int socket_ = -1;
  std::vector<char> buffer_;
};

/// The topics that the benchmarks run on: symbols in the four timeframes whose candles go to one
/// channel (those of 1h and 1d go to two).
std::vector<std::string> candle_topics(const std::string& prefix, int count = 33);

/// A candle as the original's gateway sends it, about 400 bytes; `extra` is spliced in as is.
std::string candle(const std::string& topic, int minute, const std::string& extra = "");

}  // namespace bare
