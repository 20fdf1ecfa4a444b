#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/http_server.hpp"
#include "app/lane_unit.hpp"

namespace signalbox {

enum class ServicePhase : std::uint8_t { Running, Stopping };

/// One lane as its unit shows it, and its rates over the last ten seconds.
struct LaneView {
  LaneStatus status;
  SourceReport source;
  LatencySnapshot delays;
  std::string sink_name;
  std::string log_name;
  double received_per_second = 0;
};

/// Something beside the lanes that a service works with.
struct ServiceConcern {
  enum class Weight : std::uint8_t { Tells, Blocks };

  std::string code;  ///< SNAKE_CASE
  std::string text;
  Weight weight = Weight::Tells;  ///< Blocks: the service cannot do its work
};

/// Everything that the HTTP paths of a service of lanes are answered from. A value.
struct ServiceView {
  ServicePhase phase = ServicePhase::Running;
  ReceivedAt started{};
  ReceivedAt now{};
  std::vector<LaneView> lanes;
  std::vector<ServiceConcern> concerns{};
  std::string details_name{};  ///< key of `details` in the answers; empty: there are none
  std::string details{};       ///< a JSON object
};

/// What readiness says, and how /health puts it.
enum class Health : std::uint8_t { Healthy, Degraded, Unhealthy, Starting, Stopping };

std::string_view name_of(Health health);

/// 200 while at least one lane can do its work, 503 when none can (docs/DISPATCHER.md has the
/// table).
int http_status_of(Health health);

/// Starting: nothing has worked yet and the service is younger than half a minute.
Health health_of(const ServiceView& view);

/// `GET /health` and `GET /diagnostic`: every key of the original, and ours beside them.
HttpResponse health_answer(const ServiceView& view);
HttpResponse diagnostic_answer(const ServiceView& view);

}  // namespace signalbox
