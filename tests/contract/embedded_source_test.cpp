#include "adapters/embedded_source.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "adapters/embedded_producer.hpp"
#include "contract/message_source_suite.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox::contract {
namespace {

/// Members live and die by real time here.
class RealClock final : public Clock {
 public:
  ReceivedAt now() const override {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  std::chrono::steady_clock::time_point steady_now() const override {
    return std::chrono::steady_clock::now();
  }
  void wait(std::chrono::milliseconds, std::stop_token) override {}
};

/// Members are of one process here; that those of two share a log as well is tested apart.
class EmbeddedLogUnderTest final : public LogUnderTest {
 public:
  bool outlives_its_process() const override { return true; }

  void create_topic(const std::string& name, int partitions) override {
    producer_.create_topic(name, partitions);
  }

  void produce(const std::vector<Produced>& messages) override {
    std::vector<OutgoingMessage> outgoing;
    for (const Produced& message : messages) {
      outgoing.push_back(
          {.topic = message.topic,
           .key = message.key,
           .payload = message.payload ? std::string_view{*message.payload} : std::string_view{},
           .timestamp = message.timestamp.value_or(
               std::chrono::floor<std::chrono::milliseconds>(clock_.now())),
           .headers = message.headers,
           .partition = message.partition});
    }
    producer_.produce(outgoing);
  }

  std::unique_ptr<MessageSource> make_member(const MemberOptions& options) override {
    return std::make_unique<EmbeddedSource>(
        log_, clock_, EmbeddedSourceOptions{.group = options.group, .topics = options.topics});
  }

  std::optional<std::size_t> handover_bytes(const MessageSource&) const override {
    return std::nullopt;
  }

 private:
  TemporaryFolder folder_;
  RealClock clock_;
  EmbeddedLog log_{{.file = folder_ / "log.db"}};
  EmbeddedProducer producer_{log_};
};

INSTANTIATE_TEST_SUITE_P(Embedded, MessageSourceContract,
                         testing::Values(LogFactory{
                             "Embedded", [] { return std::make_unique<EmbeddedLogUnderTest>(); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace signalbox::contract
