"""20,000 random signals for 2,000 pipelines, beside an oracle that knows nothing of the program."""

import collections
import json
import time

import pytest

from harness import Place, connect_redis, dead_letter_messages, wait_until
from oracle_trigger import Oracle
from random_trigger import Random
from trigger import Outcomes, Task, Trigger, Worker, connect_queue, take, triple_of, wait_for_signals

ARGUMENTS = ("pipeline_id", "user_id", "mode", "symbol", "signal_context")


def text_of(arguments):
    """In which a NaN equals itself and 1 is not 1.0."""
    return json.dumps({name: arguments[name] for name in ARGUMENTS}, sort_keys=True)


@pytest.fixture
def quick_redis():
    """No test here restarts Redis: it need not wait for the disk."""
    client = connect_redis()
    before = client.config_get("appendfsync")["appendfsync"]
    client.config_set("appendfsync", "everysec")
    yield
    client.config_set("appendfsync", before)


def send_wave(world, oracle, signals, count, ages=(0,)):
    """The producer remembers places; the oracle is told of each in their order."""
    sent = []
    for _ in range(count):
        value, age = world.signal(), world.random.choice(ages)
        logged = time.time() - age
        signals.produced.send(signals.topic, value, partition=0, timestamp=int(logged * 1000))
        sent.append((value, logged, age))
    first = oracle.next_offset if hasattr(oracle, "next_offset") else 0
    signals.produced.flush()
    for offset, (value, logged, age) in enumerate(sent, first):
        assert signals.produced.messages[Place(signals.topic, 0, offset)] == value
        oracle.take(value, Place(signals.topic, 0, offset), logged_at=logged, age_seconds=age)
    oracle.next_offset = first + count


def agree(allowed, found):
    """A triple of a signal that comes twice has two; within one call their order means nothing."""
    left = list(found)
    for outcomes in sorted(allowed, key=len):
        fitting = [one for one in left if one in outcomes]
        if not fitting:
            return False
        left.remove(fitting[0])
    return not left


def differences(oracle, outcomes):
    """Triples whose outcomes are not those that the oracle allows."""
    found = outcomes.read()
    return [(triple, oracle.found.get(triple, []), found.get(triple, []))
            for triple in oracle.found.keys() | found.keys()
            if not agree(oracle.found.get(triple, []), found.get(triple, []))]


def verdict(oracle, tasks):
    """Missing, extra, doubled and malformed tasks, by what a worker got."""
    counts = collections.Counter(triple for triple, _ in tasks)
    malformed = [(triple, text, text_of(oracle.tasks[triple])) for triple, text in tasks
                 if triple in oracle.tasks and text != text_of(oracle.tasks[triple])]
    return {"missing": sorted(oracle.tasks.keys() - counts.keys()),
            "extra": sorted(counts.keys() - oracle.tasks.keys()),
            "doubled": [triple for triple, count in counts.items() if count > 1],
            "malformed": malformed}


def fill(trading, seed, pipelines, tickers, **rules):
    world = Random(seed, pipelines, tickers)
    trading.add_pipelines(world.rows)
    return world, Oracle(world.rows, **rules)


