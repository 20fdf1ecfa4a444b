#include "domain/claim_book.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "domain/text.hpp"

namespace signalbox {
namespace {

/// What the bookkeeping of one outcome or one held signal is taken to cost.
constexpr std::uint64_t kOverhead = 100;

PairKey pair_of(const TaskRequest& request) {
  return {request.pipeline, std::string(request.signal->tickers[request.ticker].ticker)};
}

}  // namespace

ClaimBook::ClaimBook(const ClaimRules& rules) : rules_(rules) {}

ClaimBook::ClaimBook(const ClaimRules& rules, Memory memory)
    : rules_(rules), memory_(std::move(memory)) {
  for (const auto& [pair, line] : memory_.lines) {
    held_count_ += line.size();
    for (const Waiting& waiting : line) held_bytes_ += waiting.bytes;
  }
}

bool ClaimBook::is_open(const PairKey& pair, EventTime now) const {
  const auto claim = memory_.claims.find(pair);
  return claim != memory_.claims.end() && !claim->second.has_ended && claim->second.deadline > now;
}

std::expected<Claimed, TopicPartition> ClaimBook::claim(const ClaimBatch& batch,
                                                        std::span<const TaskDraft> drafts,
                                                        EventTime now) {
  for (const FenceMove& move : batch.moves) {
    const auto fence = memory_.fences.find(move.partition);
    const bool is_expected = move.expected
                                 ? fence != memory_.fences.end() && fence->second == *move.expected
                                 : fence == memory_.fences.end();
    if (!is_expected) return std::unexpected(move.partition);
  }
  const std::vector<bool> is_repeat = find_repeats(batch.requests, now);
  const auto now_us = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::microseconds{now.time_since_epoch()}.count()));
  memory_.number = std::max(memory_.number, now_us);
  Claimed claimed;
  for (std::size_t i = 0; i < batch.requests.size(); ++i) {
    const TriggerOutcome outcome = is_repeat[i]
                                       ? TriggerOutcome::Duplicate
                                       : decide(batch.requests[i], drafts[i], batch, now, claimed);
    claimed.outcomes.push_back(outcome);
    if (outcome == TriggerOutcome::Enqueued) claimed.enqueued.push_back({i, drafts[i].task_id});
  }
  move_fences(batch);
  record_claim(batch, claimed);
  return claimed;
}

/// A generation ends by age or, when it is full, early; the oldest of four makes room for the next.
void ClaimBook::turn_generations(EventTime now) {
  std::uint64_t steps = 0;
  if (now < memory_.since) {
    memory_.since = now;
  } else {
    steps = static_cast<std::uint64_t>((now - memory_.since) / rules_.generation_length);
    if (steps >= memory_.seen.size()) {
      steps = memory_.seen.size();
      memory_.since = now;
    } else {
      memory_.since += static_cast<std::int64_t>(steps) * rules_.generation_length;
    }
  }
  if (steps == 0 &&
      memory_.seen[memory_.generation % memory_.seen.size()].size() >= rules_.generation_max) {
    steps = 1;
    memory_.since = now;
    memory_.forgotten += memory_.seen[(memory_.generation + 1) % memory_.seen.size()].size();
  }
  for (std::uint64_t i = 1; i <= steps; ++i)
    memory_.seen[(memory_.generation + i) % memory_.seen.size()].clear();
  memory_.generation += steps;
}

/// Which requests belong to a signal that came before, and remembers those that did not. The
/// requests of one message follow each other; the same name in another message is a repeat.
std::vector<bool> ClaimBook::find_repeats(std::span<const TaskRequest> requests, EventTime now) {
  std::vector<bool> is_repeat(requests.size(), false);
  if (std::ranges::any_of(requests, &TaskRequest::is_repeat_checked)) turn_generations(now);
  std::vector<std::string> fresh;
  std::unordered_set<std::string_view> in_this_call;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const TaskRequest& request = requests[i];
    if (!request.is_repeat_checked) continue;
    const bool goes_on =
        i > 0 && requests[i - 1].signal == request.signal && requests[i - 1].is_repeat_checked;
    if (goes_on) {
      is_repeat[i] = is_repeat[i - 1];
      continue;
    }
    const std::string name{request.signal_key};
    is_repeat[i] =
        std::ranges::any_of(memory_.seen, [&](const auto& seen) { return seen.contains(name); });
    if (!in_this_call.insert(request.signal_key).second) is_repeat[i] = true;
    if (!is_repeat[i]) fresh.push_back(name);
  }
  for (std::string& name : fresh)
    memory_.seen[memory_.generation % memory_.seen.size()].insert(std::move(name));
  return is_repeat;
}

/// Who comes to a free pair is enqueued, but never past others who wait in order.
TriggerOutcome ClaimBook::decide(const TaskRequest& request, const TaskDraft& draft,
                                 const ClaimBatch& batch, EventTime now, Claimed& claimed) {
  const PairKey pair = pair_of(request);
  const bool is_busy = request.is_running || is_open(pair, now);
  const bool waits_in_line =
      request.busy.policy == BusyPolicy::Queue && memory_.lines.find(pair) != memory_.lines.end();
  if (!is_busy && !waits_in_line) {
    if (request.busy.policy == BusyPolicy::KeepLatest) supersede(pair, claimed);
    enqueue(pair, draft, request.signal_key, request.is_backtest, batch.database_now, now);
    return TriggerOutcome::Enqueued;
  }
  if (request.busy.policy == BusyPolicy::Skip) return TriggerOutcome::Busy;
  return wait(request, draft, pair, claimed);
}

