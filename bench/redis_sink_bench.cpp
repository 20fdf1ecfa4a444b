// RedisSink::write() in batches of 500 candles beside bare pipelined PUBLISH in 500s, on the same
// Redis (REDIS_HOST, REDIS_PORT) in the same run. The ways take turns, round by round, so that
// what else the machine does falls on all of them; ratios are medians of the ratios of each round.
//
// usage: redis_sink_bench [rounds] [batches a round]

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "adapters/redis_sink.hpp"
#include "adapters/resp.hpp"
#include "domain/routing_note.hpp"

namespace signalbox {
namespace {

constexpr int kBatch = 500;
constexpr ReceivedAt kReceivedAt{std::chrono::microseconds{1'761'573'420'118'302}};

/// 500 candles of about 400 bytes over so many partitions, in offset order.
class Candles {
 public:
  explicit Candles(int partitions) : partitions_(partitions) {
    for (int p = 0; p < partitions; ++p) {
      const std::string topic = "market.data.bench" + std::to_string(100 + p) + "usdc.1m";
      sources_.push_back({topic, p % 3});
      routes_.push_back(*route_for(topic));
    }
    for (int i = 0; i < kBatch; ++i) add(i * partitions / kBatch, i);
  }

  /// The fences of batch number `n`; every batch has the same messages.
  WriteBatch batch(std::int64_t n) {
    moves_.clear();
    for (const TopicPartition& source : sources_) {
      moves_.push_back({source, n == 0 ? std::nullopt : std::optional{fence(n)}, fence(n + 1)});
    }
    return {.messages = routed_, .moves = moves_, .received_at = kReceivedAt};
  }

  const std::vector<Routed>& routed() const { return routed_; }

 private:
  static Fence fence(std::int64_t n) {
    return {.next = Offset{n * kBatch},
            .last_timestamp = EventTime{std::chrono::milliseconds{1'761'573'420'000 + n}},
            .seq = static_cast<std::uint64_t>(n * kBatch),
            .epoch = 1'761'573'000'000,
            .lineage = "SignalboxStackAAAAAAAA"};
  }

  void add(int partition, std::int64_t offset) {
    const auto p = static_cast<std::size_t>(partition);
    payloads_.push_back(
        R"({"symbol": "BENCHUSDC", "timeframe": "1m", "time": 1761573360000, )"
        R"("close_time": 1761573419999, "open": 114980.01, "high": 115020.0, "low": 114955.5, )"
        R"("close": 115001.37, "volume": 3.10254, "is_closed": true, )"
        R"("quote_asset_volume": 356794.11, "number_of_trades": 418, )"
        R"("taker_buy_base_asset_volume": 1.66, "taker_buy_quote_asset_volume": 190904.2, )"
        R"("source": "binance_websocket", "timestamp": 1761573420.112})");
    messages_.push_back({.offset = Offset{offset},
                         .timestamp = EventTime{std::chrono::milliseconds{1'761'573'420'112}},
                         .key = {},
                         .payload = payloads_.back()});
    routed_.push_back({.message = &messages_.back(),
                       .route = &routes_[p],
                       .source = &sources_[p],
                       .source_offset = Offset{offset},
                       .seq = static_cast<std::uint64_t>(offset),
                       .epoch = 1'761'573'000'000,
                       .facts = {.splice_at = payloads_.back().size() - 1,
                                 .has_members = true,
                                 .has_symbol = true,
                                 .has_timeframe = true,
                                 .is_closed = true,
                                 .record = {}}});
  }

  int partitions_;
  std::deque<std::string> payloads_;
  std::deque<Message> messages_;
  std::deque<TopicPartition> sources_;
  std::deque<Route> routes_;
  std::vector<Routed> routed_;
  std::vector<FenceMove> moves_;
};

/// The limit: a socket, one write a batch, replies counted by their line ends.
class BareConnection {
 public:
  explicit BareConnection(const RedisOptions& options)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    inet_pton(AF_INET, options.host.c_str(), &address.sin_addr);
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("no Redis at " + options.host + ":" + std::to_string(options.port));
    }
  }
  ~BareConnection() { close(socket_); }
  BareConnection(const BareConnection&) = delete;
  BareConnection& operator=(const BareConnection&) = delete;

  void round_trip(std::string_view request, int replies) {
    while (!request.empty()) {
      const auto sent = ::write(socket_, request.data(), request.size());
      if (sent <= 0) throw std::runtime_error("write");
      request.remove_prefix(static_cast<std::size_t>(sent));
    }
    while (replies > 0) {
      const auto size = ::read(socket_, buffer_, sizeof buffer_);
      if (size <= 0) throw std::runtime_error("read");
      replies -= static_cast<int>(std::count(buffer_, buffer_ + size, '\n'));
    }
  }

 private:
  int socket_;
  char buffer_[65536];
};

struct Way {
  std::string name;
  std::function<void(std::int64_t batch)> write;
  std::vector<double> rates{};
  std::vector<double> cpu_ns{};
  std::vector<double> server_cpu_ns{};
};

double cpu_now_ns() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// CPU time that the server has used so far.
double server_cpu_ns(RedisConnection& connection) {
  std::string request;
  append_command(request, {"INFO", "cpu"});
  if (auto ready = connection.ready(); !ready) throw std::runtime_error(ready.error());
  auto replies = connection.call(request, 1);
  if (!replies) throw std::runtime_error(replies.error());
  const std::string info{(*replies)->take().text};
  const auto seconds = [&](const std::string& name) {
    const std::size_t at = info.find(name + ":");
    return at == std::string::npos ? 0.0 : std::atof(info.c_str() + at + name.size() + 1);
  };
  return (seconds("used_cpu_sys") + seconds("used_cpu_user")) * 1e9;
}

/// Takes away what the sinks wrote.
void delete_keys(RedisConnection& connection) {
  std::string request;
  append_command(request, {"EVAL",
                           "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do "
                           "redis.call('DEL', key) end",
                           "0", "signalbox:*bench*"});
  if (auto ready = connection.ready(); !ready) throw std::runtime_error(ready.error());
  if (auto reply = connection.call(request, 1); !reply) throw std::runtime_error(reply.error());
}

void run_round(Way& way, RedisConnection& control, int round, int batches) {
  const double server_start = server_cpu_ns(control);
  const auto start = std::chrono::steady_clock::now();
  const double cpu_start = cpu_now_ns();
  for (int i = 0; i < batches; ++i) way.write(std::int64_t{round} * batches + i);
  const double messages = static_cast<double>(batches) * kBatch;
  way.cpu_ns.push_back((cpu_now_ns() - cpu_start) / messages);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  way.rates.push_back(messages / seconds.count());
  way.server_cpu_ns.push_back((server_cpu_ns(control) - server_start) / messages);
}

/// The median of this way's rate beside the other's in the same round.
double median_ratio(const Way& way, const Way& to) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < way.rates.size(); ++i) ratios.push_back(way.rates[i] / to.rates[i]);
  return median(std::move(ratios));
}

