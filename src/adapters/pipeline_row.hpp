#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "domain/pipeline.hpp"

namespace signalbox {

/// Signals of one (pipeline, ticker) that may wait in a queue at most.
inline constexpr std::uint16_t kQueueSlotsMax = 100;

/// A pipeline as its row tells it. What is JSON is JSON text; absent is SQL's NULL.
struct PipelineRow {
  std::string id;
  std::optional<std::string> user;
  std::string name;
  std::optional<std::string> subscriptions;    ///< pipelines.signal_subscriptions
  std::optional<std::string> scanner_tickers;  ///< pipelines.scanner_tickers, deprecated
  std::optional<std::string> scanner_config;   ///< scanners.config
  std::optional<std::string> signalbox;        ///< pipelines.config -> 'signalbox', ours
};

/// Reads a row as the original does: a scanner's configuration that is not empty says the tickers,
/// else the deprecated column does; null subscriptions are none. nullopt watches nothing and is
/// left out. The error says what would have spoiled every batch there, or would make a text that
/// stands where a list should a list of letters.
std::expected<std::optional<Pipeline>, std::string> read_pipeline(const PipelineRow& row);

/// The value of `signalbox` in a configuration as JSON text, for a database that cannot take it
/// out itself; nullopt where the configuration is no object or has no such key.
std::expected<std::optional<std::string>, std::string> signalbox_key(std::string_view config);

}  // namespace signalbox