TriggerOutcome ClaimBook::wait(const TaskRequest& request, const TaskDraft& draft,
                               const PairKey& pair, Claimed& claimed) {
  const bool keeps_latest = request.busy.policy == BusyPolicy::KeepLatest;
  const auto found = memory_.lines.find(pair);
  const std::size_t length = found == memory_.lines.end() ? 0 : found->second.size();
  const std::uint64_t bytes = draft.content.size() + request.signal_key.size() + kOverhead;
  std::uint64_t count_after = held_count_ + 1;
  std::uint64_t bytes_after = held_bytes_ + bytes;
  if (keeps_latest && found != memory_.lines.end()) {
    count_after -= length;
    for (const Waiting& waiting : found->second) bytes_after -= waiting.bytes;
  }
  const bool line_is_full = !keeps_latest && length >= request.busy.slots;
  if (count_after > rules_.held_max || bytes_after > rules_.held_bytes_max || line_is_full) {
    return TriggerOutcome::QueueFull;
  }
  if (keeps_latest) supersede(pair, claimed);
  memory_.lines[pair].push_back({.number = ++memory_.number,
                                 .draft = draft,
                                 .signal_key = std::string(request.signal_key),
                                 .logged_at = request.signal_logged_at,
                                 .is_backtest = request.is_backtest,
                                 .bytes = bytes});
  ++held_count_;
  held_bytes_ += bytes;
  return TriggerOutcome::Held;
}

void ClaimBook::forget(Waiting& waiting) {
  --held_count_;
  held_bytes_ -= waiting.bytes;
}

void ClaimBook::supersede(const PairKey& pair, Claimed& claimed) {
  const auto line = memory_.lines.find(pair);
  if (line == memory_.lines.end()) return;
  for (Waiting& waiting : line->second) {
    forget(waiting);
    claimed.ended.push_back({pair.pipeline, pair.ticker, std::move(waiting.signal_key)});
  }
  memory_.lines.erase(line);
}

void ClaimBook::enqueue(const PairKey& pair, const TaskDraft& draft, std::string_view signal_key,
                        bool is_backtest, DatabaseTime database_now, EventTime now) {
  memory_.claims.insert_or_assign(pair, Claim{.task_id = draft.task_id,
                                              .deadline = now + rules_.claim_length(),
                                              .database_now = database_now,
                                              .enqueued_at = now});
  memory_.queue.push_back({.pair = pair,
                           .task_id = draft.task_id,
                           .signal_key = std::string(signal_key),
                           .content = draft.content,
                           .is_backtest = is_backtest,
                           .enqueued_at = now,
                           .expires_at = now + rules_.task_expires});
}

void ClaimBook::move_fences(const ClaimBatch& batch) {
  for (const FenceMove& move : batch.moves) {
    memory_.fences.insert_or_assign(move.partition, move.next);
    memory_.cuts.erase(move.partition);
    if (batch.cut && batch.cut->partition == move.partition) {
      memory_.cuts.emplace(move.partition, CutAt{move.next, *batch.cut});
    }
  }
}

void ClaimBook::record_claim(const ClaimBatch& batch, const Claimed& claimed) {
  std::vector<PairOutcome> outcomes;
  for (std::size_t i = 0; i < batch.requests.size(); ++i) {
    outcomes.push_back({std::string(batch.requests[i].signal_key), pair_of(batch.requests[i]),
                        claimed.outcomes[i]});
  }
  for (const SettledPair& pair : batch.settled) {
    outcomes.push_back(
        {std::string(pair.signal_key), {pair.pipeline, std::string(pair.ticker)}, pair.outcome});
  }
  for (const EndedWait& ended : claimed.ended) {
    outcomes.push_back(
        {ended.signal_key, {ended.pipeline, ended.ticker}, TriggerOutcome::Superseded});
  }
  record(std::move(outcomes));
}

void ClaimBook::record(std::vector<PairOutcome> outcomes) {
  if (outcomes.empty()) return;
  std::uint64_t bytes = kOverhead;
  for (const PairOutcome& outcome : outcomes) {
    bytes += kOverhead + outcome.signal_key.size() + outcome.pair.ticker.size();
  }
  recorded_.push_back({std::move(outcomes), bytes});
  recorded_bytes_ += bytes;
  const std::uint64_t entries_max = rules_.segments_max * rules_.segment_entries;
  while (recorded_.size() > 1 &&
         (recorded_bytes_ > rules_.outcome_bytes_max || recorded_.size() > entries_max)) {
    recorded_bytes_ -= recorded_.front().bytes;
    recorded_.pop_front();
  }
}

