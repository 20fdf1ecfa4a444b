#include "adapters/kafka_poller.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <random>
#include <stdexcept>

#include <librdkafka/rdkafka.h>

#include "base/log.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kPollWait = 100ms;
constexpr std::size_t kDrainMax = 2'000;  ///< messages between two looks at the commands
constexpr std::chrono::milliseconds kCloseWait = 3s;
constexpr std::chrono::milliseconds kProbeEvery = 250ms;
constexpr std::chrono::milliseconds kProbeWait = 100ms;
constexpr std::chrono::milliseconds kRebuildWaitMin = 1s;
constexpr std::chrono::milliseconds kRebuildWaitMax = 30s;

int ms_of(std::chrono::milliseconds duration) { return static_cast<int>(duration.count()); }

/// What makes a backlog fast and light load quick; the user's properties win.
KafkaProperties defaults() {
  KafkaProperties properties{
      // When the library's own queue reaches its limit, 2.0.2 stops fetching for a second. The
      // hand-over bounds memory instead: it pauses the partitions.
      {"queued.min.messages", "10000000"},
      {"queued.max.messages.kbytes", "2097151"},
      {"fetch.max.bytes", "1000000"},
      {"fetch.wait.max.ms", "50"},
      {"fetch.error.backoff.ms", "20"},
      {"check.crcs", "true"},
      // A pattern finds a new topic at the next refresh only; the default is five minutes.
      {"topic.metadata.refresh.interval.ms", "5000"},
      {"auto.commit.interval.ms", "1000"},
  };
  if (kafka_knows_property("fetch.queue.backoff.ms")) {
    properties.emplace_back("fetch.queue.backoff.ms", "2");
  }
  return properties;
}

/// What the promises rest on.
KafkaProperties required(const KafkaSourceOptions& options) {
  KafkaProperties properties{
      {"group.id", options.group_id},
      {"session.timeout.ms", std::to_string(options.session_timeout.count())},
      {"partition.assignment.strategy", "cooperative-sticky"},
      {"enable.auto.commit", "true"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"enable.partition.eof", "false"},
      {"allow.auto.create.topics", "false"},
  };
  if (options.group_instance_id) {
    properties.emplace_back("group.instance.id", *options.group_instance_id);
  }
  return properties;
}

std::vector<TopicPartition> names_in(const rd_kafka_topic_partition_list_t* list) {
  std::vector<TopicPartition> names;
  for (const auto& element : std::span(list->elems, static_cast<std::size_t>(list->cnt))) {
    names.push_back({element.topic, element.partition});
  }
  return names;
}

/// Some clients cannot be freed. One that was never given an assignment may be amid a join, and
/// librdkafka before 2.3 aborts when it ends then (its issue 4312). The end of one that is not
/// closed waits for requests that may not be answered for minutes. They stay, without a word.
void leave_alone(std::shared_ptr<rd_kafka_s> client) {
  static Guarded<std::vector<std::shared_ptr<rd_kafka_s>>>& all =
      *new Guarded<std::vector<std::shared_ptr<rd_kafka_s>>>;  // NOLINT: outlives every thread
  rd_kafka_set_log_level(client.get(), 0);
  all.with([&](auto& clients) { clients.push_back(std::move(client)); });
}

}  // namespace

struct KafkaPoller::Callbacks {
  static void rebalance(rd_kafka_t*, rd_kafka_resp_err_t error,
                        rd_kafka_topic_partition_list_t* partitions, void* opaque) {
    static_cast<KafkaPoller*>(opaque)->on_rebalance(error, partitions);
  }
  static void error(rd_kafka_t*, int error, const char* why, void* opaque) {
    static_cast<KafkaPoller*>(opaque)->on_error(error, why ? why : "");
  }
};

void KafkaPoller::QueueDeleter::operator()(rd_kafka_queue_s* queue) const {
  rd_kafka_queue_destroy(queue);
}

KafkaPoller::KafkaPoller(const KafkaSourceOptions& options, KafkaHandOver& handover)
    : options_(options), handover_(handover) {
  adopt(open());
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

KafkaPoller::~KafkaPoller() { stop(); }

void KafkaPoller::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  wake();
  thread_.join();
}

