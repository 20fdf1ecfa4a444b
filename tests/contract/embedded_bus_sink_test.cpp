#include "adapters/embedded_bus_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contract/sink_suite.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

/// What a subscriber of every channel got.
class EmbeddedBusPlace final : public SinkPlace {
 public:
  std::unique_ptr<Sink> make_sink(const std::string& group) override {
    return std::make_unique<EmbeddedBusSink>(
        bus_, EmbeddedBusSinkOptions{.file = folder_ / "bus.db", .group = group});
  }

  std::vector<Delivered> delivered() override {
    constexpr std::size_t kAll = 1'000'000;
    for (const BusMessage& message : subscription_->take(kAll, std::chrono::milliseconds{0})) {
      const auto routing = nlohmann::json::parse(*message.payload).at("_routing");
      delivered_.push_back({{routing.at("source_topic"), routing.at("partition")},
                            Offset{routing.at("offset").get<std::int64_t>()}});
    }
    EXPECT_EQ(subscription_->dropped(), 0U);
    return delivered_;
  }

  Durability durability() const override { return Durability::Durable; }
  DeliveryOrder order() const override { return DeliveryOrder::Shown; }

 private:
  TemporaryFolder folder_;
  EmbeddedBus bus_;
  std::shared_ptr<BusSubscription> subscription_ =
      bus_.subscribe({.pattern = "*", .queue_max = 1'000'000});
  std::vector<Delivered> delivered_;
};

INSTANTIATE_TEST_SUITE_P(EmbeddedBus, SinkContract,
                         testing::Values(SinkAdapter{"EmbeddedBus",
                                                     [](const std::string&) {
                                                       return std::make_unique<EmbeddedBusPlace>();
                                                     }}),
                         adapter_name);

}  // namespace
}  // namespace signalbox
