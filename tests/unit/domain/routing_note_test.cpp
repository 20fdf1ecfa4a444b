#include "domain/routing_note.hpp"

#include <gtest/gtest.h>

namespace signalbox {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

const ReceivedAt kReceivedAt{microseconds{1'761'573'420'118'302}};

struct Spliced {
  std::string topic = "market.data.btcusdc.1m";
  std::string payload = R"({"a": 1})";
  Facts facts{.splice_at = 7,
              .has_members = true,
              .has_symbol = true,
              .has_timeframe = true,
              .is_closed = true,
              .is_enriched = false,
              .record = {}};

  std::string text() const {
    const Route route = route_for(topic).value();
    const TopicPartition source{topic, 2};
    const Message message{.offset = Offset{41},
                          .timestamp = EventTime{milliseconds{1'761'573'420'100}},
                          .key = {},
                          .payload = payload};
    const Routed routed{.message = &message,
                        .route = &route,
                        .source = &source,
                        .source_offset = message.offset,
                        .seq = 9,
                        .epoch = 5,
                        .facts = facts};
    std::string out;
    append_with_routing(out, routed, kReceivedAt, iso_utc(kReceivedAt));
    return out;
  }
};

TEST(RoutingNote, IsAppendedAndEverythingElseIsThePayloads) {
  EXPECT_EQ(Spliced{}.text(),
            R"({"a": 1, "_routing": {"source_topic": "market.data.btcusdc.1m", )"
            R"("received_at": "2025-10-27T13:57:00.118302+00:00", "priority": "high", )"
            R"("data_type": "raw_market_data", "partition": 2, "offset": 41, "seq": 9, )"
            R"("epoch": 5, "delay_ms": 18}})");
}

TEST(RoutingNote, AddsSymbolAndTimeframeWhereTheyAreMissing) {
  Spliced spliced;
  spliced.facts.has_symbol = false;
  spliced.facts.has_timeframe = false;
  EXPECT_TRUE(spliced.text().starts_with(
      R"({"a": 1, "symbol": "btcusdc", "timeframe": "1m", "_routing": )"));
}

TEST(RoutingNote, AnEmptyObjectGetsNoComma) {
  Spliced spliced;
  spliced.payload = "{ }\n";
  spliced.facts.splice_at = 2;
  spliced.facts.has_members = false;
  const std::string text = spliced.text();
  EXPECT_TRUE(text.starts_with(R"({ "_routing": )")) << text;
  EXPECT_TRUE(text.ends_with("}}\n")) << text;
}

TEST(RoutingNote, AnOpenCandleIsNotUrgent) {
  Spliced spliced;
  spliced.facts.is_closed = false;
  EXPECT_NE(spliced.text().find(R"("priority": "normal")"), std::string::npos);
}

TEST(RoutingNote, FilteredSignalsHaveNoDataType) {
  Spliced spliced;
  spliced.topic = "signals.filtered";
  EXPECT_EQ(spliced.text().find("data_type"), std::string::npos);
  EXPECT_NE(spliced.text().find(R"("priority": "high")"), std::string::npos);
}

TEST(RoutingNote, NamesTheDataTypesOfTheOriginal) {
  Facts facts;
  EXPECT_EQ(data_type_of(route_for("market.data.x").value(), facts), "raw_market_data_legacy");
  EXPECT_EQ(data_type_of(route_for("signals").value(), facts), "signal");
  EXPECT_EQ(data_type_of(route_for("analyzer.signals").value(), facts), "signal");
  EXPECT_EQ(data_type_of(route_for("orders").value(), facts), "order");
  EXPECT_EQ(data_type_of(route_for("executions").value(), facts), "execution");
  facts.is_enriched = true;
  EXPECT_EQ(data_type_of(route_for("market.data.x.1m").value(), facts), "corrupted_enriched_data");
}

TEST(RoutingNote, WritesTimesBeforeTheEpochAndAtMidnight) {
  EXPECT_EQ(iso_utc(ReceivedAt{microseconds{0}}), "1970-01-01T00:00:00.000000+00:00");
  EXPECT_EQ(iso_utc(ReceivedAt{microseconds{-1}}), "1969-12-31T23:59:59.999999+00:00");
}

}  // namespace
}  // namespace signalbox