KafkaPoller::Client KafkaPoller::open() {
  KafkaConf conf = kafka_conf(options_.connection, defaults(), required(options_));
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_rebalance_cb(conf.get(), Callbacks::rebalance);
  rd_kafka_conf_set_error_cb(conf.get(), Callbacks::error);
  Client client = kafka_open(KafkaRole::Consumer, std::move(conf));
  rd_kafka_poll_set_consumer(client.get());
  const KafkaPartitionList topics = kafka_partition_list(options_.topics.size());
  for (const std::string& topic : options_.topics) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client.get(), topics.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::invalid_argument(std::string("Kafka subscription: ") + rd_kafka_err2str(error));
  }
  return client;
}

void KafkaPoller::adopt(Client client) {
  handle_ = client.get();
  opened_at_ = std::chrono::steady_clock::now();
  fatal_ = false;
  was_assigned_ = false;
  paused_ = false;
  queue_.set(Queue(rd_kafka_queue_get_consumer(handle_), QueueDeleter{}));
  handover_.set_client(client);
  client_.set(std::move(client));
}

void KafkaPoller::wake() {
  if (const Queue queue = queue_.copy()) rd_kafka_queue_yield(queue.get());
}

void KafkaPoller::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (fatal_) {
      rebuild(stop);
      continue;
    }
    if (handover_.has_commands()) serve_commands();
    drain();
    if (!is_connected_) probe_connection();
  }
  close();
}

/// A fatal error (another member took our instance id, say) ends a client for good.
void KafkaPoller::rebuild(const std::stop_token& stop) {
  close();
  std::mutex mutex;
  std::condition_variable_any waiting;
  std::minstd_rand random(std::random_device{}());
  // Two members with one instance id would otherwise throw each other out all the time.
  if (std::chrono::steady_clock::now() - opened_at_ > kRebuildWaitMax * 2) rebuild_wait_ = {};
  while (!stop.stop_requested()) {
    rebuild_wait_ = std::clamp(rebuild_wait_ * 2, kRebuildWaitMin, kRebuildWaitMax);
    const std::int64_t most = rebuild_wait_.count();
    const auto jitter = std::uniform_int_distribution<std::int64_t>(most / 2, most)(random);
    std::unique_lock lock(mutex);
    waiting.wait_for(lock, stop, std::chrono::milliseconds(jitter), [] { return false; });
    if (stop.stop_requested()) return;
    try {
      adopt(open());
    } catch (const std::invalid_argument& error) {
      // The configuration was good when the source was made: a certificate file is gone, say.
      set_connected(false, error.what());
      continue;
    }
    state_.with([](State& state) { ++state.rebuilds; });
    log_warn("kafka_client_rebuilt", {{"group", options_.group_id}});
    return;
  }
}

/// Leaves the group. Bounded, as a close may wait for ever: for a broker, or, behind a join, for
/// other members of the group.
void KafkaPoller::close() {
  if (!handle_) return;
  const auto deadline = std::chrono::steady_clock::now() + kCloseWait;
  const bool may_be_freed = was_assigned_ || (fatal_ && !has_joined());
  // librdkafka 2.0.2 sends no word when a member without partitions is closed: the group would wait
  // for it until its session is over, and the members that leave now would wait for the group. To
  // unsubscribe is to leave. A static member is meant to stay.
  if (owned_.empty() && !options_.group_instance_id) rd_kafka_unsubscribe(handle_);
  Queue queue = queue_.copy();
  const std::string error = kafka_take_error(rd_kafka_consumer_close_queue(handle_, queue.get()));
  while (error.empty() && !rd_kafka_consumer_closed(handle_) &&
         std::chrono::steady_clock::now() < deadline) {
    if (rd_kafka_message_t* message = rd_kafka_consumer_poll(handle_, ms_of(kPollWait))) {
      rd_kafka_message_destroy(message);
    }
  }
  const bool is_closed = !error.empty() || rd_kafka_consumer_closed(handle_) != 0;
  if (!is_closed) {
    log_info("kafka_left_without_goodbye",
             {{"client", options_.connection.client_id}, {"after_s", kCloseWait.count()}});
  }
  take_away(std::vector<KafkaPartition*>(owned_));
  chunks_.clear();
  handover_.clear();
  last_topic_ = nullptr;
  queue_.set(nullptr);
  queue.reset();  // before the client that it is a part of
  handle_ = nullptr;
  if (!may_be_freed || !is_closed) leave_alone(client_.copy());
  client_.set(nullptr);
}

