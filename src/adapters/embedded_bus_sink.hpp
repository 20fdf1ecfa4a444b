#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/embedded_bus.hpp"
#include "ports/sink.hpp"

namespace signalbox {

struct EmbeddedBusSinkOptions {
  std::filesystem::path file;
  std::string group;  ///< whose fences these are: the consumer group's whole name
  std::int64_t entries_per_channel_max = 1'000;
  std::chrono::milliseconds busy_timeout{2'000};
};

/// Publishes to the channels of each message's route inside this process: what Redis's sink is for
/// the embedded set.
///
/// Each channel keeps its last entries in a SQLite file, together with the fences in one
/// transaction; subscribers get theirs after it, in the same order. Whoever subscribes loses
/// nothing by a crash that it would not lose by its own end: it lives in the same process.
class EmbeddedBusSink final : public Sink {
 public:
  /// `bus` must outlive the sink.
  EmbeddedBusSink(EmbeddedBus& bus, EmbeddedBusSinkOptions options);
  ~EmbeddedBusSink() override;

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  WriteOutcome write(const WriteBatch& batch) override;
  void ping() override;
  std::vector<SinkWarning> inspect() override;

  /// The kept entries of a channel, oldest first. Throws IoError.
  std::vector<std::string> entries(const std::string& channel);

 private:
  struct Connection;
  /// A write whose commit nobody confirmed: published when the fences say that it landed.
  struct Doubtful {
    std::vector<FenceMove> moves;
    std::vector<BusMessage> messages;
  };
  Connection& connection();
  void settle(Connection& file);

  EmbeddedBus& bus_;
  const EmbeddedBusSinkOptions options_;
  std::unique_ptr<Connection> connection_;  ///< absent until needed, and after a failure
  std::optional<Doubtful> doubtful_;
};

}  // namespace signalbox
