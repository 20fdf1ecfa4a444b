#include "adapters/postgres_sink.hpp"

#include <algorithm>
#include <array>

#include "adapters/postgres_faults.hpp"
#include "domain/coalesce.hpp"
#include "domain/text.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kFenceRefused = "SB001";

constexpr const char* kFenceColumns =
    "topic, partition, next_offset, part, last_timestamp_ms, seq, epoch, lineage, gap";

template <typename Integer>
Integer integer_of(const std::optional<std::string>& text) {
  const auto value = text ? integer_from<Integer>(*text) : std::nullopt;
  if (!value) throw IoError{"postgresql", "a field of signalbox.fences is not an integer"};
  return *value;
}

FenceMap fences_of(const PostgresRows& rows) {
  FenceMap fences;
  for (const auto& row : rows.rows) {
    fences.insert_or_assign(
        TopicPartition{row.at(0).value_or(""), integer_of<std::int32_t>(row.at(1))},
        Fence{.next = Offset{integer_of<std::int64_t>(row.at(2))},
              .part = integer_of<std::int32_t>(row.at(3)),
              .last_timestamp =
                  EventTime{std::chrono::milliseconds{integer_of<std::int64_t>(row.at(4))}},
              .seq = integer_of<std::uint64_t>(row.at(5)),
              .epoch = integer_of<std::int64_t>(row.at(6)),
              .lineage = row.at(7).value_or(""),
              .gap = integer_of<std::int64_t>(row.at(8))});
  }
  return fences;
}

/// What a candle's row cannot do without; nullopt when all of it is there.
std::optional<std::string_view> missing_field(const Routed& routed) {
  const auto* candle = std::get_if<CandleFields>(&routed.facts.record);
  if (!candle) return "time";
  if (candle->symbol.empty()) return "symbol";
  if (!candle->timeframe) return "timeframe";
  if (!candle->open_time) return "time";
  if (candle->open.empty()) return "open";
  if (candle->high.empty()) return "high";
  if (candle->low.empty()) return "low";
  if (candle->close.empty()) return "close";
  if (candle->volume.empty()) return "volume";
  return std::nullopt;
}

RowKind record_kind(Kind kind) {
  if (kind == Kind::Order) return RowKind::Order;
  if (kind == Kind::Execution) return RowKind::Execution;
  return RowKind::Signal;
}

}  // namespace

PostgresSink::PostgresSink(PostgresSinkOptions options)
    : options_(std::move(options)), connection_(options_.postgres) {}

/// Connects and looks at the schema, once a connection. Throws IoError.
void PostgresSink::make_ready() {
  if (auto connected = connection_.ensure_connected(); !connected) {
    throw IoError{"postgresql", connected.error().text()};
  }
  if (ready_generation_ == connection_.generation()) return;
  closed_candles_.reset();
  const SchemaState state = check_schema(connection_);
  if (state != SchemaState::Ok) throw IoError{"postgresql", std::string(advice_for(state))};
  ready_generation_ = connection_.generation();
}

FenceMap PostgresSink::read_fences(std::span<const TopicPartition> partitions) {
  make_ready();
  PostgresArray topics;
  PostgresArray numbers;
  for (const TopicPartition& partition : partitions) {
    topics.add_text(partition.topic);
    numbers.add_integer(partition.partition);
  }
  return fences_of(connection_.execute(
      std::string("SELECT ") + kFenceColumns +
          " FROM signalbox.fences WHERE group_id = $1 AND (topic, partition) IN "
          "(SELECT * FROM unnest($2::text[], $3::integer[]))",
      {options_.group, topics.literal(), numbers.literal()}));
}

FenceMap PostgresSink::list_fences() {
  make_ready();
  return fences_of(connection_.execute(
      std::string("SELECT ") + kFenceColumns + " FROM signalbox.fences WHERE group_id = $1",
      {options_.group}));
}

void PostgresSink::ping() {
  make_ready();
  connection_.execute("SELECT 1");
}

std::vector<SinkWarning> PostgresSink::inspect() {
  make_ready();
  return inspect_postgres(connection_,
                          {.group = options_.group,
                           .writes_candles = options_.candle_table == CandleTable::MarketData,
                           .lost_statements = lost_statements_});
}

WriteOutcome PostgresSink::write(const WriteBatch& batch) {
  // A port's write() answers, whatever happens outside.
  try {
    make_ready();
    auto planned = plan(batch);
    if (!planned) return Unavailable{planned.error()};
    if (!planned->incomplete.empty()) return RowsRejected{std::move(planned->incomplete)};
    const auto sent = send(batch, *planned);
    if (!sent) return after_failure(batch, *planned, sent.error());
    return Committed{.superseded = planned->superseded};
  } catch (const IoError& error) {
    return Unavailable{error.what()};
  }
}

