#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "adapters/kafka_handover.hpp"
#include "adapters/kafka_source.hpp"
#include "base/guarded.hpp"

struct rd_kafka_queue_s;
struct rd_kafka_topic_s;

namespace signalbox {

/// The thread that is a member of the group: polls the broker, takes part in rebalances, and fills
/// the hand-over. It makes every call that changes what is fetched, so that it knows of each
/// message which begin() it belongs to.
class KafkaPoller {
 public:
  // Shared with calls that run while it is made anew, and with batches, which may live longer.
  using Client = std::shared_ptr<rd_kafka_s>;

  /// Throws std::invalid_argument for a wrong configuration.
  KafkaPoller(const KafkaSourceOptions& options, KafkaHandOver& handover);
  ~KafkaPoller();
  KafkaPoller(const KafkaPoller&) = delete;
  KafkaPoller& operator=(const KafkaPoller&) = delete;

  /// Leaves the group and ends the polling thread; the client is gone then.
  void stop();

  /// The client as it is now; null while it is made anew. Any thread.
  Client client() const { return client_.copy(); }

  /// Ends the polling thread's waiting, so that it sees new commands. Any thread.
  void wake();

  struct State {
    bool connected = false;
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
    std::string last_error;
    bool paused = false;
    std::uint64_t rebalances = 0;
    std::uint64_t rebuilds = 0;
    /// When the group last turned this member away; it asks again about once a second.
    std::optional<std::chrono::steady_clock::time_point> refused_at{};
  };

  /// Any thread.
  State state() const { return state_.copy(); }

 private:
  struct Callbacks;
  friend struct Callbacks;

  struct QueueDeleter {
    void operator()(rd_kafka_queue_s* queue) const;
  };
  using Queue = std::shared_ptr<rd_kafka_queue_s>;

  Client open();
  void adopt(Client client);
  void run(const std::stop_token& stop);
  void rebuild(const std::stop_token& stop);
  void close();
  bool has_joined() const;

  void serve_commands();
  void start(const std::vector<KafkaBegin>& begins);
  void drain();
  void accept(rd_kafka_message_s* message);
  KafkaPartition* partition_of(const rd_kafka_message_s* message);
  void pause();
  void resume();
  void wake_brokers();
  KafkaPartitionList begun_partitions() const;

  void on_rebalance(int error, rd_kafka_topic_partition_list_s* partitions);
  KafkaPartitionList take_away(std::span<KafkaPartition* const> partitions);
  void on_error(int error, std::string_view why);
  void on_message_error(const rd_kafka_message_s* message);
  void set_connected(bool connected, std::string_view why);
  void probe_connection();

  const KafkaSourceOptions options_;
  KafkaHandOver& handover_;
  Guarded<Client> client_;
  Guarded<Queue> queue_;  // shared with wake(), which may run while the client is made anew
  Guarded<State> state_;

  // The polling thread's own.
  rd_kafka_s* handle_ = nullptr;
  std::unordered_map<std::string, std::vector<KafkaPartition*>> topics_;
  std::vector<KafkaPartition*> owned_;
  std::vector<KafkaChunk> chunks_;
  const rd_kafka_topic_s* last_topic_ = nullptr;
  KafkaPartition* last_partition_ = nullptr;
  bool paused_ = false;
  bool fatal_ = false;
  bool was_assigned_ = false;  ///< this client has taken part in a rebalance to its end
  bool is_connected_ = false;
  std::chrono::steady_clock::time_point next_probe_{};
  std::chrono::steady_clock::time_point opened_at_{};
  std::chrono::milliseconds rebuild_wait_{0};

  std::jthread thread_;  // last: joined before anything that it uses goes away
};

}  // namespace signalbox
