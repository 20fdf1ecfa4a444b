#include "adapters/kafka_source.hpp"

#include <regex.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <librdkafka/rdkafka.h>

#include "adapters/kafka_handover.hpp"
#include "adapters/kafka_poller.hpp"
#include "base/log.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr std::int64_t kEarliest = -2;  ///< as a timestamp, in Kafka's ListOffsets
constexpr std::int64_t kLatest = -1;
constexpr std::chrono::seconds kEndsAge{2};
constexpr std::chrono::seconds kRefusalLasts{5};  ///< a member that is turned away asks more often

std::span<rd_kafka_topic_partition_t> elements(const KafkaPartitionList& list) {
  return {list->elems, static_cast<std::size_t>(list->cnt)};
}

/// A topic name, or a pattern with the meaning that the library's subscription gives it.
class TopicFilter {
 public:
  explicit TopicFilter(const std::string& text) : text_(text) {
    if (!text.starts_with('^')) return;
    expression_.reset(new regex_t{});  // NOLINT: freed by regfree and the deleter
    if (regcomp(expression_.get(), text.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
      throw std::invalid_argument("not a pattern of topics: " + text);
    }
  }

  bool matches(const std::string& topic) const {
    if (!expression_) return topic == text_;
    return regexec(expression_.get(), topic.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  struct Deleter {
    void operator()(regex_t* expression) const {
      regfree(expression);
      delete expression;  // NOLINT
    }
  };
  std::string text_;
  std::unique_ptr<regex_t, Deleter> expression_;
};

}  // namespace

struct KafkaSource::Parts {
  explicit Parts(KafkaSourceOptions its_options)
      // A pause and its end cost a command for each partition, so they are kept far apart; a
      // quarter lasts until the first messages of the next fetch are there.
      : options(std::move(its_options)), handover(options.handover_max_bytes / 4) {
    for (const std::string& topic : options.topics) filters.emplace_back(topic);
    poller = std::make_unique<KafkaPoller>(options, handover);
  }

  int timeout_ms() const { return static_cast<int>(options.request_timeout.count()); }

  std::shared_ptr<rd_kafka_s> client() const {
    std::shared_ptr<rd_kafka_s> client = poller->client();
    if (!client) throw IoError("kafka", poller->state().last_error);
    return client;
  }

  /// The library's word for a failure, and what the poller knows of its cause.
  IoError failure(std::string text) const {
    const KafkaPoller::State state = poller->state();
    if (!state.connected && !state.last_error.empty()) text += ": " + state.last_error;
    return {"kafka", text};
  }

  enum class Unanswered { Absent, Error };

  /// Asks for offsets by time, or for an end of the log. A partition for which there is no such
  /// offset is absent; so is one without an answer, or it is an error.
  std::map<TopicPartition, Offset> offsets(std::span<const TopicPartition> partitions,
                                           std::int64_t timestamp,
                                           Unanswered unanswered = Unanswered::Absent) const {
    const std::shared_ptr<rd_kafka_s> handle = client();
    const KafkaPartitionList list = kafka_partition_list(partitions);
    for (auto& element : elements(list)) element.offset = timestamp;
    const rd_kafka_resp_err_t error =
        rd_kafka_offsets_for_times(handle.get(), list.get(), timeout_ms());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw failure(rd_kafka_err2str(error));
    std::map<TopicPartition, Offset> found;
    for (const auto& element : elements(list)) {
      if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR && unanswered == Unanswered::Error) {
        throw failure(rd_kafka_err2str(element.err));
      }
      if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR || element.offset < 0) continue;
      found.emplace(TopicPartition{element.topic, element.partition}, Offset{element.offset});
    }
    return found;
  }

  /// The ends of these partitions' logs, at most kEndsAge old. While the partitions are paused
  /// nothing is fetched, and what the library knows of the ends grows old. Any thread.
  std::map<TopicPartition, Offset> asked_ends(std::span<const TopicPartition> partitions) {
    const std::lock_guard lock{ends_mutex};
    const auto now = std::chrono::steady_clock::now();
    if (now - ends_asked_at < kEndsAge) return ends;
    ends_asked_at = now;
    try {
      ends = offsets(partitions, kLatest);
    } catch (const IoError& error) {
      // The status says that the broker is away; older ends are better than none.
      log_debug("kafka_ends_unknown", {{"error", error.what()}});
    }
    return ends;
  }

  const KafkaSourceOptions options;
  std::vector<TopicFilter> filters;
  std::mutex ends_mutex;
  std::chrono::steady_clock::time_point ends_asked_at;
  std::map<TopicPartition, Offset> ends;
  KafkaHandOver handover;
  std::unique_ptr<KafkaPoller> poller;  // after the hand-over that its thread fills
};

KafkaSource::KafkaSource(KafkaSourceOptions options)
    : parts_(std::make_unique<Parts>(std::move(options))) {}

KafkaSource::~KafkaSource() = default;

void KafkaSource::leave() { parts_->poller->stop(); }

Polled KafkaSource::poll(const PollLimits& limits, std::chrono::milliseconds wait) {
  KafkaHandOver& handover = parts_->handover;
  if (handover.has_commands()) parts_->poller->wake();
  Polled polled = handover.take(limits, wait);
  if (handover.has_commands()) parts_->poller->wake();
  return polled;
}

