#include "contract/redis_place.hpp"

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "adapters/resp.hpp"

namespace signalbox {
namespace {

using Type = RedisReply::Type;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using ReplyHandle = std::unique_ptr<redisReply, FreeReply>;

void append_texts(RedisReplies& replies, std::vector<std::string>& texts) {
  const RedisReply reply = replies.take();
  switch (reply.type) {
    case Type::Integer:
      texts.push_back(std::to_string(reply.integer));
      return;
    case Type::Nil:
      texts.emplace_back("(nil)");
      return;
    case Type::Array:
      for (std::int64_t i = 0; i < reply.integer; ++i) append_texts(replies, texts);
      return;
    case Type::Error:
    case Type::Status:
    case Type::Text:
      texts.emplace_back(reply.text);
      return;
  }
}

/// The value of `name=` in a line of CLIENT LIST.
std::string_view field_of(std::string_view line, std::string_view name) {
  const std::size_t at = (" " + std::string(line)).find(" " + std::string(name) + "=");
  if (at == std::string_view::npos) return {};
  const std::string_view rest = line.substr(at + name.size() + 1);
  return rest.substr(0, rest.find(' '));
}

template <typename Visit>
void for_each_client(RedisControl& control, Visit&& visit) {
  const std::string list = control.ask({"CLIENT", "LIST"});
  std::string_view rest = list;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    visit(rest.substr(0, end));
    if (end == std::string_view::npos) return;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace

RedisOptions redis_of_tests() {
  RedisOptions options;
  if (const char* host = std::getenv("REDIS_HOST")) options.host = host;
  const char* port = std::getenv("REDIS_PORT");
  options.port = static_cast<std::uint16_t>(port ? std::atoi(port) : 16379);
  return options;
}

RedisControl::RedisControl() : connection_(redis_of_tests()) {}

std::vector<std::string> RedisControl::ask_list(std::initializer_list<std::string_view> arguments) {
  std::string request;
  append_command(request, arguments);
  if (auto ready = connection_.ready(); !ready) throw std::runtime_error(ready.error());
  auto replies = connection_.call(request, 1);
  if (!replies) throw std::runtime_error(replies.error());
  std::vector<std::string> texts;
  append_texts(**replies, texts);
  return texts;
}

std::string RedisControl::ask(std::initializer_list<std::string_view> arguments) {
  std::string all;
  for (const std::string& text : ask_list(arguments)) all += (all.empty() ? "" : "\n") + text;
  return all;
}

std::vector<std::string> RedisControl::clients_named(std::string_view name) {
  std::vector<std::string> ids;
  for_each_client(*this, [&](std::string_view line) {
    if (field_of(line, "name") == name) ids.emplace_back(field_of(line, "id"));
  });
  return ids;
}

bool RedisControl::wait_for_paused_write(std::string_view name) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{2};
  while (std::chrono::steady_clock::now() < deadline) {
    bool paused = false;
    for_each_client(*this, [&](std::string_view line) {
      paused = paused || (field_of(line, "name") == name && field_of(line, "flags").contains('b'));
    });
    if (paused) return true;
    std::this_thread::yield();
  }
  return false;
}

void RedisControl::kill_clients(std::string_view name) {
  for (const std::string& id : clients_named(name)) ask({"CLIENT", "KILL", "ID", id});
}

void RedisControl::delete_keys(std::string_view pattern) {
  for (const std::string& key : ask_list({"KEYS", pattern})) ask({"DEL", key});
}

struct RedisSubscriber::Handle {
  redisContext* context = nullptr;

  ~Handle() {
    if (context != nullptr) redisFree(context);
  }
};

RedisSubscriber::RedisSubscriber(const std::string& pattern)
    : marker_("marker-" + unique_word()), handle_(std::make_unique<Handle>()) {
  const RedisOptions options = redis_of_tests();
  handle_->context = redisConnect(options.host.c_str(), options.port);
  if (handle_->context == nullptr || handle_->context->err != 0) {
    throw std::runtime_error("no Redis at " + options.host + ":" + std::to_string(options.port));
  }
  for (const std::string& name : {pattern, marker_}) {
    ReplyHandle{static_cast<redisReply*>(
        redisCommand(handle_->context, "PSUBSCRIBE %b", name.data(), name.size()))};
  }
}

RedisSubscriber::~RedisSubscriber() = default;

const std::vector<RedisSubscriber::Publication>& RedisSubscriber::received(RedisControl& control) {
  control.ask({"PUBLISH", marker_, "here"});
  read_until_marker();
  return publications_;
}

void RedisSubscriber::read_until_marker() {
  for (;;) {
    void* raw = nullptr;
    if (redisGetReply(handle_->context, &raw) != REDIS_OK) {
      throw std::runtime_error(handle_->context->errstr);
    }
    const ReplyHandle reply{static_cast<redisReply*>(raw)};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4) continue;
    const auto text = [&](std::size_t i) {
      return std::string(reply->element[i]->str, static_cast<std::size_t>(reply->element[i]->len));
    };
    if (text(2) == marker_) {
      if (text(1) == marker_) return;
      continue;  // the same marker once more, by the pattern of the test
    }
    publications_.push_back({text(2), text(3)});
  }
}

RedisPlace::RedisPlace(const std::string& word)
    : word_(word), subscriber_("roottrading:market:data:" + word + "*") {}

RedisPlace::~RedisPlace() { control_.delete_keys("signalbox:*" + word_ + "*"); }

RedisSinkOptions RedisPlace::options(const std::string& group) const {
  RedisSinkOptions options{.redis = redis_of_tests(), .group = group};
  options.redis.client_name = word_;
  return options;
}

std::unique_ptr<Sink> RedisPlace::make_sink(const std::string& group) {
  return std::make_unique<RedisSink>(options(group));
}

std::vector<Delivered> RedisPlace::delivered() {
  std::vector<Delivered> delivered;
  for (const auto& publication : subscriber_.received(control_)) {
    const auto routing = nlohmann::json::parse(publication.payload).at("_routing");
    delivered.push_back(
        {{routing.at("source_topic").get<std::string>(), routing.at("partition").get<int>()},
         Offset{routing.at("offset").get<std::int64_t>()}});
  }
  return delivered;
}

bool RedisPlace::break_connections() {
  control_.kill_clients(word_);
  return true;
}

}  // namespace signalbox
