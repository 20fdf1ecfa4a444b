#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/latency.hpp"
#include "ports/dead_letters.hpp"
#include "ports/payload_reader.hpp"
#include "ports/sink.hpp"
#include "services/delivery_lane.hpp"
#include "sim/fault.hpp"
#include "sim/member.hpp"
#include "sim/store.hpp"

namespace signalbox::sim {

class World;
struct Process;

/// A client of the store: one connection at a time.
class SimSink final : public Sink {
 public:
  explicit SimSink(Process& process) : process_(process) {}

  FenceMap read_fences(std::span<const TopicPartition> partitions) override;
  WriteOutcome write(const WriteBatch& batch) override;
  void ping() override;
  std::vector<SinkWarning> inspect() override { return {}; }

 private:
  enum class Answer { Came, Cut, None };

  std::shared_ptr<Call> make_call(Call::Kind kind);
  void fill(Call& call, const WriteBatch& batch);
  void check_first_fences(const Call& call);
  Answer exchange(const std::shared_ptr<Call>& call, const NetFault& fault,
                  const std::function<void()>& meanwhile = {});
  WriteOutcome outcome_of(const std::shared_ptr<Call>& call, Answer answer, Step step);
  WriteOutcome unknown(const std::shared_ptr<Call>& call, const char* why);
  bool settles(std::span<const TopicPartition> partitions) const;

  Process& process_;
  std::optional<std::uint64_t> connection_;  ///< the boot of the server it leads to
  std::shared_ptr<Call> last_write_;         ///< of a batch, while its outcome is in doubt
  bool must_settle_ = false;                 ///< a reply was lost: only reading may follow
};

class SimDeadLetters final : public DeadLetters {
 public:
  explicit SimDeadLetters(Process& process) : process_(process) {}

  void put(std::span<const DeadLetter> letters) override;

 private:
  Process& process_;
};

class SimReader final : public PayloadReader {
 public:
  explicit SimReader(Process& process) : process_(process) {}

  std::expected<Facts, Reject> read(const Route& route, const Message& message,
                                    ReceivedAt now) override;

 private:
  Process& process_;
};

/// One life of one replica: a lane and all that it borrows.
struct Process final : Member {
  Process(World& world_of_process, int process_id);

  NetFault enter(Step step) override;
  void before_poll() override;

  World& world;
  SimSink sink{*this};
  SimDeadLetters letters{*this};
  SimReader reader{*this};
  LatencySummary delays;
  std::unique_ptr<DeliveryLane> lane;

  std::uint64_t rows_landed = 0;  ///< by writes of this process, as the store knows
  bool is_writing = false;        ///< a batch is on its way to the sink: the next one may be polled
  std::uint64_t rows_known = 0;   ///< those that it has been told of
  bool knows_group_started = false;  ///< has seen the group's mark
  std::uint64_t rows_of_others = 0;  ///< those that another wrote while a reply of its was lost
};

}  // namespace signalbox::sim
