// The lane of the product against a real Redis and a real PostgreSQL, with connections that break
// between a write, its reply and the commit. Every message's effect is looked for in the sink: none
// may be missing, none may be there twice, and each partition must be in order.
//
// FAULT_SEEDS (200) is the number of seeds for each sink, FAULT_START (1) the first, FAULT_SECONDS
// (40) the time after which no other seed is begun.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "adapters/postgres_schema.hpp"
#include "adapters/postgres_sink.hpp"
#include "base/log.hpp"
#include "contract/postgres_place.hpp"
#include "contract/redis_place.hpp"
#include "stack/fault_scenario.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;

using ByPartition = std::map<TopicPartition, std::vector<Offset>>;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// The seeds of one test, as many as the time allows.
class Seeds {
 public:
  bool next() {
    const bool has_time = std::chrono::steady_clock::now() - began_ < limit_;
    if (done_ == wanted_ || (done_ > 0 && !has_time) || testing::Test::HasFailure()) return false;
    ++done_;
    return true;
  }

  std::uint64_t seed() const { return first_ + done_ - 1; }
  std::uint64_t done() const { return done_; }

 private:
  std::uint64_t first_ = number_from("FAULT_START", 1);
  std::uint64_t wanted_ = number_from("FAULT_SEEDS", 200);
  std::chrono::seconds limit_{number_from("FAULT_SECONDS", 40)};
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::uint64_t done_ = 0;
};

ByPartition by_partition(const std::vector<Delivered>& delivered) {
  ByPartition sorted;
  for (const Delivered& one : delivered) sorted[one.source].push_back(one.offset);
  return sorted;
}

struct Verdict {
  int lost = 0;
  int repeated = 0;
  int out_of_order = 0;

  bool operator==(const Verdict&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
  return out << verdict.lost << " lost, " << verdict.repeated << " repeated, "
             << verdict.out_of_order << " out of order";
}

Verdict judge(const ByPartition& expected, const ByPartition& seen) {
  Verdict verdict;
  for (const auto& [partition, offsets] : expected) {
    const auto found = seen.find(partition);
    const std::vector<Offset> here = found == seen.end() ? std::vector<Offset>{} : found->second;
    const std::set<Offset> once(here.begin(), here.end());
    for (const Offset offset : offsets) verdict.lost += once.contains(offset) ? 0 : 1;
    verdict.repeated += static_cast<int>(here.size() - once.size());
    for (std::size_t i = 1; i < here.size(); ++i) verdict.out_of_order += here[i] < here[i - 1];
  }
  return verdict;
}

std::vector<Delivered> from_payloads(const std::vector<std::string>& payloads) {
  std::vector<Delivered> delivered;
  for (const std::string& payload : payloads) {
    const auto routing = nlohmann::json::parse(payload).at("_routing");
    delivered.push_back(
        {{routing.at("source_topic").get<std::string>(), routing.at("partition").get<int>()},
         Offset{routing.at("offset").get<std::int64_t>()}});
  }
  return delivered;
}

void add(std::array<int, kHarms>& sum, const std::array<int, kHarms>& more) {
  for (std::size_t i = 0; i < kHarms; ++i) sum[i] += more[i];
}

/// A harm that was never done has tested nothing.
void expect_all_done(const char* sink, const Seeds& seeds, const std::array<int, kHarms>& done) {
  std::printf("%s, %d seeds:", sink, static_cast<int>(seeds.done()));
  for (std::size_t i = 0; i < kHarms; ++i) {
    const std::string name{name_of(static_cast<Harm>(i))};
    std::printf(" %s %d,", name.c_str(), done[i]);
    if (seeds.done() >= 20) {
      EXPECT_GT(done[i], 0) << name;
    }
  }
  std::puts("");
}

TEST(FaultProxyBeforeRedis, NothingIsLostTwiceOrOutOfOrder) {
  Seeds seeds;
  std::array<int, kHarms> done{};
  while (seeds.next()) {
    SCOPED_TRACE("seed " + std::to_string(seeds.seed()));
    RedisPlace place{unique_word()};
    const RedisOptions server = redis_of_tests();
    FaultScenario scenario{seeds.seed(),
                           {.host = server.host,
                            .port = server.port,
                            .word = place.client_name(),
                            .make_sink =
                                [&](std::uint16_t port) {
                                  RedisSinkOptions options =
                                      place.options("faults-" + place.client_name());
                                  options.redis.port = port;
                                  options.redis.command_timeout = 150ms;
                                  options.stream_length_max = 10'000;
                                  return std::make_unique<RedisSink>(options);
                                },
                            .refused_member = {}}};
    EXPECT_TRUE(scenario.run()) << "not delivered in time";
    EXPECT_EQ(judge(scenario.expected(), by_partition(place.delivered())), Verdict{});
    std::vector<std::string> streamed;
    for (int i = 0; i < 3; ++i) {
      const Route route = *route_for(candle_source_at(place.client_name(), i).topic);
      const auto texts = place.control().ask_list(
          {"XRANGE", "signalbox:stream:" + route.channels.front(), "-", "+"});
      // Of each entry: its id, "payload", the payload.
      for (std::size_t at = 2; at < texts.size(); at += 3) streamed.push_back(texts[at]);
    }
    EXPECT_EQ(judge(scenario.expected(), by_partition(from_payloads(streamed))), Verdict{});
    EXPECT_EQ(scenario.letters(), scenario.expected_letters());
    add(done, scenario.harms_done());
  }
  expect_all_done("Redis", seeds, done);
}

/// Rows alone cannot show that one came twice: a trigger writes down each of them.
class AuditedDatabase {
 public:
  AuditedDatabase() {
    migrate(database_.connection());
    database_.connection().run_script(R"sql(
      CREATE TABLE public.audit (n bigserial, symbol text, time timestamptz);
      CREATE FUNCTION public.audit_row() RETURNS trigger LANGUAGE plpgsql AS $body$
      BEGIN
        INSERT INTO public.audit (symbol, time) VALUES (NEW.symbol, NEW.time);
        RETURN NEW;
      END $body$;
      CREATE TRIGGER audit_row AFTER INSERT OR UPDATE ON public.market_data
        FOR EACH ROW EXECUTE FUNCTION public.audit_row();)sql");
  }

