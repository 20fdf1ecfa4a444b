#include "adapters/celery_ping.hpp"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>

#include <openssl/evp.h>

#include "adapters/resp.hpp"
#include "domain/uuid.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using nlohmann::json;

constexpr const char* kReplyExchange = "reply.celery.pidbox";

std::string random_uuid() {
  std::random_device device;
  Uuid uuid;
  for (std::uint8_t& byte : uuid.bytes) byte = static_cast<std::uint8_t>(device());
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0FU) | 0x40U);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3FU) | 0x80U);
  return to_text(uuid);
}

std::string base64(const std::string& text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(length));
  return encoded;
}

std::string unbase64(const std::string& text) {
  std::string decoded(text.size(), '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return {};
  // The padding decodes to zero bytes, which JSON text has none of.
  decoded.resize(static_cast<std::size_t>(length));
  while (!decoded.empty() && decoded.back() == '\0') decoded.pop_back();
  return decoded;
}

/// A broadcast message of kombu's pidbox, as its Redis transport publishes it.
std::string ping_message(const std::string& ticket, double expires_at) {
  const json body{{"method", "ping"},
                  {"arguments", json::object()},
                  {"destination", nullptr},
                  {"pattern", nullptr},
                  {"matcher", nullptr},
                  {"ticket", ticket},
                  {"reply_to", {{"exchange", kReplyExchange}, {"routing_key", ticket}}}};
  const json message{{"body", base64(body.dump())},
                     {"content-encoding", "utf-8"},
                     {"content-type", "application/json"},
                     {"headers", {{"clock", 1}, {"expires", expires_at}}},
                     {"properties",
                      {{"delivery_mode", 2},
                       {"delivery_info", {{"exchange", "celery.pidbox"}, {"routing_key", ""}}},
                       {"priority", 0},
                       {"body_encoding", "base64"},
                       {"delivery_tag", random_uuid()}}}};
  return message.dump();
}

/// Names of the workers in one reply: `{"celery@host": {"ok": "pong"}}`.
void add_names(const std::string& envelope, std::vector<std::string>& names) {
  const json message = json::parse(envelope, nullptr, false);
  if (!message.is_object() || !message.contains("body") || !message["body"].is_string()) return;
  const json body = json::parse(unbase64(message["body"].get<std::string>()), nullptr, false);
  if (!body.is_object()) return;
  for (const auto& [name, answer] : body.items()) names.push_back(name);
}

class Control {
 public:
  explicit Control(const RedisOptions& broker) : connection_(broker) {}

  RedisReply call(const std::vector<std::string_view>& words) {
    if (auto opened = connection_.ready(); !opened) throw IoError("redis", opened.error());
    std::string request;
    append_command_head(request, words.size());
    for (const std::string_view word : words) append_argument(request, word);
    const auto replies = connection_.call(request, 1);
    if (!replies) throw IoError("redis", replies.error());
    replies_ = *replies;
    return replies_->take();
  }

  RedisReply next() { return replies_->take(); }

 private:
  RedisConnection connection_;
  RedisReplies* replies_ = nullptr;
};

}  // namespace

std::vector<std::string> ping_workers(const RedisOptions& broker, std::chrono::seconds wait) {
  const std::string ticket = random_uuid();
  const std::string queue = ticket + "." + kReplyExchange;
  const std::string bindings = std::string("_kombu.binding.") + kReplyExchange;
  const std::string binding = ticket + "\x06\x16\x06\x16" + queue;
  const std::string channel = "/" + std::to_string(broker.database) + ".celery.pidbox";
  const auto now = std::chrono::system_clock::now();
  const double expires =
      std::chrono::duration<double>((now + wait + std::chrono::seconds{5}).time_since_epoch())
          .count();
  Control control{broker};
  control.call({"SADD", bindings, binding});
  const std::int64_t receivers =
      control.call({"PUBLISH", channel, ping_message(ticket, expires)}).integer;
  std::vector<std::string> names;
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (std::ssize(names) < receivers && std::chrono::steady_clock::now() < deadline) {
    const RedisReply reply = control.call({"BRPOP", queue, "1"});
    if (reply.type != RedisReply::Type::Array || reply.integer != 2) continue;
    control.next();
    add_names(std::string(control.next().text), names);
  }
  control.call({"SREM", bindings, binding});
  control.call({"DEL", queue});
  return names;
}

}  // namespace signalbox
