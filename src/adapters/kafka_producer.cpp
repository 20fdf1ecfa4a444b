#include "adapters/kafka_producer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <librdkafka/rdkafka.h>

#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kReportWait = 2s;  ///< for the reports of what timed out
constexpr std::chrono::milliseconds kAdminWait = 10s;

}  // namespace

struct KafkaProducer::Parts {
  explicit Parts(KafkaProducerOptions its_options) : options(std::move(its_options)) { open(); }

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto* parts = static_cast<Parts*>(opaque);
    --parts->pending;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || !parts->failure.empty()) return;
    parts->failure = std::string(message->rkt ? rd_kafka_topic_name(message->rkt) : "") + ": " +
                     rd_kafka_err2str(message->err);
  }

  void open() {
    KafkaConf conf = kafka_conf(
        options.connection, {{"linger.ms", "1"}, {"queue.buffering.max.kbytes", "65536"}},
        {{"enable.idempotence", "true"},
         {"acks", "all"},
         {"message.timeout.ms", std::to_string(options.delivery_timeout.count())}});
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
    pending = 0;
    failure.clear();
    handle = kafka_open(KafkaRole::Producer, std::move(conf));
  }

  /// After a fatal error, or with messages that nobody waits for any more, the instance is done.
  void reopen() {
    rd_kafka_purge(handle.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(handle.get(), 0);
    handle.reset();
    open();
  }

  const KafkaProducerOptions options;
  std::size_t pending = 0;
  std::string failure;  ///< of the first message that failed since the last flush
  KafkaHandle handle;   // last: its end may still report deliveries
};

KafkaProducer::KafkaProducer(KafkaProducerOptions options)
    : parts_(std::make_unique<Parts>(std::move(options))) {}

KafkaProducer::~KafkaProducer() {
  rd_kafka_purge(parts_->handle.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

void KafkaProducer::produce(const KafkaRecord& record) {
  rd_kafka_t* handle = parts_->handle.get();
  const std::string topic(record.topic);
  const auto deadline = std::chrono::steady_clock::now() + parts_->options.delivery_timeout;
  for (;;) {
    rd_kafka_headers_t* headers = nullptr;
    if (!record.headers.empty()) headers = rd_kafka_headers_new(record.headers.size());
    for (const Header& header : record.headers) {
      rd_kafka_header_add(headers, header.name.data(), std::ssize(header.name), header.value.data(),
                          std::ssize(header.value));
    }
    const std::string_view key = record.key.value_or(std::string_view{});
    const std::string_view payload = record.payload.value_or(std::string_view{});
    std::array<rd_kafka_vu_t, 8> fields{};
    std::size_t count = 0;
    const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
      fields[count].vtype = type;
      return fields[count++];
    };
    add(RD_KAFKA_VTYPE_TOPIC).u.cstr = topic.c_str();
    add(RD_KAFKA_VTYPE_PARTITION).u.i32 = record.partition.value_or(RD_KAFKA_PARTITION_UA);
    add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
    if (record.timestamp) {
      add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = record.timestamp->time_since_epoch().count();
    }
    if (headers) add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers;
    // The library takes a null pointer for "none" and copies from any other, whatever the size.
    if (record.key)
      add(RD_KAFKA_VTYPE_KEY).u.mem = {const_cast<char*>(key.data() ? key.data() : ""), key.size()};
    if (record.payload)
      add(RD_KAFKA_VTYPE_VALUE).u.mem = {const_cast<char*>(payload.data() ? payload.data() : ""),
                                         payload.size()};
    rd_kafka_error_t* error = rd_kafka_produceva(handle, fields.data(), count);
    if (!error) {
      ++parts_->pending;
      rd_kafka_poll(handle, 0);
      return;
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    const std::string why = kafka_take_error(error);
    if (headers) rd_kafka_headers_destroy(headers);  // taken over on success only
    const bool is_full = code == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (code == RD_KAFKA_RESP_ERR__FATAL) parts_->reopen();
    if (!is_full || std::chrono::steady_clock::now() >= deadline) throw IoError("kafka", why);
    rd_kafka_poll(handle, 50);
  }
}

void KafkaProducer::flush() {
  const auto deadline =
      std::chrono::steady_clock::now() + parts_->options.delivery_timeout + kReportWait;
  // Sends at once what lingers; waiting is done here, where the reports are counted.
  rd_kafka_flush(parts_->handle.get(), 0);
  while (parts_->pending > 0 && std::chrono::steady_clock::now() < deadline) {
    rd_kafka_poll(parts_->handle.get(), 50);
  }
  const bool is_late = parts_->pending > 0;
  std::string failure = std::exchange(parts_->failure, {});
  if (is_late && failure.empty()) failure = "not acknowledged in time";
  const bool is_fatal =
      rd_kafka_fatal_error(parts_->handle.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
  if (is_late || is_fatal) parts_->reopen();
  if (!failure.empty()) throw IoError("kafka", failure);
}

void KafkaProducer::ensure_topic(const KafkaNewTopic& topic) {
  kafka_ensure_topic(parts_->handle.get(), topic, kAdminWait);
}

void KafkaProducer::delete_topic(const std::string& name) {
  kafka_delete_topic(parts_->handle.get(), name, kAdminWait);
}

}  // namespace signalbox