bool KafkaPoller::has_joined() const {
  char* member_id = rd_kafka_memberid(handle_);
  const bool joined = member_id && *member_id;
  if (member_id) rd_kafka_mem_free(handle_, member_id);
  return joined;
}

void KafkaPoller::serve_commands() {
  const KafkaCommands commands = handover_.commands(paused_);
  if (commands.resume) resume();
  if (!commands.begins.empty()) start(commands.begins);
}

/// Fetching of these partitions starts, or starts again, at the offsets given. What the library
/// had fetched for them before is outdated for it from this call on, so that every message that
/// it returns later belongs to the new fetch.
void KafkaPoller::start(const std::vector<KafkaBegin>& begins) {
  const KafkaPartitionList seeks = kafka_partition_list(begins.size());
  const KafkaPartitionList assigns = kafka_partition_list(begins.size());
  const auto add = [](const KafkaPartitionList& list, const TopicPartition& name, Offset offset) {
    rd_kafka_topic_partition_list_add(list.get(), name.topic.c_str(), name.partition)->offset =
        offset.value;
  };
  for (const KafkaBegin& begin : begins) {
    begin.partition->fetch = begin.fetch;
    begin.partition->expected = begin.offset.value;
    add(begin.partition->begun ? seeks : assigns, begin.partition->name, begin.offset);
    begin.partition->begun = true;
  }
  if (seeks->cnt > 0) {
    const std::string error = kafka_take_error(
        rd_kafka_seek_partitions(handle_, seeks.get(), ms_of(options_.request_timeout)));
    // A fetch that has ended with an error cannot seek: its partition is assigned anew.
    const KafkaPartitionList ended = kafka_partition_list(begins.size());
    for (const auto& element : std::span(seeks->elems, static_cast<std::size_t>(seeks->cnt))) {
      if (error.empty() && element.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      const TopicPartition name{element.topic, element.partition};
      add(ended, name, Offset{element.offset});
      add(assigns, name, Offset{element.offset});
    }
    if (ended->cnt > 0) {
      const std::string why = kafka_take_error(rd_kafka_incremental_unassign(handle_, ended.get()));
      if (!why.empty()) on_error(RD_KAFKA_RESP_ERR__FATAL, "cannot end a fetch: " + why);
    }
  }
  if (assigns->cnt == 0) return;
  const std::string why = kafka_take_error(rd_kafka_incremental_assign(handle_, assigns.get()));
  if (!why.empty()) on_error(RD_KAFKA_RESP_ERR__FATAL, "cannot begin a fetch: " + why);
}

/// One waiting poll, then polls that do not wait until nothing is left. The library's batch call
/// would wait for a full batch, and in 2.0.2 may lose messages during a rebalance.
void KafkaPoller::drain() {
  last_topic_ = nullptr;  // a topic's handle may be another's after a rebalance
  rd_kafka_message_t* message = rd_kafka_consumer_poll(handle_, ms_of(kPollWait));
  std::size_t count = 0;
  while (message) {
    accept(message);
    if (++count == kDrainMax) break;
    message = rd_kafka_consumer_poll(handle_, 0);
  }
  const std::size_t waiting = handover_.publish(chunks_);
  // A pause throws away what the library has ready, so it is best made when nothing is.
  const std::size_t pause_at =
      message ? options_.handover_max_bytes : options_.handover_max_bytes / 8 * 7;
  if (!paused_ && waiting >= pause_at) pause();
}

void KafkaPoller::accept(rd_kafka_message_t* message) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    on_message_error(message);
    rd_kafka_message_destroy(message);
    return;
  }
  KafkaPartition* partition = partition_of(message);
  // After a rebalance or a resume the library may bring again what we already took.
  if (!partition || !partition->begun || message->offset < partition->expected) {
    rd_kafka_message_destroy(message);
    return;
  }
  partition->expected = message->offset + 1;
  if (chunks_.empty() || chunks_.back().partition != partition ||
      chunks_.back().fetch != partition->fetch || chunks_.back().out_of_range) {
    chunks_.push_back({.partition = partition, .fetch = partition->fetch});
  }
  chunks_.back().bytes += kafka_cost_of(message);
  chunks_.back().messages.push_back(message);
  if (!is_connected_) set_connected(true, {});
}

