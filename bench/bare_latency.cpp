// Time from produce to a bare consumer and, for the same messages, to a Redis subscriber.
//
// usage: bare_latency candles PREFIX RATE SECONDS [WARM_UP_SECONDS (5)]
//        bare_latency signals RATE SECONDS [WARM_UP_SECONDS]
//
// Messages a second, spread over every topic of PREFIX, or into the topic `signals`. Each carries
// its number and the time at which it was handed to the producer. What is sent while warming up is
// not counted. Says "ready" and begins when it reads a line. KAFKA_BROKER, REDIS_HOST and
// REDIS_PORT name the servers; FETCH_WAIT_MS (50) is the consumer's fetch.wait.max.ms. The last
// line is the result as JSON.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "bare.hpp"

namespace {

using namespace bare;
using namespace std::chrono_literals;

constexpr std::string_view kMark = "\"bench\": \"";

/// Arrival times by message number, and when each was sent.
class Arrivals {
 public:
  explicit Arrivals(std::size_t count) : delays_(count, -1) {}

  /// `text` begins behind the mark: `<number> <nanoseconds>"`. The first copy counts.
  void note(const char* text, std::int64_t now) {
    char* end = nullptr;
    const std::size_t number = std::strtoull(text, &end, 10);
    const std::int64_t sent = std::strtoll(end, nullptr, 10);
    if (sent < began_) return;  // an earlier run's, read again
    if (number >= delays_.size() || delays_[number] >= 0) return;
    delays_[number] = now - sent;
    ++count_;
  }

  std::size_t count() const { return count_; }

  void print(const char* name, std::size_t warm_up) const {
    std::vector<std::int64_t> counted;
    for (std::size_t i = warm_up; i < delays_.size(); ++i) {
      if (delays_[i] >= 0) counted.push_back(delays_[i]);
    }
    std::sort(counted.begin(), counted.end());
    const auto quantile = [&](double fraction) {
      if (counted.empty()) return 0.0;
      const double rank = std::ceil(fraction * static_cast<double>(counted.size()));
      return static_cast<double>(counted[static_cast<std::size_t>(std::max(1.0, rank)) - 1]) / 1e6;
    };
    std::printf(
        "\"%s\": {\"count\": %zu, \"missing\": %zu, \"p50_ms\": %.3f, \"p90_ms\": %.3f, "
        "\"p99_ms\": %.3f, \"max_ms\": %.3f}",
        name, counted.size(), delays_.size() - warm_up - counted.size(), quantile(0.5),
        quantile(0.9), quantile(0.99), quantile(1.0));
  }

