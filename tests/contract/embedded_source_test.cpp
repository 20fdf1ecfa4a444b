#include "adapters/embedded_source.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "adapters/embedded_producer.hpp"
#include "adapters/system_clock.hpp"
#include "contract/message_source_suite.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox::contract {
namespace {

/// Members are of one process here; those of two are tested in tests/unit/adapters.
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
  SystemClock clock_;  // members live and die by real time here
  EmbeddedLog log_{{.file = folder_ / "log.db"}};
  EmbeddedProducer producer_{log_};
};

INSTANTIATE_TEST_SUITE_P(Embedded, MessageSourceContract,
                         testing::Values(LogFactory{
                             "Embedded", [] { return std::make_unique<EmbeddedLogUnderTest>(); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace signalbox::contract
