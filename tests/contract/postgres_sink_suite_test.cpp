#include <chrono>

#include "adapters/postgres_schema.hpp"
#include "adapters/postgres_sink.hpp"
#include "contract/postgres_place.hpp"
#include "contract/sink_suite.hpp"

namespace signalbox {
namespace {

/// A database of one test; `market_data` is as the original has it, or ours.
class PostgresPlace final : public SinkPlace {
 public:
  explicit PostgresPlace(ClosedCandles closed_candles) {
    if (closed_candles == ClosedCandles::SideTable) {
      database_.connection().run_script(kOriginalMarketData);
    }
    migrate(database_.connection());
    if (closed_candles == ClosedCandles::SideTable) {
      database_.sql("ALTER TABLE public.market_data DROP COLUMN is_closed");
    }
  }

  std::unique_ptr<Sink> make_sink(const std::string& group) override {
    PostgresSinkOptions options{.postgres = database_.options(), .group = group};
    options.postgres.application_name = "sink of a test";
    return std::make_unique<PostgresSink>(options);
  }

  std::vector<Delivered> delivered() override {
    std::vector<Delivered> delivered;
    const auto rows = database_.connection().execute(
        "SELECT symbol, (extract(epoch FROM time) * 1000)::bigint FROM public.market_data");
    for (const auto& row : rows.rows) {
      const EventTime open_time{std::chrono::milliseconds{std::stoll(*row.at(1))}};
      if (const auto source = candle_source(*row.at(0), open_time)) delivered.push_back(*source);
    }
    return delivered;
  }

  Durability durability() const override { return Durability::Durable; }
  DeliveryOrder order() const override { return DeliveryOrder::Hidden; }

  bool break_connections() override {
    database_.sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = "
        "current_database() AND application_name = 'sink of a test'");
    return true;
  }

 private:
  TestDatabase database_;
};

INSTANTIATE_TEST_SUITE_P(
    Postgres, SinkContract,
    testing::Values(SinkAdapter{"Column",
                                [](const std::string&) -> std::unique_ptr<SinkPlace> {
                                  return std::make_unique<PostgresPlace>(ClosedCandles::Column);
                                }},
                    SinkAdapter{"SideTable",
                                [](const std::string&) -> std::unique_ptr<SinkPlace> {
                                  return std::make_unique<PostgresPlace>(ClosedCandles::SideTable);
                                }}),
    adapter_name);

}  // namespace
}  // namespace signalbox