KafkaPartition* KafkaPoller::partition_of(const rd_kafka_message_t* message) {
  if (!message->rkt) return nullptr;
  if (message->rkt == last_topic_ && message->partition == last_partition_->name.partition) {
    return last_partition_;
  }
  const auto topic = topics_.find(rd_kafka_topic_name(message->rkt));
  if (topic == topics_.end()) return nullptr;
  const auto found = std::ranges::find_if(topic->second, [&](const KafkaPartition* partition) {
    return partition->name.partition == message->partition;
  });
  if (found == topic->second.end()) return nullptr;
  last_topic_ = message->rkt;
  last_partition_ = *found;
  return last_partition_;
}

KafkaPartitionList KafkaPoller::begun_partitions() const {
  KafkaPartitionList list = kafka_partition_list(owned_.size());
  for (const KafkaPartition* partition : owned_) {
    if (!partition->begun) continue;
    rd_kafka_topic_partition_list_add(list.get(), partition->name.topic.c_str(),
                                      partition->name.partition);
  }
  return list;
}

void KafkaPoller::pause() {
  const KafkaPartitionList all = begun_partitions();
  rd_kafka_pause_partitions(handle_, all.get());
  paused_ = true;
  state_.with([](State& state) { state.paused = true; });
  serve_commands();  // the caller may have made room meanwhile
}

void KafkaPoller::resume() {
  const KafkaPartitionList all = begun_partitions();
  rd_kafka_resume_partitions(handle_, all.get());
  wake_brokers();
  paused_ = false;
  state_.with([](State& state) { state.paused = false; });
}

/// A broker's thread that found every partition paused sleeps for up to a second, and a resume does
/// not wake it (2.0.2); a seek does. It goes to the offset that the fetch stands at anyway. Nobody
/// waits for its answer.
void KafkaPoller::wake_brokers() {
  const KafkaPartitionList places = kafka_partition_list(owned_.size());
  for (const KafkaPartition* partition : owned_) {
    if (!partition->begun) continue;
    rd_kafka_topic_partition_list_add(places.get(), partition->name.topic.c_str(),
                                      partition->name.partition)
        ->offset = partition->expected;
  }
  if (places->cnt == 0) return;
  static_cast<void>(kafka_take_error(rd_kafka_seek_partitions(handle_, places.get(), 0)));
}

/// Answers the group at once, whatever the sink does: new partitions stay out of the library's
/// assignment, and so silent, until the caller has read their fences and begins them.
void KafkaPoller::on_rebalance(int error, rd_kafka_topic_partition_list_t* partitions) {
  std::vector<KafkaPartition*> changed;
  for (const TopicPartition& name : names_in(partitions)) {
    changed.push_back(&handover_.partition(name));
  }
  state_.with([](State& state) { ++state.rebalances; });
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    was_assigned_ = true;
    for (KafkaPartition* partition : changed) {
      if (std::ranges::find(owned_, partition) != owned_.end()) continue;
      owned_.push_back(partition);
      topics_[partition->name.topic].push_back(partition);
    }
    handover_.assigned(changed);
    const KafkaPartitionList none = kafka_partition_list(std::size_t{0});
    const std::string why = kafka_take_error(rd_kafka_incremental_assign(handle_, none.get()));
    if (!why.empty()) on_error(RD_KAFKA_RESP_ERR__FATAL, "cannot take partitions: " + why);
    if (!is_connected_) set_connected(true, {});
  } else {
    const KafkaPartitionList begun = take_away(changed);
    // A pause outlives the assignment: the partition would be silent when it is ours again.
    if (paused_ && begun->cnt > 0) rd_kafka_resume_partitions(handle_, begun.get());
    const std::string why = kafka_take_error(rd_kafka_incremental_unassign(handle_, begun.get()));
    if (!why.empty()) {
      log_warn_limited(options_.group_id, "kafka_unassign_failed", {{"error", why}});
    }
  }
  const LogField fields[] = {
      {"client", options_.connection.client_id},
      {"change", error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "assigned" : "lost"},
      {"partitions", changed.size()},
      {"now", owned_.size()}};
  log_event(changed.empty() ? LogLevel::Debug : LogLevel::Info, "kafka_rebalance", fields);
}

