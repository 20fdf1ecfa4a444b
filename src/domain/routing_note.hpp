#pragma once

#include <string>
#include <string_view>

#include "domain/facts.hpp"

namespace signalbox {

/// `2025-10-27T13:57:00.118302+00:00`
std::string iso_utc(ReceivedAt time);

/// `data_type` of the original: raw_market_data, corrupted_enriched_data, raw_market_data_legacy,
/// signal, execution, order; empty for signals.filtered, which has none.
std::string_view data_type_of(const Route& route, const Facts& facts);

/// The original's rule: closed candles and signals.
bool is_urgent(const Route& route, const Facts& facts);

/// `high` for what is urgent, else `normal`.
std::string_view priority_of(const Route& route, const Facts& facts);

/// Appends the payload with `_routing` (and `symbol`, `timeframe` where they are missing) spliced
/// in before the closing brace. Every other byte is the payload's own.
/// `received_at_text` is iso_utc(received_at), formatted once a batch.
void append_with_routing(std::string& out, const Routed& routed, ReceivedAt received_at,
                         std::string_view received_at_text);

}  // namespace signalbox
