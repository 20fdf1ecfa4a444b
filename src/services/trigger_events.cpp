#include "services/trigger_events.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"

namespace signalbox {
namespace {

const TradingSignal& signal_of(const Routed& routed) {
  return *std::get<std::shared_ptr<const TradingSignal>>(routed.facts.record);
}

}  // namespace

void log_signals_received(const WriteBatch& batch) {
  if (!log_enabled(LogLevel::Debug)) return;
  for (const Routed& routed : batch.messages) {
    const TradingSignal& signal = signal_of(routed);
    std::vector<std::string_view> tickers;
    for (const SignalTicker& ticker : signal.tickers) tickers.push_back(ticker.ticker);
    log_debug("signal_received", {{"signal_id", signal.id},
                                  {"signal_type", signal.type},
                                  {"tickers", LogValue::Texts{tickers}}});
  }
}

void log_processing(const WriteBatch& batch) {
  if (!log_enabled(LogLevel::Info)) return;
  std::vector<std::string_view> ids;
  ids.reserve(batch.messages.size());
  for (const Routed& routed : batch.messages) ids.push_back(signal_of(routed).id);
  log_info("processing_signal_batch",
           {{"batch_size", batch.messages.size()}, {"signal_ids", LogValue::Texts{ids}}});
}

void log_matched(const TaskRequest& request) {
  if (!log_enabled(LogLevel::Debug)) return;
  const std::string_view ticker = request.signal->tickers[request.ticker].ticker;
  log_debug("signal_matched_to_pipeline", {{"signal_id", request.signal_key},
                                           {"pipeline_id", to_text(request.pipeline)},
                                           {"pipeline_name", request.pipeline_name},
                                           {"matched_tickers", LogValue::Texts{&ticker, 1}},
                                           {"signal_type", request.signal->type}});
}

void log_enqueued(const TaskRequest& request, std::string_view task_id) {
  log_info("pipeline_execution_enqueued",
           {{"pipeline_id", to_text(request.pipeline)},
            {"pipeline_name", request.pipeline_name},
            {"user_id", to_text(request.user)},
            {"ticker", request.signal->tickers[request.ticker].ticker},
            {"signal_type", request.signal->type},
            {"mode", request.is_backtest ? "backtest" : "paper"},
            {"signal_id", request.signal_key},
            {"task_id", task_id}});
}

void log_enqueued_after_waiting(const HeldTask& held, std::string_view task_id) {
  log_info("pipeline_execution_enqueued", {{"pipeline_id", to_text(held.pipeline)},
                                           {"ticker", held.ticker},
                                           {"signal_id", held.signal_key},
                                           {"task_id", task_id},
                                           {"held", true}});
}

void log_batch_completed(const BatchResult& result) {
  log_info("batch_enqueue_completed", {{"enqueued", result.enqueued},
                                       {"skipped_running", result.skipped_running},
                                       {"total_matched", result.total_matched}});
}

}  // namespace signalbox
