#include "domain/routing.hpp"

#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> channels_of(std::string_view topic) {
  const auto route = route_for(topic);
  return route ? route->channels : std::vector<std::string>{};
}

RejectReason reason_of(std::string_view topic) { return route_for(topic).error().reason; }

TEST(Routing, EveryTimeframeHasAChannelOfItsOwn) {
  for (const std::string timeframe : {"1m", "3m", "5m", "15m"}) {
    EXPECT_THAT(channels_of("market.data.btcusdc." + timeframe),
                ElementsAre("roottrading:market:data:btcusdc:" + timeframe));
  }
}

TEST(Routing, HoursAndDaysKeepTheChannelWithoutATimeframeBesideTheirOwn) {
  EXPECT_THAT(channels_of("market.data.btcusdc.1h"),
              ElementsAre("roottrading:market:data:btcusdc:1h", "roottrading:market:data:btcusdc"));
  EXPECT_THAT(channels_of("market.data.btcusdc.1d"),
              ElementsAre("roottrading:market:data:btcusdc:1d", "roottrading:market:data:btcusdc"));
}

TEST(Routing, TheLegacyTopicHasNoTimeframe) {
  const auto route = route_for("market.data.btcusdc");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->symbol, "btcusdc");
  EXPECT_EQ(route->timeframe, std::nullopt);
  EXPECT_THAT(route->channels, ElementsAre("roottrading:market:data:btcusdc"));
}

TEST(Routing, SignalsOrdersAndExecutionsHaveTheirChannels) {
  EXPECT_THAT(channels_of("signals"), ElementsAre("roottrading:signals"));
  EXPECT_THAT(channels_of("analyzer.signals"), ElementsAre("analyzer:signals"));
  EXPECT_THAT(channels_of("signals.filtered"), ElementsAre("roottrading:signals:filtered"));
  EXPECT_THAT(channels_of("orders"), ElementsAre("roottrading:trade:order"));
  EXPECT_THAT(channels_of("executions"), ElementsAre("roottrading:trade:execution"));
}

TEST(Routing, TheSymbolOfATopicIsLowerCaseOnItsChannel) {
  EXPECT_THAT(channels_of("market.data.BTCUSDC.1m"),
              ElementsAre("roottrading:market:data:btcusdc:1m"));
}

TEST(Routing, SaysWhyATopicHasNoRoute) {
  EXPECT_EQ(reason_of("market.data.btcusdc.4h"), RejectReason::UnknownTimeframe);
  EXPECT_EQ(reason_of("market.data.btcusdc.1m.more"), RejectReason::UnknownTimeframe);
  EXPECT_EQ(reason_of("market.data.btc-usdc.1m"), RejectReason::MalformedSymbol);
  EXPECT_EQ(reason_of("market.data."), RejectReason::MalformedSymbol);
  EXPECT_EQ(reason_of("market.data.abcdefghijklmnopqrstu.1m"), RejectReason::MalformedSymbol);
  EXPECT_EQ(reason_of("account.balance"), RejectReason::NoRoute);
}

bool matches(const std::vector<std::string>& patterns, const std::string& topic) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return std::regex_match(topic, std::regex{pattern, std::regex::extended});
  });
}

TEST(Routing, ConfiguredSymbolsNarrowTheSubscription) {
  const std::vector<std::string> symbols{"btcusdc", "ethusdc"};
  const auto patterns = market_data_patterns(symbols);
  EXPECT_TRUE(matches(patterns, "market.data.btcusdc.1m"));
  EXPECT_TRUE(matches(patterns, "market.data.ethusdc"));
  EXPECT_TRUE(matches(patterns, "market.data.ethusdc.4h"));
  EXPECT_FALSE(matches(patterns, "market.data.solusdc.1m"));
  EXPECT_FALSE(matches(patterns, "market.data.btcusdcx.1m"));
  EXPECT_FALSE(matches(patterns, "xmarket.data.btcusdc.1m"));
}

TEST(Routing, WithoutSymbolsEveryMarketDataTopicIsRead) {
  EXPECT_TRUE(matches(market_data_patterns({}), "market.data.anything.1d"));
  EXPECT_TRUE(matches(market_data_patterns({}), "market.data.anything"));
  EXPECT_FALSE(matches(market_data_patterns({}), "marketxdata.anything"));
}

TEST(Routing, PriorityTopicsAreTheNamedOnesAndNotTheDeadLetters) {
  for (const std::string topic :
       {"signals", "signals.filtered", "analyzer.signals", "orders", "executions"}) {
    EXPECT_TRUE(matches(priority_patterns(), topic)) << topic;
  }
  EXPECT_FALSE(matches(priority_patterns(), "signalbox.dead-letters"));
  EXPECT_FALSE(matches(priority_patterns(), "signalsxfiltered"));
}

}  // namespace
}  // namespace signalbox