 private:
  const std::int64_t began_ = now_ns();
  std::vector<std::int64_t> delays_;
  std::atomic<std::size_t> count_ = 0;
};

void consume(const std::vector<std::string>& topics, Arrivals& arrivals, std::atomic<bool>& ready,
             const std::atomic<bool>& stop) {
  const Client consumer = open_consumer(
      {{"fetch.max.bytes", "1000000"}, {"fetch.wait.max.ms", variable("FETCH_WAIT_MS", "50")}});
  assign_all(consumer.get(), topics, RD_KAFKA_OFFSET_END);
  const Clock::time_point start = Clock::now();
  while (!stop) {
    // The ends of the logs are looked up while nothing is produced.
    if (Clock::now() - start > 2s) ready = true;
    const KafkaMessage message{rd_kafka_consumer_poll(consumer.get(), 100)};
    if (!message || message->err) continue;
    const std::int64_t now = now_ns();
    const std::string_view payload{static_cast<const char*>(message->payload), message->len};
    const std::size_t mark = payload.find(kMark);
    if (mark != payload.npos) arrivals.note(payload.data() + mark + kMark.size(), now);
  }
}

void subscribe(const std::string& pattern, Arrivals& arrivals, const std::atomic<bool>& stop) {
  Redis redis;
  redis.write("*2\r\n$10\r\nPSUBSCRIBE\r\n$" + std::to_string(pattern.size()) + "\r\n" + pattern +
              "\r\n");
  std::string pending;
  while (!stop) {
    const std::string_view bytes = redis.read_some(100ms);
    const std::int64_t now = now_ns();
    pending.append(bytes);
    std::size_t at = 0;
    for (;;) {
      const std::size_t mark = pending.find(kMark, at);
      if (mark == pending.npos) break;
      if (pending.find('"', mark + kMark.size()) == pending.npos) {
        at = mark;
        break;
      }
      arrivals.note(pending.data() + mark + kMark.size(), now);
      at = mark + kMark.size();
    }
    const std::size_t kept = std::min(pending.size() - at, std::size_t{256});
    pending.erase(0, pending.size() - std::max(kept, at == 0 ? kept : pending.size() - at));
  }
}

std::string signal(std::size_t number, const std::string& extra) {
  return "{\"strategy\": \"bench\", \"symbol\": \"BTCUSDC\", \"side\": \"BUY\", \"timestamp\": "
         "\"2025-10-27T13:57:01.120000+00:00\", \"price\": 115001.4, " +
         extra + "\"confidence\": 0." + std::to_string(number % 90 + 10) +
         ", \"metadata\": {\"reason\": \"latency\"}}";
}

void produce(const std::vector<std::string>& topics, double rate, std::size_t messages) {
  const Client producer = open_producer({{"linger.ms", "0"}, {"acks", "1"}});
  std::vector<rd_kafka_topic_t*> handles;
  for (const std::string& topic : topics) {
    handles.push_back(rd_kafka_topic_new(producer.get(), topic.c_str(), nullptr));
  }
  const Clock::time_point start = Clock::now();
  for (std::size_t i = 0; i < messages; ++i) {
    const auto due = start + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(static_cast<double>(i) / rate));
    while (Clock::now() < due) {
      rd_kafka_poll(producer.get(), 0);
      std::this_thread::sleep_until(std::min(due, Clock::now() + 50ms));
    }
    const std::size_t topic = i * 37 % topics.size();  // no two neighbours in a row
    const std::string extra =
        std::string(kMark) + std::to_string(i) + " " + std::to_string(now_ns()) + "\", ";
    const std::string payload =
        topics[topic] == "signals"
            ? signal(i, extra)
            : candle(topics[topic], 2'000'000 + static_cast<int>(i / topics.size()), extra);
    const std::string key = topics[topic].substr(0, topics[topic].rfind('.'));
    rd_kafka_produce(handles[topic], RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                     const_cast<char*>(payload.data()), payload.size(), key.data(), key.size(),
                     nullptr);
  }
  rd_kafka_flush(producer.get(), 10'000);
  for (rd_kafka_topic_t* handle : handles) rd_kafka_topic_destroy(handle);
}

void run(const std::vector<std::string>& topics, const std::string& pattern, double rate,
         double seconds, double warm_up) {
  const auto skipped = static_cast<std::size_t>(rate * warm_up);
  const auto messages = skipped + static_cast<std::size_t>(rate * seconds);
  Arrivals at_consumer{messages};
  Arrivals at_subscriber{messages};
  std::atomic<bool> ready = false;
  std::atomic<bool> stop = false;
  {
    std::jthread consumer{[&] { consume(topics, at_consumer, ready, stop); }};
    std::jthread subscriber{[&] { subscribe(pattern, at_subscriber, stop); }};
    while (!ready) std::this_thread::sleep_for(10ms);
    std::puts("ready");
    std::fflush(stdout);
    while (std::getchar() != '\n') {
      if (std::feof(stdin)) fail("nobody said when to begin");
    }
    produce(topics, rate, messages);
    const auto deadline = Clock::now() + 10s;
    while (Clock::now() < deadline &&
           (at_consumer.count() < messages || at_subscriber.count() < messages)) {
      std::this_thread::sleep_for(50ms);
    }
    stop = true;
  }
  std::printf("{\"messages\": %zu, ", messages - skipped);
  at_consumer.print("consumer", skipped);
  std::printf(", ");
  at_subscriber.print("subscriber", skipped);
  std::puts("}");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const auto number = [&](int index, double otherwise) {
    return argc > index ? std::atof(argv[index]) : otherwise;
  };
  if (mode == "candles" && argc > 4) {
    run(candle_topics(argv[2]), "roottrading:market:data:*", number(3, 0), number(4, 0),
        number(5, 5));
  } else if (mode == "signals" && argc > 3) {
    run({"signals"}, "roottrading:signals", number(2, 0), number(3, 0), number(4, 5));
  } else {
    fail("usage: bare_latency candles PREFIX RATE SECONDS | signals RATE SECONDS [WARM_UP]");
  }
}
