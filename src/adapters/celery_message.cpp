#include "adapters/celery_message.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "base/text.hpp"
#include "domain/number_text.hpp"
#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

/// The namespace of our task ids: 5f2b6f0e-7d0a-5c60-9f0e-0d2f3d1c6b11.
constexpr std::array<std::uint8_t, 16> kNamespace{0x5f, 0x2b, 0x6f, 0x0e, 0x7d, 0x0a, 0x5c, 0x60,
                                                  0x9f, 0x0e, 0x0d, 0x2f, 0x3d, 0x1c, 0x6b, 0x11};

/// What a task may hold at most: no signal makes one that a worker or Redis chokes on.
constexpr std::size_t kNameMax = 4'096;
constexpr std::size_t kReasoningMax = 16'384;
constexpr std::size_t kScalarMax = 128;

/// What the original sends where a ticker says nothing of its confidence.
constexpr std::string_view kMissingConfidence = "50.0";

constexpr std::string_view kEmbed =
    R"(, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}])";

/// Cut between characters.
std::string_view at_most(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

void append_name(std::string& out, std::string_view text) {
  append_json_string(out, at_most(text, kNameMax));
}

std::string_view confidence_of(const SignalTicker& ticker) {
  const std::string_view text = ticker.confidence_text;
  const bool is_fit = ticker.confidence && text.size() <= kScalarMax &&
                      number_shape(text) != NumberShape::NotANumber;
  return is_fit ? text : kMissingConfidence;
}

/// A time must be there: a worker's model takes no null. Without one, it is the log's.
void append_timestamp(std::string& out, const TaskRequest& request) {
  const std::string_view text = request.signal->timestamp;
  if (!text.empty() && text.size() <= kScalarMax) {
    out += text;
    return;
  }
  append_integer(
      out, std::chrono::floor<std::chrono::seconds>(request.signal_logged_at.time_since_epoch())
               .count());
}

/// The sender's metadata with what it said of this ticker, under a key of ours. Of equal keys
/// Python keeps the last, so ours counts.
void append_metadata(std::string& out, const TradingSignal& signal, const SignalTicker& ticker) {
  std::string_view metadata = signal.metadata;
  const std::size_t brace = metadata.rfind('}');
  const std::string_view members =
      brace == std::string_view::npos ? std::string_view{"{"} : metadata.substr(0, brace);
  out += members;
  const std::size_t last = members.find_last_not_of(" \t\r\n");
  if (last == std::string_view::npos || members[last] != '{') out += ", ";
  out += R"("signalbox": {"bias": )";
  append_name(out, ticker.bias);
  out += R"(, "confidence": )";
  out += ticker.confidence ? confidence_of(ticker) : std::string_view{"null"};
  out += R"(, "reasoning": )";
  const bool has_reasoning = !ticker.reasoning.empty() && ticker.reasoning.size() <= kReasoningMax;
  out += has_reasoning ? ticker.reasoning : std::string_view{"null"};
  out += "}}";
}

/// The keyword arguments of the original's task, appended as a JSON object.
void append_kwargs(std::string& json, const TaskRequest& request) {
  const TradingSignal& signal = *request.signal;
  const SignalTicker& ticker = signal.tickers[request.ticker];
  json += R"({"pipeline_id": ")";
  json += to_text(request.pipeline);
  json += R"(", "user_id": ")";
  json += to_text(request.user);
  json += R"(", "symbol": )";
  append_name(json, ticker.ticker);
  json += request.is_backtest ? R"(, "mode": "backtest", "signal_context": {"signal_id": )"
                              : R"(, "mode": "paper", "signal_context": {"signal_id": )";
  append_name(json, request.signal_key);
  json += R"(, "signal_type": )";
  append_name(json, signal.type);
  json += R"(, "source": )";
  append_name(json, signal.source);
  json += R"(, "timestamp": )";
  append_timestamp(json, request);
  json += R"(, "tickers": [)";
  append_name(json, ticker.ticker);
  json += R"(], "confidence": )";
  json += confidence_of(ticker);
  json += R"(, "metadata": )";
  append_metadata(json, signal, ticker);
  json += "}}";
}

std::string uuid_text(std::span<const std::uint8_t, 16> bytes, std::uint8_t version) {
  Uuid uuid;
  std::ranges::copy(bytes, uuid.bytes.begin());
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0FU) | unsigned{version} << 4U);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3FU) | 0x80U);
  return to_text(uuid);
}

/// A good mixer of 64 bits (the finaliser of MurmurHash3): no two counts give the same.
std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 33U;
  value *= 0xFF51AFD7ED558CCDULL;
  value ^= value >> 33U;
  value *= 0xC4CEB9FE1A85EC53ULL;
  return value ^ value >> 33U;
}

}  // namespace