/// Sorts the messages by statement. Messages without what their row needs stay out.
std::expected<PostgresSink::Plan, std::string> PostgresSink::plan(const WriteBatch& batch) {
  Plan plan;
  std::vector<std::size_t> candles;
  std::array<std::vector<std::size_t>, kRowKindCount> others;
  for (std::size_t i = 0; i < batch.messages.size(); ++i) {
    const Routed& routed = batch.messages[i];
    switch (routed.route->kind) {
      case Kind::Candle:
        if (const auto field = missing_field(routed)) {
          plan.incomplete.push_back({i, {RejectReason::MissingField, std::string(*field)}});
        } else {
          candles.push_back(i);
        }
        break;
      case Kind::DeadLetter:
        if (std::holds_alternative<DeadLetterFields>(routed.facts.record)) {
          others[static_cast<std::size_t>(RowKind::DeadLetter)].push_back(i);
        } else {
          plan.incomplete.push_back({i, {RejectReason::MissingField, "headers of a dead letter"}});
        }
        break;
      case Kind::Signal:
      case Kind::AnalyzerSignal:
      case Kind::FilteredSignal:
      case Kind::Order:
      case Kind::Execution:
        others[static_cast<std::size_t>(record_kind(routed.route->kind))].push_back(i);
        break;
      case Kind::TriggerSignal:
        break;
    }
  }
  if (!candles.empty()) {
    if (auto added = add_candles(plan, batch, candles); !added) {
      return std::unexpected(added.error());
    }
  }
  for (std::size_t kind = 0; kind < kRowKindCount; ++kind) {
    if (!others[kind].empty()) {
      plan.groups.push_back({static_cast<RowKind>(kind), std::move(others[kind])});
    }
  }
  return plan;
}

std::expected<void, std::string> PostgresSink::add_candles(Plan& plan, const WriteBatch& batch,
                                                           std::span<const std::size_t> candles) {
  Coalesced coalesced = coalesce_candles(batch.messages, candles);
  plan.superseded = coalesced.superseded;
  if (options_.candle_table == CandleTable::Shadow) {
    plan.groups.push_back({RowKind::ShadowCandle, std::move(coalesced.winners)});
    return {};
  }
  if (!closed_candles_) closed_candles_ = find_closed_candles(connection_);
  if (closed_candles_ == ClosedCandles::NoTable) {
    closed_candles_.reset();
    return std::unexpected("table public.market_data is missing; run: signalbox migrate");
  }
  if (closed_candles_ == ClosedCandles::Column) {
    plan.groups.push_back({RowKind::Candle, std::move(coalesced.winners)});
    return {};
  }
  Group closed{RowKind::ClosedCandle};
  Group open{RowKind::OpenCandle};
  for (const std::size_t row : coalesced.winners) {
    const auto& candle = std::get<CandleFields>(batch.messages[row].facts.record);
    (candle.is_closed ? closed : open).rows.push_back(row);
  }
  if (!closed.rows.empty()) plan.groups.push_back(std::move(closed));
  if (!open.rows.empty()) plan.groups.push_back(std::move(open));
  return {};
}

/// The fences first: a zombie is refused before it waits for a lock or writes a row.
std::expected<void, PostgresFailure> PostgresSink::send(const WriteBatch& batch, const Plan& plan) {
  std::deque<PostgresParameters> parameters;
  std::vector<PostgresCall> calls;
  if (!batch.moves.empty()) {
    encode_moves(parameters.emplace_back(), options_.group, batch.moves);
    calls.push_back({&move_fences_statement(), parameters.back().get()});
  }
  for (const Group& group : plan.groups) {
    encode_rows(parameters.emplace_back(), group.kind, batch, group.rows);
    calls.push_back({&statement_for(group.kind), parameters.back().get()});
  }
  if (calls.empty()) return {};
  return connection_.transact(calls);
}

WriteOutcome PostgresSink::after_failure(const WriteBatch& batch, const Plan& plan,
                                         const PostgresFailure& failure) {
  if (failure.certainty == PostgresFailure::Certainty::Unknown) {
    connection_.close();
    return Unknown{failure.error.text(), Committed{.superseded = plan.superseded}};
  }
  if (failure.error.sqlstate == kFenceRefused) return Refused{};
  if (!is_row_fault(failure.error)) return unavailable(failure.error);
  // An error of COMMIT itself (a deferred constraint) names no statement: all are suspect.
  std::span<const Group> suspects = plan.groups;
  if (failure.call) {
    const std::size_t fences = batch.moves.empty() ? 0 : 1;
    if (*failure.call < fences) return unavailable(failure.error);
    suspects = suspects.subspan(*failure.call - fences, 1);
  }
  return search_faults(batch, suspects, failure.error);
}

