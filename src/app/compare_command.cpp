// `signalbox compare`: listens to the original, reads what the shadow wrote meanwhile, and says
// where they agree, where they differ and why. The judgement is domain/comparison.

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/canonical_json.hpp"
#include "adapters/postgres_comparison.hpp"
#include "adapters/redis_comparison.hpp"
#include "adapters/system_clock.hpp"
#include "app/command.hpp"
#include "app/dispatcher_parts.hpp"
#include "app/operator_config.hpp"
#include "app/service_main.hpp"
#include "domain/comparison.hpp"
#include "domain/event_time.hpp"
#include "domain/routing.hpp"
#include "domain/text.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, 2> kChannels{"roottrading:*", "analyzer:*"};

/// How far one side may be behind the other: before and after the interval things are matched, but
/// not judged.
constexpr milliseconds kMargin{2'500};

/// What is not explained may still be on its way: the shadow is read again that often.
constexpr int kReadingsMax = 4;
constexpr milliseconds kReadAgainAfter{1'000};

constexpr std::size_t kMessagesMax = 200'000;
constexpr std::int32_t kCandlesMax = 200'000;
constexpr std::int32_t kLettersMax = 50'000;
constexpr std::chrono::minutes kLettersBefore{1};  ///< their clock is the shadow's own

/// What was heard, by who published it.
struct Heard {
  std::vector<Published> original;
  std::uint64_t others = 0;     ///< without `_routing`: the gateway, the aggregator, an analyzer
  std::uint64_t signalbox = 0;  ///< of a Signalbox that is not a shadow
};

/// The time that is judged, by the clock of Redis and by that of PostgreSQL.
struct Interval {
  EventTime begin;
  EventTime end;

  Place place_of(EventTime at) const {
    return at >= begin && at < end ? Place::Inside : Place::Margin;
  }
};

/// One payload with its `_routing`; nullopt where there is none.
std::optional<Published> published(const ChannelMessage& message, const Interval& interval) {
  auto fields = canonical_members(message.payload);
  if (!fields) return std::nullopt;
  const auto note = fields->find("_routing");
  if (note == fields->end()) return std::nullopt;
  auto routing = canonical_members(note->second);
  if (!routing) return std::nullopt;
  fields->erase(note);
  Published result{.channel = message.channel,
                   .topic = std::string(plain_text((*routing)["source_topic"])),
                   .fields = *std::move(fields),
                   .routing = *std::move(routing),
                   .place = interval.place_of(message.at)};
  const auto received_at = time_from_iso(plain_text(result.routing["received_at"]));
  const auto delay = integer_from<std::int64_t>(result.routing["delay_ms"]);
  if (received_at && delay) result.logged_at = *received_at - milliseconds{*delay};
  return result;
}

/// Leaves of `_routing` what both sides must agree on.
void keep_common_routing(JsonMembers& routing) {
  std::erase_if(routing, [](const auto& member) {
    return member.first != "priority" && member.first != "data_type";
  });
}

/// Whether the message is about what the operator asked for.
bool is_wanted(const OperatorConfig& config, std::string_view topic) {
  return config.topic.empty() || config.topic == topic;
}

Heard sort_heard(const OperatorConfig& config, const HeardMessages& heard,
                 const Interval& interval) {
  Heard sorted;
  for (const ChannelMessage& message : heard.messages) {
    auto one = published(message, interval);
    if (!one) {
      ++sorted.others;
    } else if (one->routing.contains("epoch")) {
      ++sorted.signalbox;
    } else if (is_wanted(config, one->topic)) {
      keep_common_routing(one->routing);
      sorted.original.push_back(*std::move(one));
    }
  }
  return sorted;
}

void read_streams(const OperatorConfig& config, const Interval& interval, Observation& seen) {
  const auto streams =
      read_shadow_streams(redis_options(config.dispatcher, "signalbox-compare"),
                          interval.begin - kMargin, interval.end + kMargin, kMessagesMax);
  for (const ShadowStream& stream : streams) {
    for (const ChannelMessage& message : stream.messages) {
      auto one = published(message, interval);
      if (!one || !is_wanted(config, one->topic) || one->routing.contains("replay")) continue;
      keep_common_routing(one->routing);
      seen.shadow.push_back(*std::move(one));
    }
    const bool is_full = stream.length >= config.dispatcher.redis_stream_maxlen;
    if (is_full && stream.oldest > interval.begin && !stream.messages.empty()) {
      seen.trimmed_channels.insert(stream.messages.front().channel);
    }
  }
}

/// The symbol and timeframe of `--topic`, where it is one of candles.
bool is_wanted(const OperatorConfig& config, const CandleKey& key) {
  if (config.topic.empty()) return true;
  const auto route = route_for(config.topic);
  if (!route || route->kind != Kind::Candle) return false;
  const std::string timeframe{route->timeframe ? name_of(*route->timeframe) : "1m"};
  return lower_case(key.symbol) == route->symbol && key.timeframe == timeframe;
}

void read_tables(const OperatorConfig& config, const Interval& interval, Observation& seen) {
  PostgresConnection connection{postgres_options(config.dispatcher, "signalbox-compare")};
  PostgresComparison tables{connection};
  for (ShadowLetter& letter : tables.letters_since(interval.begin - kLettersBefore, kLettersMax)) {
    auto fields = canonical_members(letter.payload);
    if (!fields) continue;
    seen.refused.push_back({std::move(letter.lane), std::move(letter.topic),
                            std::move(letter.reason), *std::move(fields)});
  }
  std::set<CandleKey> keys = candle_keys(seen);
  for (CandleKey& key : tables.shadow_candles(interval.begin, interval.end, kCandlesMax)) {
    if (is_wanted(config, key)) keys.insert(std::move(key));
  }
  seen.candles = tables.read_candles({keys.begin(), keys.end()});
}

Comparison read_and_compare(const OperatorConfig& config, const std::vector<Published>& original,
                            const Interval& by_redis, const Interval& by_postgres) {
  Observation seen{.original = original, .shadow = {}};
  if (config.dispatcher.runs(LaneName::Redis)) read_streams(config, by_redis, seen);
  if (!config.dispatcher.runs(LaneName::Redis)) seen.original.clear();
  if (config.dispatcher.runs(LaneName::Postgres)) read_tables(config, by_postgres, seen);
  return compare(seen);
}

std::uint64_t count_unexplained(const Comparison& comparison) {
  return static_cast<std::uint64_t>(
      std::ranges::count(comparison.findings, Cause::Unexplained, &Finding::cause));
}

void print_table(const Comparison& comparison) {
  using Counts = std::array<std::uint64_t, 2>;
  std::map<std::pair<Verdict, Cause>, Counts> rows;
  std::array<Counts, 4> sums{};
  sums[0] = comparison.agree;
  for (const Finding& finding : comparison.findings) {
    const auto subject = static_cast<std::size_t>(finding.subject);
    ++rows[{finding.verdict, finding.cause}][subject];
    ++sums[static_cast<std::size_t>(finding.verdict)][subject];
  }
  const auto print = [](const std::string& name, const Counts& counts) {
    std::printf("%-24s %10llu %10llu", name.c_str(), static_cast<unsigned long long>(counts[0]),
                static_cast<unsigned long long>(counts[1]));
  };
  std::printf("\n%-24s %10s %10s\n", "", "messages", "candles");
  for (const Verdict verdict :
       {Verdict::Agree, Verdict::Differ, Verdict::OnlyOriginal, Verdict::OnlyShadow}) {
    print(std::string(name_of(verdict)), sums[static_cast<std::size_t>(verdict)]);
    std::printf("\n");
    for (const auto& [row, counts] : rows) {
      if (row.first != verdict) continue;
      print("  " + std::string(name_of(row.second)), counts);
      std::printf("  %s\n", std::string(text_of(row.second)).c_str());
    }
  }
}

void print_unexplained(const Comparison& comparison, std::size_t limit) {
  std::size_t printed = 0;
  for (const Finding& finding : comparison.findings) {
    if (finding.cause != Cause::Unexplained) continue;
    if (printed++ == limit) {
      std::printf("… and more (--limit)\n");
      return;
    }
    std::printf("%s, %s: %s\n", finding.subject == Subject::Message ? "message" : "candle",
                std::string(name_of(finding.verdict)).c_str(), finding.where.c_str());
    if (!finding.what.empty()) std::printf("    %s\n", finding.what.c_str());
  }
}

int report(const OperatorConfig& config, const Comparison& comparison, const Heard& heard) {
  std::printf("heard: %zu messages of the original, %llu without _routing (gateway, aggregator)",
              heard.original.size(), static_cast<unsigned long long>(heard.others));
  if (heard.signalbox > 0) {
    std::printf(", %llu of a Signalbox that is not a shadow (not compared)",
                static_cast<unsigned long long>(heard.signalbox));
  }
  print_table(comparison);
  if (comparison.findings.empty() && comparison.agree[0] + comparison.agree[1] == 0) {
    std::printf(
        "\nnothing was compared: neither the original nor the shadow published or stored "
        "anything in that time\n");
    return exit_status::kFailed;
  }
  const std::uint64_t unexplained = count_unexplained(comparison);
  std::printf("\n%llu unexplained\n", static_cast<unsigned long long>(unexplained));
  print_unexplained(comparison, config.limit);
  if (unexplained > 0 && heard.original.empty() && config.dispatcher.runs(LaneName::Redis)) {
    std::printf("nothing was heard from the original: does it run, and on this Redis?\n");
  }
  return unexplained == 0 ? exit_status::kStopped : exit_status::kFailed;
}

/// The interval by the clock of PostgreSQL: as long ago as it is by the clock of Redis.
Interval by_postgres_clock(const OperatorConfig& config, const Interval& by_redis,
                           EventTime redis_now) {
  if (!config.dispatcher.runs(LaneName::Postgres)) return by_redis;
  PostgresConnection connection{postgres_options(config.dispatcher, "signalbox-compare")};
  const auto difference = PostgresComparison{connection}.now() - redis_now;
  return {by_redis.begin + difference, by_redis.end + difference};
}

int compare_with_original(const Loaded<OperatorConfigOf<kCompareCommand>>& loaded) {
  const OperatorConfig& config = loaded.config;
  std::printf(
      "listening for %lld s to %s and %s, with %.1f s before and after …\n",
      static_cast<long long>(std::chrono::ceil<std::chrono::seconds>(config.duration).count()),
      std::string(kChannels[0]).c_str(), std::string(kChannels[1]).c_str(),
      static_cast<double>(kMargin.count()) / 1e3);
  std::fflush(stdout);
  const HeardMessages listened = listen(redis_options(config.dispatcher, "signalbox-compare"),
                                        kChannels, config.duration + 2 * kMargin, kMessagesMax);
  const Interval by_redis{listened.began + kMargin,
                          std::max(listened.began + kMargin, listened.ended - kMargin)};
  if (listened.messages.size() == kMessagesMax) {
    std::printf("%zu messages were heard, which is as many as are kept: the interval ends there\n",
                kMessagesMax);
  }
  const Interval by_postgres = by_postgres_clock(config, by_redis, listened.ended);
  const Heard heard = sort_heard(config, listened, by_redis);
  SystemClock clock;
  Comparison comparison = read_and_compare(config, heard.original, by_redis, by_postgres);
  for (int reading = 1; reading < kReadingsMax && count_unexplained(comparison) > 0; ++reading) {
    clock.wait(kReadAgainAfter, std::stop_token{});
    comparison = read_and_compare(config, heard.original, by_redis, by_postgres);
  }
  return report(config, comparison, heard);
}

}  // namespace

int run_compare(std::span<const std::string> arguments, const Environment& environment) {
  return with_configuration<OperatorConfigOf<kCompareCommand>>(arguments, environment,
                                                               compare_with_original);
}

}  // namespace signalbox
