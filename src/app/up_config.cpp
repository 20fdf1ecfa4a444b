#include "app/up_config.hpp"

namespace signalbox {

Settings describe(UpConfig& config) {
  Settings settings{"up",
                    "Runs the services on embedded parts and feeds them recorded candles: no "
                    "server to install."};
  describe(config.common, {.variable = {}, .table = "up"}, settings);
  settings.group("Embedded parts");
  settings.directory(
      config.data, {{}, "up.data", "data"},
      "Holds the embedded log, the sinks with their fences, the pipelines with their runs, and the "
      "queue of tasks.");
  settings.decimal(config.speed, {.min = 0.1, .max = 1'000'000}, {{}, "up.speed", "speed"},
                   "How many times faster than recorded; 60 is a recorded minute a second.");
  return settings;
}

}  // namespace signalbox
