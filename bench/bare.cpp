#include "bare.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bare {
namespace {

constexpr const char* kTimeframes[] = {"1m", "3m", "5m", "15m"};
constexpr int kTimeoutMs = 20'000;

Client open(rd_kafka_type_t type, const Properties& properties) {
  char why[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) {
      fail(why);
    }
  }
  Client client(rd_kafka_new(type, conf, why, sizeof why));
  if (!client) fail(why);
  return client;
}

std::string broker() { return variable("KAFKA_BROKER", "127.0.0.1:19092"); }

}  // namespace

std::string variable(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

long peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Client open_consumer(const Properties& properties) {
  Properties all{{"bootstrap.servers", broker()},
                 {"group.id", "bare-" + std::to_string(now_ns())},
                 {"queued.min.messages", "10000000"},
                 {"queued.max.messages.kbytes", "2097151"},
                 {"fetch.wait.max.ms", "50"},
                 {"auto.offset.reset", "earliest"},
                 {"enable.auto.commit", "false"},
                 {"enable.auto.offset.store", "false"},
                 {"check.crcs", "true"},
                 {"socket.nagle.disable", "true"}};
  all.insert(all.end(), properties.begin(), properties.end());
  Client client = open(RD_KAFKA_CONSUMER, all);
  rd_kafka_poll_set_consumer(client.get());
  return client;
}

Client open_producer(const Properties& properties) {
  Properties all{{"bootstrap.servers", broker()},
                 {"compression.codec", "snappy"},
                 {"socket.nagle.disable", "true"}};
  all.insert(all.end(), properties.begin(), properties.end());
  return open(RD_KAFKA_PRODUCER, all);
}

std::vector<std::string> topics_with_prefix(rd_kafka_t* client, const std::string& prefix) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(client, 1, nullptr, &metadata, kTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(error));
  std::vector<std::string> names;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const std::string name = metadata->topics[i].topic;
    if (name.starts_with(prefix)) names.push_back(name);
  }
  rd_kafka_metadata_destroy(metadata);
  return names;
}

void make_topics(rd_kafka_t* client, const std::vector<std::string>& names, int partitions) {
  char why[512];
  std::vector<rd_kafka_NewTopic_t*> topics;
  for (const std::string& name : names) {
    topics.push_back(rd_kafka_NewTopic_new(name.c_str(), partitions, 1, why, sizeof why));
  }
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_CreateTopics(client, topics.data(), topics.size(), nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 2 * kTimeoutMs);
  if (!event || rd_kafka_event_error(event)) fail("the topics cannot be made");
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  for (rd_kafka_NewTopic_t* topic : topics) rd_kafka_NewTopic_destroy(topic);
}

void assign_all(rd_kafka_t* consumer, const std::vector<std::string>& topics, std::int64_t offset) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(consumer, 1, nullptr, &metadata, kTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(error));
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(512);
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    if (std::find(topics.begin(), topics.end(), topic.topic) == topics.end()) continue;
    for (int p = 0; p < topic.partition_cnt; ++p) {
      rd_kafka_topic_partition_list_add(list, topic.topic, p)->offset = offset;
    }
  }
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
}

Redis::Redis() : buffer_(1 << 20) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(variable("REDIS_PORT", "16379"))));
  inet_pton(AF_INET, variable("REDIS_HOST", "127.0.0.1").c_str(), &address.sin_addr);
  socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  if (connect(socket_, raw, sizeof address) != 0) fail("no Redis");
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Redis::~Redis() { close(socket_); }

void Redis::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(socket_, bytes.data(), bytes.size());
    if (count <= 0) fail("Redis took nothing");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Redis::read_lines(std::size_t count) {
  while (count > 0) {
    const ssize_t size = ::read(socket_, buffer_.data(), buffer_.size());
    if (size <= 0) fail("Redis closed the connection");
    const auto lines = std::count(buffer_.data(), buffer_.data() + size, '\n');
    count -= std::min(count, static_cast<std::size_t>(lines));
  }
}

std::string_view Redis::read_some(std::chrono::milliseconds wait) {
  pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
  if (poll(&waiting, 1, static_cast<int>(wait.count())) <= 0) return {};
  const ssize_t size = ::read(socket_, buffer_.data(), buffer_.size());
  if (size <= 0) fail("Redis closed the connection");
  return {buffer_.data(), static_cast<std::size_t>(size)};
}

std::vector<std::string> candle_topics(const std::string& prefix, int count) {
  std::vector<std::string> topics;
  for (int symbol = 0; symbol < count; ++symbol) {
    const std::string name = prefix + (symbol < 10 ? "0" : "") + std::to_string(symbol) + "usdc";
    for (const char* timeframe : kTimeframes) {
      topics.push_back("market.data." + name + "." + timeframe);
    }
  }
  return topics;
}

std::string candle(const std::string& topic, int minute, const std::string& extra) {
  const std::size_t dot = topic.rfind('.');
  const std::size_t begin = topic.rfind('.', dot - 1) + 1;
  std::string symbol = topic.substr(begin, dot - begin);
  for (char& c : symbol) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const std::int64_t time = 1'600'000'020'000 + minute * 60'000LL;
  const int cents = static_cast<int>(minute * 7919LL % 100'000);
  char text[640];
  const int size = std::snprintf(
      text, sizeof text,
      R"({"symbol": "%s", "timeframe": "%s", "time": %lld, "close_time": %lld, )"
      R"("open": %d.%02d, "high": %d.5, "low": %d.25, "close": %d.%02d, "volume": %d.%05d, )"
      R"("is_closed": true, "quote_asset_volume": %d.11, "number_of_trades": %d, )"
      R"("taker_buy_base_asset_volume": %d.66, "taker_buy_quote_asset_volume": %d.2, %s)"
      R"("source": "binance_websocket", "timestamp": %lld.112})",
      symbol.c_str(), topic.c_str() + dot + 1, static_cast<long long>(time),
      static_cast<long long>(time + 59'999), 115'000 + cents / 100, cents % 100,
      116'100 + cents % 50, 114'900 - cents % 50, 115'000 + cents / 101, cents % 97, cents % 40,
      cents, 356'794 + cents, 418 + cents % 100, cents % 20, 190'904 + cents, extra.c_str(),
      static_cast<long long>(time / 1000 + 60));
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace bare
