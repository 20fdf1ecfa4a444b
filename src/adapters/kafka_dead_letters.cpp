#include "adapters/kafka_dead_letters.hpp"

#include <array>
#include <utility>

#include <openssl/evp.h>

#include "ports/io_error.hpp"

namespace signalbox {
namespace {

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return {};
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4U];
    hex += kDigits[digest[i] & 0xFU];
  }
  return hex;
}

}  // namespace

KafkaDeadLetters::KafkaDeadLetters(KafkaDeadLettersOptions options)
    : options_(std::move(options)),
      producer_(
          {.connection = options_.connection, .delivery_timeout = options_.delivery_timeout}) {}

void KafkaDeadLetters::put(std::span<const DeadLetter> letters) {
  if (letters.empty()) return;
  if (!topic_is_there_) make_topic();
  for (const DeadLetter& letter : letters) {
    std::vector<Header> headers = dead_letter_headers(letter);
    std::optional<std::string_view> payload;
    if (letter.payload.data()) payload = letter.payload.substr(0, kDeadLetterPayloadMax);
    if (letter.payload.size() > kDeadLetterPayloadMax) {
      headers.push_back(
          {std::string(kDeadLetterSizeHeader), std::to_string(letter.payload.size())});
      headers.push_back({std::string(kDeadLetterSha256Header), sha256_hex(letter.payload)});
    }
    producer_.produce({.topic = options_.topic,
                       .key = dead_letter_key(letter),
                       .payload = payload,
                       .headers = headers});
  }
  producer_.flush();
}

void KafkaDeadLetters::make_topic() {
  producer_.ensure_topic({.name = options_.topic});
  topic_is_there_ = true;
}

}  // namespace signalbox
