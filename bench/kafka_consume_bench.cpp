// Reads one backlog twice over: with a bare consumer loop, and through KafkaSource as a lane does.
//
//   kafka_consume_bench fill MESSAGES     recorded-size candles, snappy, 132 topics of 3 partitions
//   kafka_consume_bench bare              one waiting poll, then polls until empty; nothing else
//   kafka_consume_bench source [SLOW_US]  KafkaSource::poll in 500s, SLOW_US of work after each
//
// KAFKA_BROKER names the broker. Prints messages a second, CPU a message, resident memory.

#include <sys/resource.h>
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <librdkafka/rdkafka.h>

#include "adapters/kafka_producer.hpp"
#include "adapters/kafka_source.hpp"

namespace {

using namespace signalbox;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kTopics = 132;
constexpr int kPartitions = 3;
constexpr const char* kPattern = "^bench\\.candles\\..*$";

std::string broker() {
  const char* text = std::getenv("KAFKA_BROKER");
  return text ? text : "127.0.0.1:19092";
}

std::string candle(int i) {
  std::string text = R"({"symbol":"btcusdc","timeframe":"1m","timestamp":)" +
                     std::to_string(1'700'000'000'000 + i * 60'000LL) +
                     R"(,"datetime":"2025-10-27T13:57:00Z")";
  for (const char* field : {"open", "high", "low", "close", "volume", "quote_asset_volume",
                            "taker_buy_base_asset_volume", "taker_buy_quote_asset_volume"}) {
    text += ",\"" + std::string(field) + "\":" + std::to_string(115'000 + (i * 7919) % 1000) + "." +
            std::to_string((i * 104'729) % 100'000);
  }
  return text + R"(,"number_of_trades":1234,"is_closed":true})";
}

void fill(int messages) {
  KafkaProducer producer(
      {.connection = {.brokers = broker(),
                      .properties = {{"compression.codec", "snappy"}, {"linger.ms", "50"}}},
       .delivery_timeout = 60s});
  for (int topic = 0; topic < kTopics; ++topic) {
    producer.ensure_topic(
        {.name = "bench.candles." + std::to_string(topic), .partitions = kPartitions});
  }
  for (int i = 0; i < messages; ++i) {
    const std::string topic = "bench.candles." + std::to_string(i / 100 % kTopics);
    const std::string payload = candle(i);
    producer.produce({.topic = topic,
                      .partition = i / 13'200 % kPartitions,
                      .key = "btcusdc",
                      .payload = payload});
  }
  producer.flush();
  std::printf("%d messages of about %zu bytes\n", messages, candle(1).size());
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void report(const char* name, std::size_t messages, Clock::duration took, double cpu) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double seconds = std::chrono::duration<double>(took).count();
  std::printf("%-8s %9zu messages %10.0f/s  %.3f us CPU a message  %ld MB\n", name, messages,
              static_cast<double>(messages) / seconds, cpu * 1e6 / static_cast<double>(messages),
              usage.ru_maxrss / 1024);
}

std::string fresh_group() {
  return "bench-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
}

/// A lane's work: this thread's own CPU time, so that other processes do not count.
void burn(std::chrono::microseconds work) {
  const auto cpu_now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  const auto until = cpu_now() + work;
  while (work > 0us && cpu_now() < until) {
  }
}

/// Both stop the clock at the last message: the end of the backlog shows as a second of silence.
void run_bare() {
  char why[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::pair<const char*, std::string> properties[] = {
      {"bootstrap.servers", broker()},
      {"group.id", fresh_group()},
      {"queued.min.messages", "10000000"},
      {"queued.max.messages.kbytes", "2097151"},
      {"fetch.max.bytes", "1000000"},
      {"fetch.wait.max.ms", "50"},
      {"auto.offset.reset", "earliest"},
      {"check.crcs", "true"},
      {"enable.auto.offset.store", "false"},
      {"topic.metadata.refresh.interval.ms", "5000"},
      {"partition.assignment.strategy", "cooperative-sticky"}};
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) {
      std::fprintf(stderr, "%s\n", why);
      std::exit(1);
    }
  }
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, kPattern, RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(consumer, topics);
  rd_kafka_topic_partition_list_destroy(topics);

  std::size_t count = 0;
  std::size_t bytes = 0;
  std::size_t skipped = 0;  // before the clock ran
  Clock::time_point first;
  Clock::time_point last = Clock::now();
  double cpu_first = 0;
  double cpu_last = 0;
  while (Clock::now() - last < (count > 0 ? Clock::duration{1s} : Clock::duration{30s})) {
    const std::size_t before = count;
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 100);
    for (; message; message = rd_kafka_consumer_poll(consumer, 0)) {
      if (!message->err) {
        ++count;
        bytes += message->len;
      }
      rd_kafka_message_destroy(message);
    }
    if (count == before) continue;
    last = Clock::now();
    cpu_last = cpu_seconds();
    if (before == 0) {
      first = last;
      cpu_first = cpu_last;
      skipped = count;
    }
  }
  report(bytes > 0 ? "bare" : "nothing", count - skipped, last - first, cpu_last - cpu_first);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
}

void run_source(std::chrono::microseconds slow) {
  KafkaSource source({.connection = {.brokers = broker(), .client_id = "bench"},
                      .group_id = fresh_group(),
                      .topics = {kPattern}});
  std::size_t count = 0;
  std::size_t bytes = 0;
  Clock::time_point first;
  Clock::time_point last = Clock::now();
  double cpu_first = 0;
  double cpu_last = 0;
  while (Clock::now() - last < (count > 0 ? Clock::duration{1s} : Clock::duration{30s})) {
    const Polled polled = source.poll({}, 100ms);
    for (const TopicPartition& partition : polled.assigned) source.begin(partition, Offset{0});
    if (polled.batch.empty()) continue;
    if (count == 0) {
      first = Clock::now();
      cpu_first = cpu_seconds();
    }
    for (const Run& run : polled.batch.runs) {
      count += run.messages.size();
      for (const Message& message : run.messages) bytes += message.payload.size();
    }
    burn(slow);
    last = Clock::now();
    cpu_last = cpu_seconds();
  }
  report(bytes > 0 ? "source" : "nothing", count, last - first, cpu_last - cpu_first);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "fill" && argc > 2) {
    fill(std::atoi(argv[2]));
  } else if (mode == "bare") {
    run_bare();
  } else if (mode == "source") {
    run_source(std::chrono::microseconds(argc > 2 ? std::atoi(argv[2]) : 0));
  } else {
    std::fprintf(stderr, "usage: kafka_consume_bench fill MESSAGES | bare | source [SLOW_US]\n");
    return 2;
  }
  return 0;
}
