// Fills 132 topics of 3 partitions with recorded-size candles, snappy, in runs of 100 a partition.
//
// usage: bare_fill PREFIX MESSAGES     topics market.data.<PREFIX><number>usdc.<timeframe>
//
// KAFKA_BROKER names the broker.

#include <cstdio>
#include <cstdlib>

#include "bare.hpp"

int main(int argc, char** argv) {
  using namespace bare;
  if (argc != 3) fail("usage: bare_fill PREFIX MESSAGES");
  const std::vector<std::string> topics = candle_topics(argv[1]);
  const int messages = std::atoi(argv[2]);
  constexpr int kPartitions = 3;
  constexpr int kRun = 100;
  const Client producer = open_producer({{"linger.ms", "50"},
                                         {"acks", "all"},
                                         {"queue.buffering.max.messages", "1000000"},
                                         {"queue.buffering.max.kbytes", "1000000"}});
  make_topics(producer.get(), topics, kPartitions);
  const int topic_count = static_cast<int>(topics.size());
  std::vector<rd_kafka_topic_t*> handles;
  for (const std::string& topic : topics) {
    handles.push_back(rd_kafka_topic_new(producer.get(), topic.c_str(), nullptr));
  }
  for (int i = 0; i < messages; ++i) {
    const int round = i / (kRun * topic_count);
    const auto topic = static_cast<std::size_t>(i / kRun % topic_count);
    const std::string payload = candle(topics[topic], round * kRun + i % kRun);
    // A copy is handed over: the queue is bounded, so a full one is waited for.
    while (rd_kafka_produce(handles[topic], round % kPartitions, RD_KAFKA_MSG_F_COPY,
                            const_cast<char*>(payload.data()), payload.size(), nullptr, 0,
                            nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        fail(rd_kafka_err2str(rd_kafka_last_error()));
      }
      rd_kafka_poll(producer.get(), 100);
    }
    if (i % 1000 == 0) rd_kafka_poll(producer.get(), 0);
  }
  if (rd_kafka_flush(producer.get(), 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("not flushed");
  for (rd_kafka_topic_t* handle : handles) rd_kafka_topic_destroy(handle);
  std::printf("{\"messages\": %d, \"bytes_a_message\": %zu}\n", messages,
              candle(topics[0], 1).size());
}