struct CeleryMessages::Sha1 {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
  };
  std::unique_ptr<EVP_MD, Free> digest{EVP_MD_fetch(nullptr, "SHA1", nullptr)};
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};

  Sha1() {
    if (!digest || !context) throw IoError("openssl", "no SHA-1: task ids cannot be computed");
  }

  std::array<std::uint8_t, 20> of(std::initializer_list<std::string_view> parts) {
    std::array<std::uint8_t, 20> result{};
    bool is_good = EVP_DigestInit_ex2(context.get(), digest.get(), nullptr) == 1;
    for (const std::string_view part : parts) {
      is_good = is_good && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
    }
    unsigned size = 0;
    is_good = is_good && EVP_DigestFinal_ex(context.get(), result.data(), &size) == 1;
    if (!is_good) throw IoError("openssl", "SHA-1 failed");
    return result;
  }
};

CeleryMessages::CeleryMessages(CeleryOptions options)
    : options_(std::move(options)), sha1_(std::make_unique<Sha1>()) {
  unsigned char seed[sizeof random_];
  if (RAND_bytes(seed, sizeof seed) != 1) throw IoError("openssl", "no random numbers");
  std::memcpy(random_, seed, sizeof seed);
  reply_to_ = delivery_tag();
}

CeleryMessages::~CeleryMessages() = default;

std::string CeleryMessages::task_id(std::string_view signal_key, const Uuid& pipeline,
                                    std::string_view ticker) {
  std::array<char, kNamespace.size()> space;
  std::memcpy(space.data(), kNamespace.data(), kNamespace.size());
  const auto hash =
      sha1_->of({{space.data(), space.size()}, signal_key, "|", to_text(pipeline), "|", ticker});
  return uuid_text(std::span{hash}.first<16>(), 5);
}

std::string CeleryMessages::digest(std::string_view signal_key) {
  const auto hash = sha1_->of({signal_key});
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), hash.data(), bytes.size());
  return bytes;
}

std::string CeleryMessages::delivery_tag() {
  ++random_[1];
  const std::uint64_t halves[2]{mixed(random_[0] + random_[1]), mixed(random_[0] ^ random_[1])};
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), halves, bytes.size());
  return uuid_text(bytes, 4);
}

std::string_view CeleryMessages::kwargs(const TaskRequest& request) {
  arguments_.clear();
  append_kwargs(arguments_, request);
  return arguments_;
}

/// `[args, kwargs, embed]` in base64.
std::string_view CeleryMessages::body(const TaskRequest& request) {
  std::string& json = arguments_;
  json = "[[], ";
  append_kwargs(json, request);
  json += kEmbed;
  encoded_.resize((json.size() + 2) / 3 * 4 + 1);  // and the zero that OpenSSL adds
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded_.data()),
                                   reinterpret_cast<const unsigned char*>(json.data()),
                                   static_cast<int>(json.size()));
  return std::string_view{encoded_}.substr(0, static_cast<std::size_t>(size));
}

std::size_t CeleryMessages::append(std::string& out, const TaskRequest& request,
                                   const Stamp& stamp) {
  const std::size_t begin = out.size();
  out += R"({"body": ")";
  out += body(request);
  out += R"(", "content-encoding": "utf-8", "content-type": "application/json", )"
         R"("headers": {"lang": "py", "task": )";
  append_json_string(out, options_.task_name);
  out += R"(, "id": ")";
  out += stamp.task_id;
  out += R"(", "shadow": null, "eta": null, "expires": ")";
  const std::size_t expires_at = out.size() - begin;
  out += stamp.expires;
  out += R"(", "group": null, "group_index": null, "retries": 0, "timelimit": [null, null], )"
         R"("root_id": ")";
  out += stamp.task_id;
  out += R"json(", "parent_id": null, "argsrepr": "()", "kwargsrepr": "{'pipeline_id': ')json";
  out += to_text(request.pipeline);
  out += R"('}", "origin": )";
  append_json_string(out, options_.origin);
  out += R"(, "ignore_result": false, "stamped_headers": null, "stamps": {}}, )"
         R"("properties": {"correlation_id": ")";
  out += stamp.task_id;
  out += R"(", "reply_to": ")";
  out += reply_to_;
  out += R"(", "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": )";
  append_json_string(out, options_.queue_of(request));
  out += R"(}, "priority": 0, "body_encoding": "base64", "delivery_tag": ")";
  out += stamp.delivery_tag;
  out += R"("}})";
  return expires_at;
}

}  // namespace signalbox
