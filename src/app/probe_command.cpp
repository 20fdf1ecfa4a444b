// `signalbox probe`: the health check of containers and units, since the image has no shell tools.

#include <cstdio>

#include "adapters/http_server.hpp"
#include "app/command.hpp"
#include "app/service_main.hpp"

namespace signalbox {
namespace {

constexpr int kTimeoutMs = 5'000;

/// A server that listens on every address is asked on loopback.
std::string reachable(const std::string& bind) {
  if (bind == "0.0.0.0" || bind.empty()) return "127.0.0.1";
  return bind == "::" ? "::1" : bind;
}

int probe(const Loaded<DispatcherConfig>& loaded) {
  const CommonConfig& common = loaded.config.common;
  const HttpAnswer answer = http_get(reachable(common.bind), common.port, "/health", kTimeoutMs);
  if (answer.status == 200) return exit_status::kStopped;
  const auto port = static_cast<unsigned>(common.port);
  if (answer.status == 0) {
    std::fprintf(stderr, "signalbox: nobody answers on port %u (%s)\n", port, answer.body.c_str());
  } else {
    std::fprintf(stderr, "signalbox: port %u answers %d\n%s\n", port, answer.status,
                 answer.body.c_str());
  }
  return exit_status::kFailed;
}

}  // namespace

int run_probe(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<DispatcherConfig>(arguments, environment, probe);
}

}  // namespace signalbox