std::vector<PairOutcome> ClaimBook::outcomes() const {
  std::vector<PairOutcome> all;
  for (const Recorded& call : recorded_) {
    all.insert(all.end(), call.outcomes.begin(), call.outcomes.end());
  }
  return all;
}

std::vector<HeldTask> ClaimBook::held(std::size_t limit, EventTime now) const {
  std::vector<std::pair<const PairKey*, const Waiting*>> first_in_line;
  for (const auto& [pair, line] : memory_.lines) {
    if (!is_open(pair, now)) first_in_line.emplace_back(&pair, &line.front());
  }
  std::ranges::sort(first_in_line, {}, [](const auto& entry) { return entry.second->number; });
  if (first_in_line.size() > limit) first_in_line.resize(limit);
  std::vector<HeldTask> tasks;
  for (const auto& [pair, waiting] : first_in_line) {
    tasks.push_back({.pipeline = pair->pipeline,
                     .ticker = pair->ticker,
                     .signal_key = waiting->signal_key,
                     .slot = std::to_string(waiting->number),
                     .signal_logged_at = waiting->logged_at});
  }
  return tasks;
}

Claimed ClaimBook::settle_held(std::span<const HeldDecision> decisions, DatabaseTime database_now,
                               EventTime now) {
  Claimed claimed;
  std::vector<PairOutcome> outcomes;
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const HeldDecision& decision = decisions[i];
    const PairKey pair{decision.held->pipeline, decision.held->ticker};
    const auto number = integer_from<std::uint64_t>(decision.held->slot);
    const auto line = memory_.lines.find(pair);
    claimed.outcomes.push_back(TriggerOutcome::Held);
    if (line == memory_.lines.end() || !number) continue;
    const auto waiting = std::ranges::find(line->second, *number, &Waiting::number);
    if (waiting == line->second.end()) continue;
    const TriggerOutcome outcome = decision.ends_as.value_or(TriggerOutcome::Enqueued);
    if (outcome == TriggerOutcome::Held) continue;
    if (outcome == TriggerOutcome::Enqueued) {
      if (waiting != line->second.begin() || is_open(pair, now)) continue;
      enqueue(pair, waiting->draft, waiting->signal_key, waiting->is_backtest, database_now, now);
      claimed.enqueued.push_back({i, waiting->draft.task_id});
    }
    claimed.outcomes.back() = outcome;
    outcomes.push_back({waiting->signal_key, pair, outcome});
    forget(*waiting);
    line->second.erase(waiting);
    if (line->second.empty()) memory_.lines.erase(line);
  }
  record(std::move(outcomes));
  return claimed;
}

std::vector<OpenClaim> ClaimBook::open_claims(std::size_t limit,
                                              std::chrono::milliseconds older_than, EventTime now) {
  std::erase_if(memory_.claims, [&](const auto& entry) {
    return entry.second.has_ended || entry.second.deadline <= now;
  });
  std::vector<OpenClaim> open;
  if (memory_.claims.empty()) return open;
  auto at = swept_to_ ? memory_.claims.upper_bound(*swept_to_) : memory_.claims.begin();
  for (std::size_t looked_at = 0; looked_at < memory_.claims.size() && open.size() < limit;
       ++looked_at) {
    if (at == memory_.claims.end()) at = memory_.claims.begin();
    const auto& [pair, claim] = *at;
    if (claim.enqueued_at + older_than <= now) {
      open.push_back({pair.pipeline, pair.ticker, claim.task_id, claim.database_now});
    }
    swept_to_ = pair;
    ++at;
  }
  return open;
}

void ClaimBook::release(std::span<const OpenClaim> claims) {
  for (const OpenClaim& open : claims) {
    const auto claim = memory_.claims.find({open.pipeline, open.ticker});
    if (claim != memory_.claims.end() && claim->second.task_id == open.task_id)
      memory_.claims.erase(claim);
  }
}

FenceMap ClaimBook::fences(std::span<const TopicPartition> partitions) const {
  FenceMap found;
  for (const TopicPartition& partition : partitions) {
    if (const auto fence = memory_.fences.find(partition); fence != memory_.fences.end())
      found.insert(*fence);
  }
  return found;
}

std::optional<Cut> ClaimBook::cut(const TopicPartition& partition) const {
  const auto cut = memory_.cuts.find(partition);
  const auto fence = memory_.fences.find(partition);
  if (cut == memory_.cuts.end() || fence == memory_.fences.end()) return std::nullopt;
  const Fence& at = cut->second.fence;
  if (at.next != fence->second.next || at.part != fence->second.part) return std::nullopt;
  return cut->second.cut;
}

std::optional<QueuedTask> ClaimBook::take(EventTime now) {
  while (!memory_.queue.empty()) {
    QueuedTask task = std::move(memory_.queue.front());
    memory_.queue.pop_front();
    if (task.expires_at > now) return task;
    finish(task.pair, task.task_id);
  }
  return std::nullopt;
}

void ClaimBook::finish(const PairKey& pair, std::string_view task_id) {
  const auto claim = memory_.claims.find(pair);
  if (claim != memory_.claims.end() && claim->second.task_id == task_id)
    claim->second.has_ended = true;
}

}  // namespace signalbox
