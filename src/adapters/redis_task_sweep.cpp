// What the sweep does with what waits and what is claimed: the second half of RedisTaskQueue.
#include <algorithm>
#include <array>
#include <utility>

#include "adapters/redis_inspection.hpp"
#include "adapters/redis_task_queue.hpp"
#include "adapters/resp.hpp"
#include "domain/event_time.hpp"
#include "domain/routing_note.hpp"
#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

using Type = RedisReply::Type;
using std::chrono::milliseconds;

/// Claims looked at in one step of a sweep: about a millisecond of Redis's time.
constexpr std::size_t kSweepStep = 1'000;

constexpr int kAttemptsMax = 3;

/// kombu's names of the lists for priorities 3, 6 and 9.
constexpr std::string_view kPrioritySuffixes[] = {
    "\x06\x16"
    "3",
    "\x06\x16"
    "6",
    "\x06\x16"
    "9"};

IoError redis_error(std::string_view why) { return IoError{"redis", std::string(why)}; }

/// The states after which nothing of a task runs any more. Celery writes the state first.
bool has_ended(std::string_view result) {
  const std::size_t colon = result.find(':');
  if (colon == std::string_view::npos ||
      result.substr(0, colon).find("\"status\"") == std::string_view::npos) {
    return false;
  }
  std::string_view state = result.substr(colon + 1);
  const std::size_t quote = state.find_first_not_of(' ');
  if (quote == std::string_view::npos) return false;
  state.remove_prefix(quote);
  return state.starts_with(R"("SUCCESS")") || state.starts_with(R"("FAILURE")") ||
         state.starts_with(R"("REVOKED")");
}

std::string letter_text(const HeldDecision& decision) {
  return {letter_of(decision.ends_as.value_or(TriggerOutcome::Enqueued))};
}

}  // namespace

std::vector<HeldTask> RedisTaskQueue::held(std::size_t limit) {
  if (results_) {
    std::vector<FoundClaim> found = sweep_step().found;
    release_what_ended_elsewhere(found);
  }
  const std::string_view keys[]{keys_.claims, keys_.slots, keys_.held};
  const std::string arguments[]{std::to_string(limit), results_ ? "0" : "1"};
  RedisReplies& replies = call_script(Script::Held, keys, arguments);
  std::vector<HeldTask> tasks;
  const std::size_t size = last_array_size_ / 4;
  for (std::size_t i = 0; i < size; ++i) {
    const std::string name{replies.take().text};
    std::string slot{replies.take().text};
    const auto logged = integer_from<std::int64_t>(replies.take().text);
    const std::string_view key = replies.take().text;
    const auto pair = read_pair_name(name);
    if (!pair) continue;
    tasks.push_back({.pipeline = pair->pipeline,
                     .ticker = std::string(pair->ticker),
                     .signal_key = std::string(key),
                     .slot = std::move(slot),
                     .signal_logged_at = EventTime{milliseconds{logged.value_or(0)}}});
  }
  return tasks;
}

Claimed RedisTaskQueue::settle_held(std::span<const HeldDecision> decisions,
                                    DatabaseTime database_now) {
  if (decisions.empty()) return {};
  Claimed claimed;
  std::optional<std::string> why;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    why = settle_once(decisions, database_now, claimed);
    if (!why) return claimed;
  }
  throw redis_error(*why);
}