  PostgresOptions options() const { return database_.options(); }

  std::vector<Delivered> delivered(const std::string& word) {
    std::vector<Delivered> delivered;
    const auto rows = database_.connection().execute(
        "SELECT symbol, (extract(epoch FROM time) * 1000)::bigint FROM public.audit "
        "WHERE lower(symbol) LIKE '" +
        word + "%' ORDER BY n");
    for (const auto& row : rows.rows) {
      const EventTime open_time{std::chrono::milliseconds{std::stoll(*row.at(1))}};
      if (const auto source = candle_source(*row.at(0), open_time)) delivered.push_back(*source);
    }
    return delivered;
  }

 private:
  TestDatabase database_;
};

TEST(FaultProxyBeforePostgres, NothingIsLostTwiceOrOutOfOrder) {
  Seeds seeds;
  std::array<int, kHarms> done{};
  AuditedDatabase database;
  while (seeds.next()) {
    SCOPED_TRACE("seed " + std::to_string(seeds.seed()));
    const std::string word = unique_word();
    const PostgresOptions server = database.options();
    FaultScenario scenario{seeds.seed(),
                           {.host = server.host,
                            .port = server.port,
                            .word = word,
                            .make_sink =
                                [&](std::uint16_t port) {
                                  PostgresSinkOptions options{.postgres = server,
                                                              .group = "faults-" + word};
                                  options.postgres.port = port;
                                  options.postgres.connect_timeout = 2s;
                                  options.postgres.statement_timeout = 150ms;
                                  options.postgres.lock_timeout = 100ms;
                                  options.postgres.reply_grace = 100ms;
                                  return std::make_unique<PostgresSink>(options);
                                },
                            // More digits than numeric(28,8) has.
                            .refused_member = "1e25"}};
    EXPECT_TRUE(scenario.run()) << "not delivered in time";
    EXPECT_EQ(judge(scenario.expected(), by_partition(database.delivered(word))), Verdict{});
    EXPECT_EQ(scenario.letters(), scenario.expected_letters());
    add(done, scenario.harms_done());
  }
  expect_all_done("PostgreSQL", seeds, done);
}

/// Outages by the hundred are what is wanted here: nobody reads of them.
class QuietLog : public testing::Environment {
  void SetUp() override {
    log_.emplace(LogOptions{.service = "fault_tests",
                            .level = LogLevel::Critical,
                            .console = LogConsole::Stderr,
                            .directory = {}});
  }
  void TearDown() override { log_.reset(); }

  std::optional<LogSetup> log_;
};

// GoogleTest owns it.
const testing::Environment* const kQuietLog = testing::AddGlobalTestEnvironment(new QuietLog);

}  // namespace
}  // namespace signalbox
