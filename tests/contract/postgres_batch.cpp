#include "contract/postgres_batch.hpp"

#include "domain/dead_letter.hpp"

namespace signalbox {

Fence fence_after(std::int64_t next) {
  return {.next = Offset{next}, .seq = static_cast<std::uint64_t>(next), .epoch = 1, .lineage = {}};
}

const TopicPartition& AnyBatch::partition() {
  static const TopicPartition kPartition{"test", 0};
  return kPartition;
}

Routed& AnyBatch::add(const std::string& topic, std::string_view payload) {
  const Offset offset{first_ + static_cast<std::int64_t>(routed_.size())};
  if (memory_->sources.empty() || memory_->sources.back().topic != topic) {
    memory_->sources.push_back({topic, 0});
    memory_->routes.push_back(*route_for(topic));
  }
  memory_->payloads.emplace_back(payload);
  memory_->messages.push_back({.offset = offset,
                               .timestamp = open_time_at(offset),
                               .key = "key",
                               .payload = memory_->payloads.back()});
  routed_.push_back({.message = &memory_->messages.back(),
                     .route = &memory_->routes.back(),
                     .source = &memory_->sources.back(),
                     .source_offset = offset,
                     .facts = {}});
  return routed_.back();
}

AnyBatch& AnyBatch::candle(const CandleOf& candle) {
  CandleFields fields;
  fields.symbol = candle.symbol;
  fields.timeframe = Timeframe::M1;
  fields.open_time = open_time_at(Offset{candle.minute});
  fields.open = candle.open;
  fields.high = candle.high;
  fields.low = candle.low;
  fields.close = candle.close;
  fields.volume = candle.volume;
  fields.is_closed = candle.is_closed;
  add("market.data.btcusdc.1m", "{}").facts.record = std::move(fields);
  return *this;
}

AnyBatch& AnyBatch::record(const std::string& topic, const std::string& payload,
                           RecordFields fields) {
  add(topic, payload).facts.record = std::move(fields);
  return *this;
}

AnyBatch& AnyBatch::letter(DeadLetterFields fields, std::string_view payload) {
  add("signalbox.dead-letters", payload).facts.record = std::move(fields);
  return *this;
}

AnyBatch& AnyBatch::replayed(EventTime first_time) {
  Routed& routed = routed_.back();
  routed.is_replay = true;
  DeadLetter letter{.lane = "postgres",
                    .source = *routed.source,
                    .offset = routed.source_offset,
                    .timestamp = first_time,
                    .rejected_at = {},
                    .reject = {},
                    .key = {},
                    .payload = {}};
  memory_->messages.back().headers = dead_letter_headers(letter);
  return *this;
}

WriteBatch AnyBatch::get() {
  const auto expected = first_ == 0 ? std::nullopt : std::optional{fence_after(first_)};
  const auto next = first_ + static_cast<std::int64_t>(std::max<std::size_t>(routed_.size(), 1));
  moves_ = {{partition(), expected, fence_after(next)}};
  return {.messages = routed_, .moves = moves_, .received_at = open_time_at(Offset{1'000})};
}

std::string name_of(const WriteOutcome& outcome) {
  if (const auto* unknown = std::get_if<Unknown>(&outcome)) return "Unknown: " + unknown->why;
  if (const auto* away = std::get_if<Unavailable>(&outcome)) return "Unavailable: " + away->why;
  if (std::holds_alternative<Refused>(outcome)) return "Refused";
  if (std::holds_alternative<Committed>(outcome)) return "Committed";
  std::string text = "RowsRejected:";
  for (const RejectedRow& row : std::get<RowsRejected>(outcome).rows) {
    text += " " + std::to_string(row.index) + " " + std::string(name_of(row.reject.reason)) + " (" +
            row.reject.detail + ")";
  }
  return text;
}

}  // namespace signalbox