/// Absent: done. A text: Redis's clock was not what we believed, and nothing was done.
std::optional<std::string> RedisTaskQueue::settle_once(std::span<const HeldDecision> decisions,
                                                       DatabaseTime database_now,
                                                       Claimed& claimed) {
  if (auto opened = ready(); !opened) throw redis_error(opened.error());
  const ClaimRules& rules = options_.rules;
  const milliseconds now = redis_now();
  PackedNumbers packed{10};
  for (const std::uint64_t value :
       {static_cast<std::uint64_t>(now.count()), kClockTolerance,
        static_cast<std::uint64_t>(rules.claim_length().count()), std::uint64_t{decisions.size()},
        std::uint64_t{options_.mode == TaskQueueMode::Shadow}, std::uint64_t{!results_},
        rules.segment_bytes, rules.segment_entries, rules.segments_max, rules.outcome_bytes_max}) {
    packed.add(value);
  }
  std::vector<std::string> arguments{packed.bytes(),
                                     std::to_string(database_now.time_since_epoch().count()),
                                     iso_utc(ReceivedAt{now + rules.task_expires})};
  for (const HeldDecision& decision : decisions) {
    arguments.push_back(pair_name(decision.held->pipeline, decision.held->ticker));
    arguments.push_back(decision.held->slot);
    arguments.push_back(letter_text(decision));
  }
  const std::string_view keys[]{keys_.claims,
                                keys_.slots,
                                keys_.held,
                                keys_.state,
                                keys_.outcomes,
                                options_.celery.queue,
                                options_.celery.backtest_queue};
  RedisReplies& replies = call_script(Script::Settle, keys, arguments);
  const std::string_view verdict = replies.take().text;
  const std::string second{replies.take().text};
  if (verdict == "unfit") throw redis_error(second);
  set_redis_now(milliseconds{integer_from<std::int64_t>(second).value_or(0)});
  if (verdict == "clock") return "Redis's clock does not stand still";
  const std::string letters{replies.take().text};
  replies.take();  // how many tasks follow
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const TriggerOutcome outcome = outcome_from(letters[i]).value();
    claimed.outcomes.push_back(outcome);
    if (outcome == TriggerOutcome::Enqueued) {
      claimed.enqueued.push_back({i, std::string(replies.take().text)});
    }
  }
  last_note_ = replies.take().text;
  return std::nullopt;
}

/// The next claims around the hash. Those that hold nothing any more are dropped on the way.
RedisTaskQueue::Sweep RedisTaskQueue::sweep_step() {
  const std::string_view keys[]{keys_.claims};
  const std::string arguments[]{sweep_cursor_, std::to_string(kSweepStep), results_ ? "0" : "1"};
  RedisReplies& replies = call_script(Script::Sweep, keys, arguments);
  const std::size_t size = (last_array_size_ - 2) / 2;
  sweep_cursor_ = replies.take().text;
  Sweep sweep{.now = milliseconds{integer_from<std::int64_t>(replies.take().text).value_or(0)},
              .found = {}};
  for (std::size_t i = 0; i < size; ++i) {
    const std::string name{replies.take().text};
    const std::string_view value = replies.take().text;
    const auto pair = read_pair_name(name);
    std::string_view fields[4];
    std::size_t count = 0;
    for_each_part(value, ' ', [&](std::string_view part) {
      if (count < std::size(fields)) fields[count++] = part;
    });
    const auto database = integer_from<std::int64_t>(fields[2]);
    const auto enqueued = integer_from<std::int64_t>(fields[3]);
    if (!pair || !database || !enqueued) continue;
    sweep.found.push_back(
        {.claim = {.pipeline = pair->pipeline,
                   .ticker = std::string(pair->ticker),
                   .task_id = std::string(fields[0]),
                   .database_now = DatabaseTime{std::chrono::microseconds{*database}}},
         .enqueued = milliseconds{*enqueued}});
  }
  return sweep;
}

/// Asks the other Redis for the results of these claims, and gives back and leaves out those that
/// ended. While it does not answer, claims hold until their deadlines: nothing runs twice.
void RedisTaskQueue::release_what_ended_elsewhere(std::vector<FoundClaim>& found) {
  if (!results_ || found.empty()) return;
  std::string request;
  append_command_head(request, 1 + found.size());
  append_argument(request, "MGET");
  for (const FoundClaim& claim : found) {
    append_argument(request, "celery-task-meta-" + claim.claim.task_id);
  }
  if (!results_->ready()) return;
  auto received = results_->call(request, 1);
  if (!received) return;
  const auto values = (*received)->take_texts();
  if (!values || values->size() != found.size()) return;
  std::vector<OpenClaim> ended;
  std::vector<FoundClaim> open;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::optional<std::string>& value = (*values)[i];
    if (value && has_ended(*value)) {
      ended.push_back(std::move(found[i].claim));
    } else {
      open.push_back(std::move(found[i]));
    }
  }
  release(ended);
  found = std::move(open);
}

std::vector<OpenClaim> RedisTaskQueue::open_claims(std::size_t limit, milliseconds older_than) {
  if (swept_.empty()) {
    Sweep sweep = sweep_step();
    release_what_ended_elsewhere(sweep.found);
    for (FoundClaim& found : sweep.found) {
      if (found.enqueued + older_than <= sweep.now) swept_.push_back(std::move(found.claim));
    }
  }
  std::vector<OpenClaim> claims;
  while (claims.size() < limit && !swept_.empty()) {
    claims.push_back(std::move(swept_.front()));
    swept_.pop_front();
  }
  return claims;
}

