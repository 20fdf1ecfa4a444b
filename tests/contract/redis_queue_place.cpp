#include "contract/redis_queue_place.hpp"

#include <openssl/evp.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace signalbox {
namespace {

std::string from_base64(const std::string& text) {
  std::string bytes(text.size() / 4 * 3 + 1, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) throw std::runtime_error("not base64");
  const auto padding = static_cast<std::size_t>(std::count(text.begin(), text.end(), '='));
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

}  // namespace

TakenTask read_element(const std::string& element) {
  const auto message = nlohmann::json::parse(element);
  const auto body = nlohmann::json::parse(from_base64(message.at("body").get<std::string>()));
  if (body.size() != 3) throw std::runtime_error("a body has three elements");
  const auto& kwargs = body.at(1);
  return {.task_id = message.at("headers").at("id").get<std::string>(),
          .pair = {parse_uuid(kwargs.at("pipeline_id").get<std::string>()).value(),
                   kwargs.at("symbol").get<std::string>()},
          .signal_key = kwargs.at("signal_context").at("signal_id").get<std::string>(),
          .is_backtest = kwargs.at("mode").get<std::string>() == "backtest"};
}

RedisQueuePlace::RedisQueuePlace(const ClaimRules& rules) : rules_(rules) {
  for (const int database : {kResultsDatabase, kQueueDatabase}) {
    control_.ask({"SELECT", std::to_string(database)});
    control_.ask({"FLUSHDB"});
  }
}

RedisTaskQueueOptions RedisQueuePlace::options() const {
  RedisTaskQueueOptions options{.redis = redis_of_tests(), .group = "queue-tests", .rules = rules_};
  options.redis.database = kQueueDatabase;
  options.redis.client_name = "queue-tests";
  return options;
}

std::unique_ptr<TaskQueue> RedisQueuePlace::make_queue() {
  return std::make_unique<RedisTaskQueue>(options());
}

std::optional<TakenTask> RedisQueuePlace::take() {
  for (const char* queue : {"celery", "backtest_pipeline_execution"}) {
    const std::string element = control_.ask({"RPOP", queue});
    if (element != "(nil)") return read_element(element);
  }
  return std::nullopt;
}

void RedisQueuePlace::finish(const TakenTask& task) {
  control_.ask({"SET", "celery-task-meta-" + task.task_id,
                R"({"status": "SUCCESS", "result": {"status": "skipped"}, "traceback": null})"});
}

std::vector<PairOutcome> RedisQueuePlace::outcomes() {
  std::vector<PairOutcome> outcomes;
  const auto texts = control_.ask_list({"XRANGE", "signalbox:trigger:outcomes", "-", "+"});
  for (std::size_t i = 0; i + 4 < texts.size(); i += 5) {  // id, two names, two values
    const auto pairs = nlohmann::json::parse(texts[i + 2]);
    const std::string& letters = texts[i + 4];
    std::size_t letter = 0;
    for (const auto& group : pairs) {
      for (std::size_t k = 1; k < group.size(); ++k) {
        const auto name = group.at(k).get<std::string>();
        const auto pair = read_pair_name(name).value();
        outcomes.push_back({group.at(0).get<std::string>(),
                            {pair.pipeline, std::string(pair.ticker)},
                            outcome_from(letters.at(letter++)).value()});
      }
    }
    EXPECT_EQ(letter, letters.size());
  }
  return outcomes;
}

}  // namespace signalbox
