#include "adapters/sqlite_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/sink_suite.hpp"
#include "support/temporary_folder.hpp"

namespace signalbox {
namespace {

class SqlitePlace final : public SinkPlace {
 public:
  std::unique_ptr<Sink> make_sink(const std::string& group) override {
    return std::make_unique<SqliteSink>(SqliteSinkOptions{.file = file(), .group = group});
  }

  std::vector<Delivered> delivered() override {
    SqliteDatabase database{{.file = file()}};
    std::vector<Delivered> delivered;
    database.prepare("SELECT symbol, time_ms FROM market_data ORDER BY id")
        .each([&](const SqliteStatement& row) {
          const EventTime time{std::chrono::milliseconds{row.int64(1)}};
          delivered.push_back(candle_source(row.text(0), time).value());
          return Visit::Continue;
        });
    return delivered;
  }

  Durability durability() const override { return Durability::Durable; }
  DeliveryOrder order() const override { return DeliveryOrder::Hidden; }

 private:
  std::filesystem::path file() const { return folder_ / "store.db"; }

  TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, SinkContract,
                         testing::Values(SinkAdapter{
                             "Sqlite",
                             [](const std::string&) { return std::make_unique<SqlitePlace>(); }}),
                         adapter_name);

}  // namespace
}  // namespace signalbox
