#pragma once

namespace signalbox {

/// The SQL that makes version 1 of schema `signalbox`; runs inside a transaction.
extern const char* const kSchemaVersion1;

/// public.market_data as the original stack has it, for a database without it.
extern const char* const kMarketDataTable;

}  // namespace signalbox
