// The limit of routing: reads a backlog and does nothing else, or publishes it with no rules.
//
// usage: bare_route consume PREFIX MESSAGES [FETCH_BYTES]
//        bare_route publish PREFIX MESSAGES [FETCH_BYTES] [IN_FLIGHT]
//
// One waiting poll, then polls until nothing is left; 500 messages a write, its replies counted.
// Says "first" with the first message; the last line is the result as JSON. KAFKA_BROKER,
// REDIS_HOST and REDIS_PORT name the servers.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <unordered_map>

#include "bare.hpp"

namespace {

using namespace bare;

constexpr std::size_t kBatch = 500;

/// Splices `_routing` in and publishes in batches, with up to `in_flight` of them unanswered.
class Publisher {
 public:
  explicit Publisher(std::size_t in_flight) : in_flight_(in_flight) {}

  void add(const rd_kafka_message_t& message) {
    const Channel& channel = channel_of(message);
    const std::string_view payload{static_cast<const char*>(message.payload), message.len};
    const std::size_t brace = payload.rfind('}');
    char note[256];
    const int size = std::snprintf(
        note, sizeof note, "%s, \"partition\": %d, \"offset\": %lld}}\r\n", channel.note.c_str(),
        message.partition, static_cast<long long>(message.offset));
    char length[32];
    const int digits =
        std::snprintf(length, sizeof length, "%zu\r\n", brace + static_cast<std::size_t>(size) - 2);
    request_.append(channel.head).append(length, static_cast<std::size_t>(digits));
    request_.append(payload.substr(0, brace)).append(note, static_cast<std::size_t>(size));
    if (++count_ == kBatch) flush();
  }

  void flush() {
    if (count_ == 0) return;
    redis_.write(request_);
    unanswered_ += count_;
    ++batches_;
    request_.clear();
    count_ = 0;
    if (batches_ >= in_flight_) settle();
  }

  void settle() {
    redis_.read_lines(unanswered_);
    unanswered_ = 0;
    batches_ = 0;
  }

 private:
  struct Channel {
    std::string head;  // up to the payload's length
    std::string note;
  };

  const Channel& channel_of(const rd_kafka_message_t& message) {
    if (message.rkt == last_topic_) return *last_;
    const std::string topic = rd_kafka_topic_name(message.rkt);
    auto [found, is_new] = channels_.try_emplace(topic);
    if (is_new) {
      std::string name = "roottrading:market:data:" + topic.substr(sizeof "market.data." - 1);
      name[name.rfind('.')] = ':';
      found->second.head =
          "*3\r\n$7\r\nPUBLISH\r\n$" + std::to_string(name.size()) + "\r\n" + name + "\r\n$";
      found->second.note = ", \"_routing\": {\"source_topic\": \"" + topic +
                           "\", \"received_at\": \"2025-10-27T13:57:00.118302+00:00\", "
                           "\"priority\": \"high\", \"data_type\": \"raw_market_data\"";
    }
    last_topic_ = message.rkt;
    last_ = &found->second;
    return *last_;
  }

  Redis redis_;
  std::size_t in_flight_;
  std::string request_;
  std::size_t count_ = 0;
  std::size_t unanswered_ = 0;
  std::size_t batches_ = 0;
  std::unordered_map<std::string, Channel> channels_;
  const rd_kafka_topic_t* last_topic_ = nullptr;
  const Channel* last_ = nullptr;
};

void run(bool publishes, const std::string& prefix, std::size_t wanted,
         const std::string& fetch_bytes, std::size_t in_flight) {
  const Client consumer = open_consumer({{"fetch.max.bytes", fetch_bytes}});
  std::optional<Publisher> publisher;
  if (publishes) publisher.emplace(in_flight);
  assign_all(consumer.get(), topics_with_prefix(consumer.get(), "market.data." + prefix),
             RD_KAFKA_OFFSET_BEGINNING);
  std::size_t count = 0;
  Clock::time_point first;
  double cpu_first = 0;
  while (count < wanted) {
    KafkaMessage message{rd_kafka_consumer_poll(consumer.get(), 100)};
    for (; message && count < wanted; message.reset(rd_kafka_consumer_poll(consumer.get(), 0))) {
      if (message->err) continue;
      if (count++ == 0) {
        first = Clock::now();
        cpu_first = cpu_seconds();
        std::puts("first");
        std::fflush(stdout);
      }
      if (publisher) publisher->add(*message);
    }
    if (publisher) publisher->flush();
  }
  if (publisher) publisher->settle();
  const double seconds = std::chrono::duration<double>(Clock::now() - first).count();
  std::printf(
      "{\"messages\": %zu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"peak_bytes\": %ld}\n", count,
      seconds, cpu_seconds() - cpu_first, peak_bytes());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 3 ? argv[1] : "";
  if (mode != "consume" && mode != "publish") {
    fail("usage: bare_route consume|publish PREFIX MESSAGES [FETCH_BYTES] [IN_FLIGHT]");
  }
  run(mode == "publish", argv[2], static_cast<std::size_t>(std::atoll(argv[3])),
      argc > 4 ? argv[4] : "1000000", static_cast<std::size_t>(argc > 5 ? std::atoi(argv[5]) : 1));
}