Way bare_way(const RedisOptions& redis, Candles& candles, bool splice) {
  auto connection = std::make_shared<BareConnection>(redis);
  auto spliced = std::make_shared<std::vector<std::string>>();
  const std::string now = iso_utc(kReceivedAt);
  for (const Routed& routed : candles.routed()) {
    append_with_routing(spliced->emplace_back(), routed, kReceivedAt, now);
  }
  auto request = std::make_shared<std::string>();
  auto payload = std::make_shared<std::string>();
  return {splice ? "bare: splice, PUBLISH" : "bare: PUBLISH", [=, &candles](std::int64_t) {
            request->clear();
            for (std::size_t i = 0; i < candles.routed().size(); ++i) {
              const Routed& routed = candles.routed()[i];
              std::string_view body = (*spliced)[i];
              if (splice) {
                payload->clear();
                append_with_routing(*payload, routed, kReceivedAt, now);
                body = *payload;
              }
              append_command(*request, {"PUBLISH", routed.route->channels[0], body});
            }
            connection->round_trip(*request, kBatch);
          }};
}

Way sink_way(std::string name, RedisSinkOptions options, Candles& candles) {
  options.group = "bench-" + std::to_string(getpid()) + "-" + name;
  auto sink = std::make_shared<RedisSink>(options);
  return {std::move(name), [sink, &candles](std::int64_t n) {
            const WriteOutcome outcome = sink->write(candles.batch(n));
            if (std::holds_alternative<Committed>(outcome)) return;
            const auto* why = std::get_if<Unavailable>(&outcome);
            throw std::runtime_error(why ? why->why : "not committed");
          }};
}

int run(int rounds, int batches) {
  RedisOptions redis;
  if (const char* host = std::getenv("REDIS_HOST")) redis.host = host;
  if (const char* port = std::getenv("REDIS_PORT")) {
    redis.port = static_cast<std::uint16_t>(std::atoi(port));
  }
  Candles one{1};
  Candles five{5};
  Candles twenty{20};
  RedisSinkOptions all{.redis = redis, .group = "", .stream_length_max = 10'000};
  all.last_values = LastValues::On;
  std::vector<Way> ways;
  ways.push_back(bare_way(redis, twenty, false));
  ways.push_back(bare_way(redis, twenty, true));
  ways.push_back(sink_way("sink: 1 fence", {.redis = redis, .group = ""}, one));
  ways.push_back(sink_way("sink: 5 fences", {.redis = redis, .group = ""}, five));
  ways.push_back(sink_way("sink: 20 fences", {.redis = redis, .group = ""}, twenty));
  ways.push_back(sink_way("sink: 20 fences, stream, last value", all, twenty));
  RedisConnection control{redis};
  for (int round = 0; round < rounds; ++round) {
    for (Way& way : ways) run_round(way, control, round, batches);
  }
  std::printf("%-36s %10s %8s %13s %11s %13s\n", "", "messages/s", "to bare", "to bare+splice",
              "our ns/msg", "Redis ns/msg");
  for (const Way& way : ways) {
    std::printf("%-36s %10.0f %8.2f %13.2f %11.0f %13.0f\n", way.name.c_str(), median(way.rates),
                median_ratio(way, ways[0]), median_ratio(way, ways[1]), median(way.cpu_ns),
                median(way.server_cpu_ns));
  }
  delete_keys(control);
  return 0;
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) try {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 31;
  const int batches = argc > 2 ? std::atoi(argv[2]) : 60;
  return signalbox::run(rounds, batches);
} catch (const std::exception& error) {
  std::fprintf(stderr, "redis_sink_bench: %s\n", error.what());
  return 1;
}
