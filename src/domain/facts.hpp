#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "domain/message.hpp"
#include "domain/routing.hpp"
#include "domain/timeframe.hpp"
#include "domain/trading_signal.hpp"

namespace signalbox {

/// A number as the text that came, so that no digit is lost on its way to a numeric column.
/// Empty = the field was missing or null. Points into the message's payload.
using NumberText = std::string_view;

/// What a candle's row needs. Any field may be missing: the payload is published all the same,
/// but has no row.
struct CandleFields {
  std::string symbol;  ///< upper case, the topic's
  std::optional<Timeframe> timeframe;
  std::optional<EventTime> open_time;
  NumberText open, high, low, close, volume;
  NumberText quote_asset_volume, number_of_trades;
  NumberText taker_buy_base_asset_volume, taker_buy_quote_asset_volume;
  bool is_closed = false;
};

/// What the typed tables of signals, orders and executions keep beside the whole payload.
struct RecordFields {
  std::optional<std::string> symbol, side, strategy, status, strength, order_id, client_order_id;
  std::optional<EventTime> event_time;
  NumberText price, quantity, confidence;
};

/// A row of the dead-letter table, read back from our own topic's headers.
struct DeadLetterFields {
  std::string lane, topic, reason, detail;
  std::int32_t partition = 0;
  Offset offset;
  std::optional<EventTime> message_time;  ///< of the refused message
  std::optional<EventTime> rejected_at;
  std::optional<std::string> key;          ///< of the refused message; absent when it had none
  std::optional<std::int64_t> whole_size;  ///< bytes, where only the payload's head was kept
  std::optional<std::string> sha256;       ///< of the whole payload, likewise
};

/// What is read from one payload, once, at the border.
struct Facts {
  std::size_t splice_at = 0;  ///< index of the brace that closes the object
  bool has_members = false;   ///< the object is not `{}`: a comma comes before what is added
  bool has_symbol = false;
  bool has_timeframe = false;
  bool is_closed = false;    ///< a candle that says so
  bool is_enriched = false;  ///< carries indicator fields (rsi_14, ema_12, macd_line, bb_upper)
  std::variant<std::monostate, CandleFields, RecordFields, DeadLetterFields,
               std::shared_ptr<const TradingSignal>>
      record;
};

/// One message on its way into a sink. Borrows from the batch and from the lane's routes.
struct Routed {
  const Message* message;
  const Route* route;
  const TopicPartition* source;  ///< where it was first seen (a replay keeps its first place)
  Offset source_offset;
  const TopicPartition* read_from = nullptr;  ///< whose fence passes it
  std::uint64_t seq = 0;  ///< count of the partition it is read from, kept in its fence
  std::int64_t epoch = 0;
  bool is_replay = false;
  Facts facts;
};

}  // namespace signalbox
