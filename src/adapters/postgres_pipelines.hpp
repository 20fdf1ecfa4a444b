#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "adapters/postgres_connection.hpp"
#include "ports/pipeline_store.hpp"

namespace signalbox {

/// The platform's tables `pipelines` and `scanners`, read with one statement; SELECT is all the
/// right that it needs.
///
/// Changes are told by NOTIFY on kPipelinesChannel, which needs the triggers of `signalbox migrate
/// --notify` and a connection of its own that no pooler shares (try_notifications() finds out).
/// Where either is missing the store only waits. One thread owns it.
class PostgresPipelines final : public PipelineStore {
 public:
  explicit PostgresPipelines(PostgresOptions options);

  LoadedPipelines load() override;

  /// After a lost connection the answer is true as soon as there is a new one: what changed in
  /// between was told to nobody. Without one it waits, and load() will say why.
  bool wait_for_change(std::chrono::milliseconds wait, std::stop_token stop) override;

  /// Whether the connection that hears of changes is there.
  bool is_listening() const { return listener_generation_.has_value(); }

 private:
  bool listen();

  PostgresConnection connection_;
  PostgresConnection listener_;
  /// The connection on which LISTEN was said.
  std::optional<std::uint64_t> listener_generation_;
};

}  // namespace signalbox
