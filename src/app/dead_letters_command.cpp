// `signalbox dead-letters list|show|replay`: what was refused, and a second try for it.

#include <cstdio>

#include "adapters/dead_letter_store.hpp"
#include "adapters/kafka_producer.hpp"
#include "app/command.hpp"
#include "app/dispatcher_parts.hpp"
#include "app/operator_config.hpp"
#include "app/service_main.hpp"
#include "domain/dead_letter.hpp"
#include "domain/text.hpp"

namespace signalbox {
namespace {

using Loading = Loaded<OperatorConfigOf<kDeadLettersCommand>>;

int refuse(const std::string& why) {
  std::fprintf(stderr, "signalbox dead-letters: %s\n", why.c_str());
  return exit_status::kConfiguration;
}

/// `lane|topic|partition|offset`, as list prints it.
std::optional<DeadLetterPlace> place_of(std::string_view key) {
  std::vector<std::string> parts;
  for_each_part(key, '|', [&](std::string_view part) { parts.emplace_back(part); });
  if (parts.size() != 4) return std::nullopt;
  const auto partition = integer_from<std::int32_t>(parts[2]);
  const auto offset = integer_from<std::int64_t>(parts[3]);
  if (!partition || !offset) return std::nullopt;
  return DeadLetterPlace{parts[0], {parts[1], *partition}, Offset{*offset}};
}

std::string key_of(const StoredLetter& row) {
  return row.place.lane + "|" + row.place.source.topic + "|" +
         std::to_string(row.place.source.partition) + "|" + std::to_string(row.place.offset.value);
}

int list(const OperatorConfig& config, DeadLetterStore& store) {
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional{text};
  };
  const auto rows = store.list({.lane = given(config.lane),
                                .reason = given(config.reason),
                                .topic = given(config.topic),
                                .limit = static_cast<std::int32_t>(config.limit)});
  for (const StoredLetter& row : rows) {
    std::printf("%s  %s  %s%s\n    %s\n", key_of(row).c_str(), row.rejected_at.c_str(),
                row.reason.c_str(), row.replays > 0 ? "  (replayed)" : "", row.detail.c_str());
  }
  std::printf("%zu dead letters, the newest first\n", rows.size());
  return exit_status::kStopped;
}

int show(DeadLetterStore& store, const DeadLetterPlace& place) {
  const auto row = store.show(place);
  if (!row) return refuse("there is no such dead letter (dead-letters list shows the keys)");
  std::printf(
      "lane       %s\ntopic      %s\npartition  %d\noffset     %lld\nreason     %s\n"
      "detail     %s\nproduced   %s\nrejected   %s\nreplays    %d\nkey        %s\n",
      row->place.lane.c_str(), row->place.source.topic.c_str(), row->place.source.partition,
      static_cast<long long>(row->place.offset.value), row->reason.c_str(), row->detail.c_str(),
      row->message_time.value_or("").c_str(), row->rejected_at.c_str(), row->replays,
      row->key.value_or("").c_str());
  if (row->is_truncated) {
    std::printf("payload    first %zu of %lld bytes, SHA-256 %s\n",
                row->payload.value_or("").size(), static_cast<long long>(row->payload_size),
                row->sha256.value_or("").c_str());
  }
  std::printf("\n%s\n", row->payload ? row->payload->c_str() : "(tombstone)");
  return exit_status::kStopped;
}

/// The message goes to a topic that only the lane which refused reads, so that the other lanes,
/// which had taken it, hear nothing.
int replay(const OperatorConfig& config, DeadLetterStore& store, const DeadLetterPlace& place) {
  const auto row = store.show(place);
  if (!row) return refuse("there is no such dead letter (dead-letters list shows the keys)");
  if (row->is_truncated) {
    return refuse("only the head of this payload was kept: produce the original again");
  }
  const std::vector<Header> headers =
      dead_letter_headers({.lane = place.lane,
                           .source = place.source,
                           .offset = place.offset,
                           .timestamp = {},
                           .rejected_at = {},
                           .reject = {RejectReason::MalformedReplay, row->reason},
                           .key = {},
                           .payload = {}});
  const std::string topic = replay_topic(place.lane);
  KafkaProducer producer{{.connection = kafka_connection(config.dispatcher, "signalbox-replay")}};
  producer.ensure_topic({.name = topic});
  KafkaRecord record{.topic = topic, .headers = headers};
  if (row->key) record.key = *row->key;
  if (row->payload) record.payload = *row->payload;
  producer.produce(record);
  producer.flush();
  store.mark_replayed(place);
  std::printf("%s goes to lane %s again\n", key_of(*row).c_str(), place.lane.c_str());
  return exit_status::kStopped;
}

int dead_letters(const Loading& loaded) {
  const std::vector<std::string>& words = loaded.arguments;
  PostgresConnection connection{
      postgres_options(loaded.config.dispatcher, "signalbox-dead-letters")};
  DeadLetterStore store{connection};
  const std::string verb = words.empty() ? "list" : words.front();
  if (verb == "list") return list(loaded.config, store);
  if (verb != "show" && verb != "replay") return refuse("the verb is list, show or replay");
  if (words.size() < 2) return refuse(verb + " takes the key that list prints");
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto place = place_of(words[i]);
    if (!place) return refuse("`" + words[i] + "` is no key: LANE|TOPIC|PARTITION|OFFSET");
    const int status = verb == "show" ? show(store, *place) : replay(loaded.config, store, *place);
    if (status != exit_status::kStopped) return status;
  }
  return exit_status::kStopped;
}

}  // namespace

int run_dead_letters(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<OperatorConfigOf<kDeadLettersCommand>>(arguments, environment,
                                                                   dead_letters);
}

}  // namespace signalbox
