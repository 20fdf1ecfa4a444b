#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "domain/claim.hpp"

namespace signalbox {

/// Builds batches of claims for tests, and owns what they borrow.
class ClaimBatchBuilder {
 public:
  struct Ask {
    std::string signal;  ///< requests of one name that follow each other are of one message
    int pipeline = 0;
    std::string ticker = "AAPL";
    BusyRule busy{};
    bool is_running = false;
    bool is_backtest = false;
    bool is_repeat_checked = true;
  };

  static Uuid pipeline_id(int number) {
    Uuid id;
    id.bytes[0] = 0xAA;
    id.bytes[14] = static_cast<std::uint8_t>(number / 256);
    id.bytes[15] = static_cast<std::uint8_t>(number % 256);
    return id;
  }

  /// Begins another message, even if the next ask names the same signal.
  ClaimBatchBuilder& next_message() {
    is_new_message_ = true;
    return *this;
  }

  ClaimBatchBuilder& ask(const Ask& ask) {
    if (is_new_message_ || messages_.empty() || messages_.back().name != ask.signal) {
      messages_.push_back(Message{.name = ask.signal, .signal = {}, .tickers = {}});
      Message& message = messages_.back();
      message.signal.id = message.name;
      message.signal.type = "golden_cross";
      message.signal.source = "golden_cross_generator";
      message.signal.timestamp = "1733407800";
      message.signal.metadata = R"({"timeframe": "D"})";
      is_new_message_ = false;
    }
    Message& message = messages_.back();
    const std::string& ticker = message.tickers.emplace_back(ask.ticker);
    message.signal.tickers.push_back({.ticker = ticker,
                                      .bias = "BULLISH",
                                      .confidence = 85.0,
                                      .confidence_text = "85.0",
                                      .reasoning = {}});
    requests_.push_back(
        {.pipeline = pipeline_id(ask.pipeline),
         .user = pipeline_id(60'000),
         .pipeline_name = "pipeline",
         .signal = &message.signal,
         .ticker = static_cast<std::uint32_t>(message.signal.tickers.size() - 1),
         .signal_key = message.name,
         .signal_logged_at = EventTime{std::chrono::milliseconds{1'733'407'800'000}},
         .busy = ask.busy,
         .is_running = ask.is_running,
         .is_backtest = ask.is_backtest,
         .is_repeat_checked = ask.is_repeat_checked});
    return *this;
  }

  ClaimBatchBuilder& settle(int pipeline, const std::string& ticker, const std::string& signal,
                            TriggerOutcome outcome) {
    const std::string& owned_ticker = texts_.emplace_back(ticker);
    const std::string& owned_signal = texts_.emplace_back(signal);
    settled_.push_back({pipeline_id(pipeline), owned_ticker, owned_signal, outcome});
    return *this;
  }

  ClaimBatchBuilder& move(TopicPartition partition, std::optional<Fence> expected, Fence next) {
    moves_.push_back({std::move(partition), std::move(expected), std::move(next)});
    return *this;
  }

  ClaimBatchBuilder& cut(Cut cut) {
    cut_ = std::move(cut);
    return *this;
  }

  /// Valid until the builder changes or dies.
  ClaimBatch batch() const {
    return {.requests = requests_,
            .settled = settled_,
            .moves = moves_,
            .cut = cut_,
            .database_now = DatabaseTime{std::chrono::microseconds{1'733'407'800'123'456}}};
  }

 private:
  struct Message {
    std::string name;
    TradingSignal signal;
    std::deque<std::string> tickers;
  };

  std::deque<Message> messages_;
  std::deque<std::string> texts_;
  std::vector<TaskRequest> requests_;
  std::vector<SettledPair> settled_;
  std::vector<FenceMove> moves_;
  std::optional<Cut> cut_;
  bool is_new_message_ = false;
};

}  // namespace signalbox
