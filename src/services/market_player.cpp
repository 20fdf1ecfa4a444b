#include "services/market_player.hpp"

#include <algorithm>
#include <deque>
#include <iterator>

#include "base/check.hpp"
#include "base/log.hpp"
#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {

MarketPlayer::MarketPlayer(Io io, std::span<const RecordedCandle> candles,
                           MarketPlayerOptions options)
    : io_(io), candles_(candles), options_(options) {
  SB_CHECK(!candles_.empty());
  const RecordedCandle& last = candles_.back();
  const EventTime end = last.open_time + length_of(last.timeframe);
  length_ = end - candles_.front().open_time;
  if (end < options_.times_stay_before) {
    rounds_max_ = 1 + static_cast<std::uint64_t>((options_.times_stay_before - end) / length_);
  }
}

void MarketPlayer::run(std::stop_token stop) {
  Backoff backoff{options_.backoff, /*seed=*/1};
  while (!stop.stop_requested()) {
    const auto began = io_.clock.steady_now();
    if (step() == Step::Failed) {
      io_.clock.wait(backoff.next(), stop);
      continue;
    }
    backoff.reset();
    const auto spent =
        std::chrono::floor<std::chrono::milliseconds>(io_.clock.steady_now() - began);
    if (spent < options_.pace) io_.clock.wait(options_.pace - spent, stop);
  }
}

Step MarketPlayer::step() {
  try {
    if (!played_ && !find_place()) return Step::Idle;
    play();
    return Step::Done;
  } catch (const IoError& error) {
    log_warn_limited("player", "market_player_failed", {{"error", error.what()}});
    status_.with([&](MarketPlayerStatus& status) { status.last_error = error.what(); });
    return Step::Failed;
  }
}

/// The last message of the player's topic says where an earlier run stopped. A log without the
/// topic has never been played to. False: the partition is not assigned to us yet.
bool MarketPlayer::find_place() {
  constexpr std::chrono::milliseconds kWait{100};
  const std::vector<TopicPartition> partitions = io_.places.all_partitions();
  if (partitions.empty()) {
    played_ = 0;
    return true;
  }
  const TopicPartition& partition = partitions.front();
  const auto ranges = io_.places.ranges(partitions);
  const auto range = ranges.find(partition);
  if (range == ranges.end() || range->second.end == range->second.begin) {
    played_ = 0;
    return true;
  }
  if (!io_.places.owns(partition)) {
    static_cast<void>(io_.places.poll({}, kWait));
    return false;
  }
  if (!io_.places.begin(partition, Offset{range->second.end.value - 1})) return false;
  const Polled polled = io_.places.poll({}, kWait);
  if (polled.batch.empty()) return false;
  const std::string_view place = polled.batch.runs.back().messages.back().payload;
  played_ = integer_from<std::uint64_t>(place).value_or(0);
  log_info("market_player_resumed", {{"played", *played_}});
  return true;
}

/// The candles from the player's place on that have one open time.
std::span<const RecordedCandle> MarketPlayer::next_candles() const {
  const std::span rest = candles_.subspan(static_cast<std::size_t>(*played_ % candles_.size()));
  const auto end = std::ranges::find_if(rest, [&](const RecordedCandle& candle) {
    return candle.open_time != rest.front().open_time;
  });
  return {rest.begin(), end};
}

std::chrono::milliseconds MarketPlayer::shift_of(std::uint64_t round) const {
  return length_ * static_cast<std::int64_t>(round % rounds_max_);
}

/// After a start, after a failure, and where the recording begins again.
void MarketPlayer::take_signals_to_place() {
  const auto heard = static_cast<std::size_t>(*played_ % candles_.size());
  if (signals_are_at_place_ && heard > 0) return;
  io_.signals->begin_after(candles_.first(heard));
}

void MarketPlayer::play() {
  if (io_.signals != nullptr) take_signals_to_place();
  signals_are_at_place_ = false;
  const std::uint64_t round = *played_ / candles_.size();
  const ReceivedAt now = io_.clock.now();
  const EventTime timestamp = std::chrono::floor<std::chrono::milliseconds>(now);
  std::deque<std::string> texts;  // that the messages point into
  std::vector<OutgoingMessage> messages;
  std::vector<MadeSignal> signals;
  EventTime open_time{};
  std::uint64_t played = *played_;
  for (RecordedCandle candle : next_candles()) {
    open_time = candle.open_time += shift_of(round);
    messages.push_back({.topic = texts.emplace_back(topic_of(candle)),
                        .key = candle.symbol,
                        .payload = texts.emplace_back(live_payload(candle, now)),
                        .timestamp = timestamp});
    ++played;
    if (io_.signals != nullptr)
      std::ranges::move(io_.signals->hear(candle, round), std::back_inserter(signals));
  }
  for (const MadeSignal& signal : signals) {
    messages.push_back({.topic = kSignalTopic,
                        .key = signal.key,
                        .payload = signal.payload,
                        .timestamp = timestamp});
  }
  messages.push_back({.topic = kPlayerTopic,
                      .key = "played",
                      .payload = texts.emplace_back(std::to_string(played)),
                      .timestamp = timestamp});
  io_.producer.produce(messages);
  played_ = played;
  signals_are_at_place_ = true;
  status_.with([&](MarketPlayerStatus& status) {
    status.played = played;
    status.round = round;
    status.open_time = open_time;
    status.signals += signals.size();
    if (!signals.empty()) status.last_signal = signals.back().title;
    status.last_error.clear();
  });
}

}  // namespace signalbox