void RedisTaskQueue::release(std::span<const OpenClaim> claims) {
  if (claims.empty()) return;
  std::vector<std::string> arguments;
  for (const OpenClaim& claim : claims) {
    arguments.push_back(pair_name(claim.pipeline, claim.ticker));
    arguments.push_back(claim.task_id);
  }
  const std::string_view keys[]{keys_.claims};
  static_cast<void>(call_script(Script::Release, keys, arguments));
}

/// When the task at the list's tail was enqueued: its expiry less what a task may wait.
std::optional<ReceivedAt> RedisTaskQueue::oldest_waiting(std::string_view tail) const {
  constexpr std::string_view kName = R"("expires": ")";
  const std::size_t at = tail.find(kName);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = tail.substr(at + kName.size());
  const auto expires = time_from_iso(rest.substr(0, rest.find('"')));
  if (!expires) return std::nullopt;
  return ReceivedAt{*expires - options_.rules.task_expires};
}

QueueReport RedisTaskQueue::report() {
  std::string request;
  std::size_t lists = 0;
  for (const std::string& queue : {options_.celery.queue, options_.celery.backtest_queue}) {
    append_command(request, {"LLEN", queue});
    for (const std::string_view suffix : kPrioritySuffixes) {
      append_command(request, {"LLEN", queue + std::string(suffix)});
    }
    lists += 1 + std::size(kPrioritySuffixes);
  }
  append_command(request, {"LINDEX", options_.celery.queue, "-1"});
  append_command(request, {"HLEN", keys_.claims});
  append_command(request, {"HLEN", keys_.held});
  append_command(request, {"HGET", keys_.state, "forgotten"});
  RedisReplies& replies = call(request, lists + 4);
  const auto number = [&] {
    const RedisReply reply = replies.take();
    if (reply.type == Type::Error) throw redis_error(reply.text);
    return static_cast<std::uint64_t>(reply.integer);
  };
  QueueReport report;
  for (std::size_t i = 0; i < lists; ++i) report.waiting_tasks += number();
  report.oldest_enqueued_at = oldest_waiting(replies.take().text);
  report.open_claims = number();
  report.held = number();
  report.signals_forgotten = integer_from<std::uint64_t>(replies.take().text).value_or(0);
  return report;
}

/// The queue asks for more than a sink: an evicted claim is a task twice.
std::vector<SinkWarning> RedisTaskQueue::inspect() {
  if (auto opened = ready(); !opened) throw redis_error(opened.error());
  auto warnings = inspect_redis(connection_);
  if (!warnings) throw redis_error(warnings.error());
  std::string request;
  append_command(request, {"INFO", "stats"});
  append_command(request, {"INFO", "memory"});
  RedisReplies& replies = call(request, 2);
  const std::string stats{replies.take().text};
  const std::string_view memory = replies.take().text;
  if (memory.find("maxmemory:0\r") == std::string_view::npos &&
      memory.find("maxmemory_policy:volatile-") != std::string_view::npos) {
    warnings->push_back({"RESULTS_MAY_BE_EVICTED",
                         "maxmemory-policy is volatile-…: it spares claims and tasks, but may "
                         "evict the results of tasks; then a pair stays claimed until its run is "
                         "seen to end in executions, or for 21 minutes"});
  }
  constexpr std::string_view kEvicted = "evicted_keys:";
  if (const std::size_t at = stats.find(kEvicted); at != std::string::npos) {
    const std::string_view rest = std::string_view{stats}.substr(at + kEvicted.size());
    const auto evicted = integer_from<std::int64_t>(rest.substr(0, rest.find('\r')));
    if (evicted && evicted_keys_ && *evicted > *evicted_keys_) {
      warnings->push_back({"KEYS_WERE_EVICTED",
                           std::to_string(*evicted - *evicted_keys_) +
                               " keys were evicted since the last look: claims, tasks or fences "
                               "may be gone. Give Redis more memory, or noeviction"});
    }
    if (evicted) evicted_keys_ = evicted;
  }
  if (!last_note_.empty()) {
    warnings->push_back({"OUTCOMES_NOT_RECORDED", "the last outcomes could not be written to " +
                                                      keys_.outcomes + ": " + last_note_});
  }
  return *std::move(warnings);
}

}  // namespace signalbox
