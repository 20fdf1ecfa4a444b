#include "adapters/pipeline_row.hpp"

#include <unordered_set>
#include <utility>

#include <nlohmann/json.hpp>

#include "adapters/json_text.hpp"
#include "domain/signal_timeframe.hpp"

namespace signalbox {
namespace {

using nlohmann::json;

template <typename T>
using Read = std::expected<T, std::string>;

std::unexpected<std::string> wrong(const std::string& where, const json& found,
                                   const std::string& expected) {
  std::string text = found.dump(-1, ' ', false, json::error_handler_t::replace);
  return std::unexpected("`" + where + "` is " + excerpt(text) + "; " + expected + " expected");
}

/// Null where the column is; the error for a text that is no JSON.
Read<json> parse(const std::string& where, const std::optional<std::string>& text) {
  if (!text) return json{};
  json value = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_discarded()) return value;
  return std::unexpected("`" + where + "` is no JSON: " + excerpt(*text));
}

/// What Python takes for false.
bool is_falsy(const json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number()) return value.get<double>() == 0;
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value.empty();  // null is, and so are containers without content
}

/// The texts of a list, each once. Other scalars name no ticker; a list in a list is a mistake.
Read<std::vector<std::string>> read_tickers(const std::string& where, const json& list) {
  std::vector<std::string> tickers;
  if (is_falsy(list)) return tickers;
  if (!list.is_array()) return wrong(where, list, "a list of tickers is");
  std::unordered_set<std::string> seen;
  for (const json& element : list) {
    if (element.is_structured()) return wrong(where, element, "a ticker is");
    if (!element.is_string()) continue;
    const auto& ticker = element.get_ref<const std::string&>();
    if (!ticker.empty() && seen.insert(ticker).second) tickers.push_back(ticker);
  }
  return tickers;
}

Read<std::vector<std::string>> tickers_of(const PipelineRow& row) {
  const Read<json> config = parse("scanners.config", row.scanner_config);
  if (!config) return std::unexpected(config.error());
  if (is_falsy(*config)) {
    const Read<json> list = parse("scanner_tickers", row.scanner_tickers);
    if (!list) return std::unexpected(list.error());
    return read_tickers("scanner_tickers", *list);
  }
  if (!config->is_object()) return wrong("scanners.config", *config, "an object is");
  const auto tickers = config->find("tickers");
  if (tickers == config->end()) return std::vector<std::string>{};
  return read_tickers("scanners.config.tickers", *tickers);
}

/// A text or a number; empty when missing.
Read<std::string> timeframe_of(const json& subscription) {
  const auto found = subscription.find("timeframe");
  if (found == subscription.end() || found->is_null()) return std::string{};
  if (found->is_number_integer()) {
    return std::string{canonical_signal_timeframe(found->dump())};
  }
  if (!found->is_string()) return wrong("timeframe", *found, "a text is");
  return std::string{canonical_signal_timeframe(found->get_ref<const std::string&>())};
}

Read<Subscription> read_subscription(const json& element) {
  if (!element.is_object()) return wrong("signal_subscriptions", element, "an object is");
  const json type = element.value("signal_type", json{});
  if (!type.is_string()) return wrong("signal_type", type, "a text is");
  const json confidence = element.value("min_confidence", json{});
  if (!confidence.is_null() && !confidence.is_number()) {
    return wrong("min_confidence", confidence, "a number is");
  }
  Read<std::string> timeframe = timeframe_of(element);
  if (!timeframe) return std::unexpected(timeframe.error());
  Subscription subscription{.signal_type = type.get<std::string>(),
                            .timeframe = *std::move(timeframe),
                            .min_confidence = {}};
  if (!confidence.is_null()) subscription.min_confidence = confidence.get<double>();
  return subscription;
}

/// A subscription that cannot be read spoils the row: without it the others would let less in, and
/// none of them everything.
Read<std::vector<Subscription>> subscriptions_of(const PipelineRow& row) {
  std::vector<Subscription> subscriptions;
  const Read<json> list = parse("signal_subscriptions", row.subscriptions);
  if (!list) return std::unexpected(list.error());
  if (is_falsy(*list)) return subscriptions;
  if (!list->is_array()) return wrong("signal_subscriptions", *list, "a list is");
  for (const json& element : *list) {
    Read<Subscription> subscription = read_subscription(element);
    if (!subscription) return std::unexpected(subscription.error());
    subscriptions.push_back(*std::move(subscription));
  }
  return subscriptions;
}

Read<std::optional<BusyRule>> busy_rule_of(const PipelineRow& row) {
  const Read<json> ours = parse("config.signalbox", row.signalbox);
  if (!ours) return std::unexpected(ours.error());
  if (ours->is_null()) return std::nullopt;
  if (!ours->is_object()) return wrong("config.signalbox", *ours, "an object is");
  const json when = ours->value("when_busy", json{});
  if (when.is_null()) return std::nullopt;
  if (when == "skip") return BusyRule{.policy = BusyPolicy::Skip, .slots = 0};
  if (when == "keep_latest") return BusyRule{.policy = BusyPolicy::KeepLatest, .slots = 1};
  if (when.is_object()) {
    const json slots = when.value("queue", json{});
    if (slots.is_number_integer() && slots >= 1 && slots <= kQueueSlotsMax) {
      return BusyRule{.policy = BusyPolicy::Queue, .slots = slots.get<std::uint16_t>()};
    }
  }
  return wrong(
      "config.signalbox.when_busy", when,
      R"("skip", "keep_latest" or {"queue": 1 to )" + std::to_string(kQueueSlotsMax) + "} is");
}

}  // namespace

std::expected<std::optional<std::string>, std::string> signalbox_key(std::string_view config) {
  const Read<json> object = parse("config", std::string(config));
  if (!object) return std::unexpected(object.error());
  if (!object->is_object()) return std::nullopt;
  const auto found = object->find("signalbox");
  if (found == object->end()) return std::nullopt;
  return found->dump(-1, ' ', false, json::error_handler_t::replace);
}

std::expected<std::optional<Pipeline>, std::string> read_pipeline(const PipelineRow& row) {
  const std::optional<Uuid> id = parse_uuid(row.id);
  if (!id) return std::unexpected("`id` is " + excerpt(row.id) + "; a UUID is expected");
  Pipeline pipeline{
      .id = *id, .user = {}, .name = row.name, .tickers = {}, .subscriptions = {}, .busy = {}};
  if (row.user) {
    pipeline.user = parse_uuid(*row.user);
    if (!pipeline.user) {
      return std::unexpected("`user_id` is " + excerpt(*row.user) + "; a UUID is expected");
    }
  }
  Read<std::vector<std::string>> tickers = tickers_of(row);
  if (!tickers) return std::unexpected(tickers.error());
  if (tickers->empty()) return std::nullopt;
  Read<std::vector<Subscription>> subscriptions = subscriptions_of(row);
  if (!subscriptions) return std::unexpected(subscriptions.error());
  Read<std::optional<BusyRule>> busy = busy_rule_of(row);
  if (!busy) return std::unexpected(busy.error());
  pipeline.tickers = *std::move(tickers);
  pipeline.subscriptions = *std::move(subscriptions);
  pipeline.busy = *busy;
  return pipeline;
}

}  // namespace signalbox