std::optional<FetchId> KafkaSource::begin(const TopicPartition& partition, Offset offset) {
  return parts_->handover.begin(partition, offset);
}

bool KafkaSource::owns(const TopicPartition& partition) const {
  return parts_->handover.owns(partition);
}

std::map<TopicPartition, LogRange> KafkaSource::ranges(std::span<const TopicPartition> partitions) {
  std::map<TopicPartition, LogRange> ranges;
  if (partitions.empty()) return ranges;
  const std::map<TopicPartition, Offset> begins = parts_->offsets(partitions, kEarliest);
  const std::map<TopicPartition, Offset> ends = parts_->offsets(partitions, kLatest);
  for (const auto& [partition, begin] : begins) {
    const auto end = ends.find(partition);
    if (end != ends.end())
      ranges[partition] = {.begin = begin, .end = end->second, .committed = {}};
  }
  const std::shared_ptr<rd_kafka_s> client = parts_->client();
  const KafkaPartitionList list = kafka_partition_list(partitions);
  const rd_kafka_resp_err_t error =
      rd_kafka_committed(client.get(), list.get(), parts_->timeout_ms());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw parts_->failure(rd_kafka_err2str(error));
  for (const auto& element : elements(list)) {
    // No answer about a commit is not "no commit": the caller would start from the wrong place.
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw IoError("kafka", std::string(element.topic) + ": " + rd_kafka_err2str(element.err));
    }
    const auto range = ranges.find({element.topic, element.partition});
    if (range != ranges.end() && element.offset >= 0)
      range->second.committed = Offset{element.offset};
  }
  return ranges;
}

Offset KafkaSource::offset_at(const TopicPartition& partition, EventTime time) {
  const std::span<const TopicPartition> one(&partition, 1);
  const std::int64_t timestamp = std::max<std::int64_t>(0, time.time_since_epoch().count());
  // No answer is not "none later": that would jump to the end.
  std::map<TopicPartition, Offset> found =
      parts_->offsets(one, timestamp, Parts::Unanswered::Error);
  if (found.empty()) found = parts_->offsets(one, kLatest);
  if (found.empty()) throw IoError("kafka", partition.topic + ": no such partition");
  return found.begin()->second;
}

std::vector<TopicPartition> KafkaSource::all_partitions() {
  const auto topics = kafka_topics(parts_->client().get(), parts_->options.request_timeout);
  if (!topics) throw parts_->failure(topics.error());
  std::vector<TopicPartition> partitions;
  for (const auto& [topic, count] : *topics) {
    const bool wanted = std::ranges::any_of(
        parts_->filters, [&](const TopicFilter& filter) { return filter.matches(topic); });
    for (std::int32_t partition = 0; wanted && partition < count; ++partition) {
      partitions.push_back({topic, partition});
    }
  }
  return partitions;
}

void KafkaSource::commit(const TopicPartition& partition, Offset next) {
  parts_->handover.committed(partition, next);
  const std::shared_ptr<rd_kafka_s> client = parts_->poller->client();
  if (!client) return;
  const KafkaPartitionList list = kafka_partition_list(std::span(&partition, 1));
  list->elems[0].offset = next.value;
  // Refused only for a partition that is no longer ours: then it is not for us to say.
  static_cast<void>(rd_kafka_offsets_store(client.get(), list.get()));
}

std::string KafkaSource::lineage() {
  const std::shared_ptr<rd_kafka_s> client = parts_->client();
  char* id = rd_kafka_clusterid(client.get(), parts_->timeout_ms());
  if (!id) throw IoError("kafka", "no broker told the cluster's id");
  std::string lineage = id;
  rd_kafka_mem_free(client.get(), id);
  return lineage;
}

KafkaSourceStatus KafkaSource::status() const {
  const KafkaPoller::State state = parts_->poller->state();
  const bool is_kept_out =
      state.refused_at && std::chrono::steady_clock::now() - *state.refused_at < kRefusalLasts;
  KafkaSourceStatus status{.connected = state.connected && !is_kept_out,
                           .since = state.since,
                           .last_error = state.last_error,
                           .handover_messages = parts_->handover.messages(),
                           .handover_bytes = parts_->handover.bytes(),
                           .paused = state.paused,
                           .rebalances = state.rebalances,
                           .rebuilds = state.rebuilds,
                           .lags = {}};
  const std::shared_ptr<rd_kafka_s> client = parts_->poller->client();
  const auto positions = parts_->handover.positions();
  std::map<TopicPartition, Offset> asked;
  if (state.paused && state.connected) {
    std::vector<TopicPartition> partitions;
    for (const auto& [partition, next] : positions) partitions.push_back(partition);
    asked = parts_->asked_ends(partitions);
  }
  for (const auto& [partition, next] : positions) {
    KafkaPartitionLag lag{.partition = partition, .next = next, .end = {}};
    std::int64_t low = 0;
    std::int64_t high = 0;
    if (client &&
        rd_kafka_get_watermark_offsets(client.get(), partition.topic.c_str(), partition.partition,
                                       &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        high >= 0) {
      lag.end = Offset{high};
    }
    const auto end = asked.find(partition);
    if (end != asked.end()) lag.end = std::max(lag.end.value_or(end->second), end->second);
    status.lags.push_back(std::move(lag));
  }
  status.assigned = status.lags.size();
  return status;
}

bool KafkaSource::connected() const { return parts_->poller->state().connected; }

}  // namespace signalbox