/// Forgets that they are ours; returns those that the library fetches.
KafkaPartitionList KafkaPoller::take_away(std::span<KafkaPartition* const> partitions) {
  KafkaPartitionList begun = kafka_partition_list(partitions.size());
  for (KafkaPartition* partition : partitions) {
    if (std::exchange(partition->begun, false)) {
      rd_kafka_topic_partition_list_add(begun.get(), partition->name.topic.c_str(),
                                        partition->name.partition);
    }
    std::erase(owned_, partition);
    std::erase(topics_[partition->name.topic], partition);
  }
  handover_.lost(partitions);
  last_topic_ = nullptr;
  return begun;
}

void KafkaPoller::on_message_error(const rd_kafka_message_t* message) {
  KafkaPartition* partition = partition_of(message);
  if (message->err != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
    on_error(message->err, rd_kafka_message_errstr(message));
  } else if (partition && partition->begun) {  // else it is of a fetch that has ended
    chunks_.push_back({.partition = partition, .fetch = partition->fetch, .out_of_range = true});
  }
}

void KafkaPoller::on_error(int error, std::string_view why) {
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    fatal_ = true;
    std::array<char, 512> text{};
    if (rd_kafka_fatal_error(handle_, text.data(), text.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      why = text.data();
    }
    set_connected(false, why);
    log_error("kafka_client_failed", {{"group", options_.group_id}, {"error", why}});
    return;
  }
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    // The reason came just before, as an error of its own.
    const std::string cause = state_.with([](const State& state) { return state.last_error; });
    set_connected(false, cause.empty() ? why : cause);
    return;
  }
  // A pattern that no topic matches yet is no error.
  if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return;
  why = why.substr(0, why.find(" (after "));  // of which the rest is another each time
  // Members that share partitions by another protocol are there: the original's, most likely.
  const bool is_refusal = error == RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL;
  state_.with([&](State& state) {
    state.last_error = why;
    if (is_refusal) state.refused_at = std::chrono::steady_clock::now();
  });
  const bool is_transport = error == RD_KAFKA_RESP_ERR__TRANSPORT ||
                            error == RD_KAFKA_RESP_ERR__RESOLVE ||
                            error == RD_KAFKA_RESP_ERR__TIMED_OUT;
  if (is_transport && !is_connected_) return;  // the state has told
  const LogField fields[] = {{"group", options_.group_id}, {"error", why}};
  // One broker of several is the cluster's affair; the last one makes us disconnected.
  log_event_limited(is_transport ? LogLevel::Info : LogLevel::Warning,
                    options_.group_id + std::to_string(error), "kafka_error", fields);
}

void KafkaPoller::set_connected(bool connected, std::string_view why) {
  const bool changed = std::exchange(is_connected_, connected) != connected;
  state_.with([&](State& state) {
    if (changed) state.since = std::chrono::steady_clock::now();
    state.connected = connected;
    if (!connected) state.last_error = why;
  });
  if (!changed) return;
  if (connected) {
    log_info("kafka_connected", {{"group", options_.group_id}});
  } else {
    log_warn("kafka_disconnected", {{"group", options_.group_id}, {"error", why}});
  }
}

/// The library tells when the last broker went, not when one came back.
void KafkaPoller::probe_connection() {
  const auto now = std::chrono::steady_clock::now();
  if (fatal_ || now < next_probe_) return;
  next_probe_ = now + kProbeEvery;
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(handle_, 0, nullptr, &metadata, ms_of(kProbeWait)) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return;
  }
  rd_kafka_metadata_destroy(metadata);
  set_connected(true, {});
}

}  // namespace signalbox
