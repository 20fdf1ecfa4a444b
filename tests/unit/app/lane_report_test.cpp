#include "app/lane_report.hpp"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

namespace signalbox {
namespace {

using nlohmann::json;
using std::chrono::seconds;

const ReceivedAt kStart{seconds{1'700'000'000}};

LaneView lane(const std::string& name, const std::string& sink) {
  LaneView view;
  view.status.name = name;
  view.status.sink = {.is_up = true, .since = kStart, .last_error = {}};
  view.status.log = {.is_up = true, .since = kStart, .last_error = {}};
  view.status.last_delivery = kStart;
  view.source.is_connected = true;
  view.sink_name = sink;
  view.log_name = "kafka";
  return view;
}

ServiceView both_lanes() {
  return {.phase = ServicePhase::Running,
          .started = kStart,
          .now = kStart + seconds{100},
          .lanes = {lane("redis", "redis"), lane("postgres", "postgres")}};
}

TEST(Health, IsHealthyWhenEveryDependencyAnswers) {
  EXPECT_EQ(health_of(both_lanes()), Health::Healthy);
  EXPECT_EQ(health_answer(both_lanes()).status, 200);
}

TEST(Health, OneSinkAwayIsDegradedBecauseTheOtherLaneWorks) {
  ServiceView view = both_lanes();
  view.lanes[0].status.sink = {.is_up = false, .since = kStart, .last_error = "refused"};
  EXPECT_EQ(health_of(view), Health::Degraded);
  EXPECT_EQ(health_answer(view).status, 200);
  const json body = json::parse(health_answer(view).body);
  EXPECT_EQ(body["dependencies"]["redis"]["state"], "down");
  EXPECT_EQ(body["dependencies"]["redis"]["last_error"], "refused");
  EXPECT_EQ(body["dependencies"]["postgres"]["state"], "up");
  EXPECT_EQ(body["concerns"][0]["code"], "SINK_DOWN");
}

TEST(Health, TheOnlySinkAwayIsUnhealthy) {
  ServiceView view = both_lanes();
  view.lanes.pop_back();
  view.lanes[0].status.sink.is_up = false;
  EXPECT_EQ(health_of(view), Health::Unhealthy);
  EXPECT_EQ(health_answer(view).status, 503);
}

TEST(Health, KafkaAwayIsUnhealthy) {
  ServiceView view = both_lanes();
  for (LaneView& each : view.lanes) each.source.is_connected = false;
  EXPECT_EQ(health_of(view), Health::Unhealthy);
}

TEST(Health, AWarningOrAnUnacknowledgedGapIsDegraded) {
  ServiceView view = both_lanes();
  view.lanes[0].status.warnings = {{"KEYS_MAY_BE_EVICTED", "set maxmemory-policy"}};
  EXPECT_EQ(health_of(view), Health::Degraded);
  view = both_lanes();
  view.lanes[1].status.lost_to_retention = 3;
  EXPECT_EQ(health_of(view), Health::Degraded);
  EXPECT_EQ(json::parse(health_answer(view).body)["concerns"][0]["code"], "GAP_UNACKNOWLEDGED");
}

TEST(Health, TheFirstHalfMinuteIsStartingAndNotReady) {
  ServiceView view = both_lanes();
  for (LaneView& each : view.lanes) {
    each.status.sink.is_up = false;
    each.status.last_delivery = {};
  }
  view.now = kStart + seconds{29};
  EXPECT_EQ(health_of(view), Health::Starting);
  EXPECT_EQ(health_answer(view).status, 503);
  view.now = kStart + seconds{30};
  EXPECT_EQ(health_of(view), Health::Unhealthy);
}

TEST(Health, StoppingIsNotReady) {
  ServiceView view = both_lanes();
  view.phase = ServicePhase::Stopping;
  EXPECT_EQ(health_answer(view).status, 503);
  EXPECT_EQ(json::parse(health_answer(view).body)["status"], "stopping");
}

TEST(Health, AMessageCountsOnceAlthoughBothLanesSeeIt) {
  ServiceView view = both_lanes();
  for (LaneView& each : view.lanes) {
    each.status.counters.received = 100;
    each.status.counters.delivered = 90;
    each.status.counters.rejected = 10;
  }
  const json stats = json::parse(health_answer(view).body)["stats"];
  EXPECT_EQ(stats["messages_received"], 100);
  EXPECT_EQ(stats["messages_routed"], 90);
  EXPECT_EQ(stats["errors"], 10);
  EXPECT_DOUBLE_EQ(stats["success_rate"], 90.0);
  EXPECT_DOUBLE_EQ(stats["messages_per_second"], 0.9);
}

TEST(Diagnostic, ShowsTheRealStateOfEachConnection) {
  ServiceView view = both_lanes();
  view.lanes[1].status.sink.is_up = false;
  const json body = json::parse(diagnostic_answer(view).body);
  EXPECT_EQ(body["connections"]["kafka"], "connected");
  EXPECT_EQ(body["connections"]["redis"], "connected");
  EXPECT_EQ(body["connections"]["postgres"], "disconnected");
  EXPECT_EQ(body["status"], "operational");
  EXPECT_TRUE(body["lanes"]["redis"]["works"]);
  EXPECT_FALSE(body["lanes"]["postgres"]["works"]);
}

TEST(Authorize, WithoutATokenOnlyLoopbackMayChangeState) {
  HttpRequest request{.method = "POST",
                      .path = "/gaps/acknowledge",
                      .body = {},
                      .remote_address = "127.0.0.1",
                      .query = {},
                      .headers = {}};
  EXPECT_EQ(authorize(request, "").status, 200);
  request.headers = {{"x-forwarded-for", "10.0.0.9"}};
  EXPECT_EQ(authorize(request, "").status, 403);
  request.headers = {};
  request.remote_address = "10.0.0.9";
  EXPECT_EQ(authorize(request, "").status, 403);
}

TEST(Authorize, WithATokenWhoeverSendsItMay) {
  HttpRequest request{.method = "POST",
                      .path = "/gaps/acknowledge",
                      .body = {},
                      .remote_address = "10.0.0.9",
                      .query = {},
                      .headers = {}};
  EXPECT_EQ(authorize(request, "secret").status, 401);
  request.headers = {{"authorization", "Bearer secret"}};
  EXPECT_EQ(authorize(request, "secret").status, 200);
  request.headers = {{"x-signalbox-token", "secret"}};
  EXPECT_EQ(authorize(request, "secret").status, 200);
  request.headers = {{"x-signalbox-token", "secrets"}};
  EXPECT_EQ(authorize(request, "secret").status, 403);
  request.headers = {{"x-signalbox-token", "secreT"}};
  EXPECT_EQ(authorize(request, "secret").status, 403);
}

}  // namespace
}  // namespace signalbox