def test_20000_signals_for_2000_pipelines_run_what_the_oracle_says(trading, signals, queue,
                                                                   quick_redis):
    """In four waves: the worker stands still meanwhile, so that who is busy is known exactly, and then
    runs everything."""
    world, oracle = fill(trading, 20_000, 2_000, 1_500)
    outcomes = Outcomes()
    began = time.monotonic()
    with (Trigger(signals, queue, LOG_LEVEL="WARNING").start() as trigger,
          Worker(queue, concurrency=4) as worker):
        for wave in range(4):
            worker.pause()
            runs = list(world.runs(600))
            trading.end_runs()
            trading.add_runs(runs)
            oracle.begin_wave(runs)
            send_wave(world, oracle, signals, 5_000, ages=(0,) * 30 + (3_000,))
            wait_for_signals(trigger.group, signals)
            worker.go_on()
            wait_until(lambda: connect_queue().llen(queue) == 0
                       and connect_queue().hlen("unacked") == 0
                       and trigger.trigger()["queue"]["open_claims"] == 0, 900,
                       f"every run of wave {wave}", 0.5)
        tasks = [(triple_of(run), text_of(run)) for run in worker.runs()]
        faults = [run for run in worker.runs() if run["faults"]]
        counters = trigger.trigger()
    found = verdict(oracle, tasks)
    wrong = differences(oracle, outcomes)
    letters = dead_letter_messages(signals.topic, 10, at_least=len(oracle.dead_letters))
    kinds = collections.Counter(one for several in outcomes.read().values() for one in several)
    print(f"{signals.count()} signals, {len(world.rows)} pipelines, {len(tasks)} tasks executed in"
          f" {time.monotonic() - began:.0f} s:"
          f" {({name: len(several) for name, several in found.items()})}, {len(wrong)} of"
          f" {len(oracle.found)} triples with another outcome, {len(letters)} dead letters of"
          f" {len(oracle.dead_letters)}; {dict(kinds)}")
    assert {name: several[:3] for name, several in found.items()} == {name: [] for name in found}
    assert wrong[:5] == []
    assert faults == []
    assert {(headers["signalbox-topic"], int(headers["signalbox-offset"]))
            for _, headers, _ in letters} == {(place.topic, place.offset)
                                              for place in oracle.dead_letters}
    assert counters["balanced"]
    assert counters["pipeline_cache"]["malformed_rows"] == len(oracle.malformed)
    assert counters["outcomes"]["enqueued"] == len(oracle.tasks)
    assert set(kinds) >= {"enqueued", "busy", "duplicate", "expired", "no_subscription",
                          "wrong_timeframe", "below_confidence", "not_routed", "backtest_off"}


def test_market_hours_by_the_signals_own_time_are_those_of_new_york(trading, signals, queue,
                                                                    quick_redis):
    """Holidays, half days and summer time of several years, beside rules that compute them."""
    world, oracle = fill(trading, 4, 300, 40, market_hours="signal")
    outcomes = Outcomes()
    with Trigger(signals, queue, MARKET_HOURS="signal", LOG_LEVEL="WARNING").start() as trigger:
        for _ in range(3):
            oracle.begin_wave([])
            send_wave(world, oracle, signals, 2_000)
            wait_for_signals(trigger.group, signals)
            take(queue)
    wrong = differences(oracle, outcomes)
    kinds = collections.Counter(one for several in outcomes.read().values() for one in several)
    print(f"{len(oracle.found)} triples, {len(wrong)} with another outcome; {dict(kinds)}")
    assert wrong[:5] == []
    assert kinds["market_closed"] > 500 and kinds["enqueued"] > 500


def test_backtests_run_on_their_own_queue_where_they_are_allowed(trading, signals, queue):
    """They match as any signal does: their marks are no way into a pipeline."""
    from trigger import make_signal, queued
    import trading_platform
    watching, other = trading.add_pipeline("AAPL"), trading.add_pipeline("MSFT")
    marks = {"timeframe": "D", "backtest_run_id": "run 1", "backtest_ts": "2026-01-02T15:00:00"}
    with Trigger(signals, queue, ALLOW_BACKTEST_SIGNALS="true").start() as trigger:
        signals.send(make_signal("AAPL", metadata=marks),
                     make_signal("AAPL", metadata={"backtest_pipeline_id": other}),
                     make_signal("GOOG", metadata={**marks, "backtest_pipeline_id": other}))
        wait_for_signals(trigger.group, signals)
        task, = queued(queue + "-backtest")
        assert (task.kwargs["mode"], task.kwargs["pipeline_id"]) == ("backtest", watching)
        assert task.kwargs["user_id"] == trading_platform.USER
        assert task.kwargs["signal_context"]["metadata"]["backtest_ts"] == marks["backtest_ts"]
        assert isinstance(task, Task) and queued(queue) == []