WriteOutcome PostgresSink::search_faults(const WriteBatch& batch, std::span<const Group> suspects,
                                         const PostgresError& error) {
  const auto deadline = std::chrono::steady_clock::now() + options_.fault_search_max;
  RowsRejected rejected;
  for (const Group& group : suspects) {
    const auto trial = [&](std::span<const std::size_t> rows) -> TrialOutcome {
      if (std::chrono::steady_clock::now() >= deadline) {
        return {TrialOutcome::Kind::Unavailable, "the search for refused rows took too long"};
      }
      return trial_outcome(try_rows(batch, group.kind, rows));
    };
    const FoundFaults found = find_faults(group.rows, trial);
    if (found.faults.empty()) {
      if (found.unavailable) return Unavailable{*found.unavailable};
      continue;
    }
    if (!found.others_pass && !canary_passes(batch, group.kind, found.faults.front().row)) {
      return Unavailable{"the table refuses every row: " + error.text()};
    }
    for (const FaultyRow& fault : found.faults) {
      rejected.rows.push_back({fault.row, {RejectReason::RefusedBySink, fault.why}});
    }
  }
  if (rejected.rows.empty()) {
    return Unavailable{"refused once, and passed when tried again: " + error.text()};
  }
  return rejected;
}

std::expected<void, PostgresFailure> PostgresSink::try_rows(const WriteBatch& batch, RowKind kind,
                                                            std::span<const std::size_t> rows) {
  PostgresParameters parameters;
  encode_rows(parameters, kind, batch, rows);
  const std::array calls{PostgresCall{&statement_for(kind), parameters.get()},
                         PostgresCall{&abandon_statement(), {}}};
  return connection_.transact(calls);
}

/// When no row of the batch passes, whether one of our own would: if not, the table refuses
/// everything and no row is to blame.
bool PostgresSink::canary_passes(const WriteBatch& batch, RowKind kind, std::size_t row) {
  const Routed& refused = batch.messages[row];
  if (std::holds_alternative<CandleFields>(refused.facts.record)) {
    return candle_canary_passes(batch, kind, refused);
  }
  const TopicPartition source{"signalbox.canary", 0};
  const Message message{.offset = Offset{0}, .timestamp = {}, .key = {}, .payload = "{}"};
  Routed canary = refused;
  canary.message = &message;
  canary.source = &source;
  canary.is_replay = false;
  if (kind == RowKind::DeadLetter) {
    DeadLetterFields letter;
    letter.lane = "canary";
    letter.topic = source.topic;
    canary.facts.record = std::move(letter);
  } else {
    canary.facts.record = RecordFields{};
  }
  const WriteBatch own{.messages = {&canary, 1}, .moves = {}, .received_at = batch.received_at};
  const std::size_t first = 0;
  return trial_outcome(try_rows(own, kind, {&first, 1})).kind == TrialOutcome::Kind::Passed;
}

/// The same place with harmless values, then another time, then another symbol (each of which the
/// table may tie to something), then the newest candle that is there, once more.
bool PostgresSink::candle_canary_passes(const WriteBatch& batch, RowKind kind,
                                        const Routed& refused) {
  const auto& fields = std::get<CandleFields>(refused.facts.record);
  CandleFields harmless{.symbol = fields.symbol,
                        .timeframe = fields.timeframe,
                        .open_time = fields.open_time,
                        .open = "1",
                        .high = "1",
                        .low = "1",
                        .close = "1",
                        .volume = "1",
                        .quote_asset_volume = {},
                        .number_of_trades = {},
                        .taker_buy_base_asset_volume = {},
                        .taker_buy_quote_asset_volume = {},
                        .is_closed = fields.is_closed};
  std::vector<CandleFields> canaries{harmless};
  harmless.open_time = std::chrono::floor<std::chrono::minutes>(batch.received_at);
  canaries.push_back(harmless);
  harmless.symbol = "SIGNALBOXCANARY";
  harmless.timeframe = Timeframe::M1;
  canaries.push_back(harmless);
  for (CandleFields& candle : canaries) {
    Routed canary = refused;
    canary.facts.record = std::move(candle);
    const WriteBatch own{.messages = {&canary, 1}, .moves = {}, .received_at = batch.received_at};
    const std::size_t first = 0;
    const auto outcome = trial_outcome(try_rows(own, kind, {&first, 1}));
    if (outcome.kind == TrialOutcome::Kind::Passed) return true;
  }
  if (kind == RowKind::ShadowCandle) return false;
  const std::array calls{PostgresCall{&rewrite_newest_candle_statement(), {}},
                         PostgresCall{&abandon_statement(), {}}};
  const bool is_empty =
      connection_.execute("SELECT NOT EXISTS (SELECT FROM public.market_data)").value() == "t";
  return !is_empty && trial_outcome(connection_.transact(calls)).kind == TrialOutcome::Kind::Passed;
}

/// What may have changed under the connection (a table, a column, a prepared statement) is looked
/// at again with the next one.
Unavailable PostgresSink::unavailable(const PostgresError& error) {
  if (is_lost_statement(error)) lost_statements_ = true;
  if (calls_for_new_session(error)) connection_.close();
  std::string why = error.text();
  if (is_missing_object(error)) why += "; run: signalbox migrate";
  return {std::move(why)};
}

}  // namespace signalbox
