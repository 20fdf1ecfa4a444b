"""Real Celery workers, the newest and the oldest, execute our tasks whatever the signals held."""

import json
import time

import pytest

from harness import Place, connect_redis, dead_letter_messages, stack, wait_until
from oracle_trigger import Oracle
from trigger import (BROKER_URL, DATABASE, Outcomes, Trigger, Worker, connect_queue, make_signal,
                     queued, triple_of, wait_for_signals)

ARGUMENTS = ("pipeline_id", "user_id", "mode", "symbol", "signal_context")


def arguments_of(run):
    """As text, in which a NaN equals itself and 1 is not 1.0."""
    return json.dumps({name: run[name] for name in ARGUMENTS}, sort_keys=True)


def result_of(run):
    result = connect_queue().get(f"celery-task-meta-{run['task']}")
    return json.loads(result) if result else {"status": None}


def open_claims(trigger):
    return (trigger.trigger().get("queue") or {}).get("open_claims")


def test_a_worker_gets_every_field_under_the_originals_name_and_signature(trading, signals, queue,
                                                                          celery):
    row = trading.pipeline("AAPL", user_id=trading.USER, name="momentum")
    other = trading.pipeline("MSFT", user_id=trading.USER)
    trading.add_pipelines([row, other])
    body = make_signal("AAPL", "MSFT")
    body["metadata"]["ticker_pipelines"] = {"AAPL": [{
        "pipeline_id": row["id"], "pipeline_name": "momentum", "scanner_id": "s",
        "scanner_name": "tech"}], "MSFT": [{"pipeline_id": row["id"]}]}
    oracle = Oracle([row, other])
    oracle.take(json.dumps(body).encode(), Place(signals.topic, 0, 0), logged_at=0)
    assert len(oracle.tasks) == 1
    with Trigger(signals, queue).start() as trigger, Worker(queue, celery=celery) as worker:
        signals.send(body)
        wait_until(lambda: worker.lines("ended"), 30, "a run")
        run, = worker.runs()
        assert run["faults"] == []
        assert (run["args"], run["execution_id"], run["queue"]) == ([], None, queue)
        assert (run["pipeline_snapshot"], run["runtime_snapshot"]) == (None, None)
        expected = oracle.tasks[triple_of(run)]
        assert arguments_of(run) == json.dumps(expected, sort_keys=True)
        assert run["expires"] is not None
        assert wait_until(lambda: result_of(run)["status"]) == "SUCCESS"
        event, = trigger.events("pipeline_execution_enqueued")
        assert (event["task_id"], event["ticker"], event["mode"]) == (run["task"], "AAPL", "paper")
        wait_until(lambda: open_claims(trigger) == 0, 30, "the claim is given back")


def deep(levels):
    return json.loads("[" * levels + "]" * levels)


def nasty_signals():
    """Signals that are legal JSON for Python, each for a ticker of its own."""
    def one(**changes):
        return lambda ticker: make_signal(ticker, **changes)

    def raw(text):
        return lambda ticker: text.replace("TICKER", ticker).encode()

    simple = '{"signal_id": "ID-TICKER", "tickers": [{"ticker": "TICKER"}], '
    return {
        "typed metadata": one(metadata={"__type__": "datetime", "__value__": "x"}),
        "typed inside": one(metadata={"a": [{"b": {"__type__": "uuid", "__value__": "x"}}]}),
        "typed by escapes": raw(simple + '"metadata": {"\\u005f_type__": "bogus", "__value__": 1}}'),
        "typed reasoning": lambda ticker: make_signal(ticker, tickers=[
            {"ticker": ticker, "reasoning": {"__type__": "bogus", "__value__": "x"}}]),
        "typed deep": raw(simple + '"metadata": ' + '{"a": ' * 60 + '{"__type__": 1}' + "}" * 61),
        "NaN and infinities": one(metadata={"a": float("nan"), "b": float("inf"), "c": -float("inf")}),
        "large numbers": raw(simple + '"metadata": {"a": ' + "9" * 400 + ', "b": 1e400, "c": -0.0}}'),
        "too large a number": raw(simple + '"metadata": {"a": ' + "9" * 6000 + "}}"),
        "NaN as confidence": lambda ticker: make_signal(ticker, confidence=float("nan")),
        "infinite confidence": raw('{"signal_id": "ID-TICKER", "tickers":'
                                   ' [{"ticker": "TICKER", "confidence": 1e400}]}'),
        "text as confidence": lambda ticker: make_signal(ticker, confidence="high"),
        "lone surrogates": raw(simple + '"metadata": {"a": "\\ud800", "\\udfff": 1}}'),
        "lone surrogate in source": raw(simple + '"source": "\\ud800"}'),
        "zeros": one(metadata={"a\x00b": "\x00"}, source="a\x00b"),
        "null everywhere": one(signal_type=None, source=None, timestamp=None, metadata=None),
        "nothing but a ticker": raw('{"tickers": [{"ticker": "TICKER"}]}'),
        "other types": one(signal_id=17, signal_type=5, source=1.5, timestamp="2026-01-02T03:04:05Z"),
        "float timestamp": one(timestamp=1733407800.25),
        "a time that is none": one(timestamp={"a": 1}),
        "a time as NaN": one(timestamp=float("nan")),
        "true as time": one(timestamp=True),
        "1 MB of metadata": one(metadata={"timeframe": "D", "blob": "x" * 1_000_000}),
        "many keys": one(metadata={f"key {number}": number for number in range(20_000)}),
        "deep metadata": one(metadata={"a": deep(150)}),
        "deeper than Python reads": raw(simple + '"metadata": {"a": ' + "[" * 5000 + "]" * 5000 + "}}"),
        "long names": one(signal_type="t" * 20_000, source="s" * 20_000),
        "long id": lambda ticker: make_signal(ticker, signal_id="i" * 100_000 + ticker),
        "long reasoning": lambda ticker: make_signal(ticker, tickers=[
            {"ticker": ticker, "reasoning": "r" * 100_000}]),
        "repeated keys": raw(simple + '"metadata": {"a": 1, "a": 2, "ticker_pipelines": {},'
                             ' "ticker_pipelines": {}}}'),
        "keys of ours": one(metadata={"signalbox": {"__type__": 1}, "body": 1, "id": 2}),
        "unicode": one(source="Ünï😀", metadata={"😀": "\u2028\u2029", "日": "本"}),
        "raw control": raw(simple + '"source": "a\tb"}'),
        "odd elements": lambda ticker: make_signal(ticker, tickers=[
            None, [], {}, {"ticker": 5}, {"ticker": ticker}, "text"]),
    }


NASTY_TICKERS = ("it's", 'a"b', "a\\b", "a|b", "a\x06\x16b", "😀", "日本", "{}", "%s", "a\nb", " ",
                 "\x00", "-", "x" * 2_000)


def test_no_signal_stops_a_worker_or_makes_a_task_that_it_cannot_read(trading, signals, queue, celery):
    cases = nasty_signals()
    bodies = {name: make(f"N{number}") for number, (name, make) in enumerate(cases.items())}
    bodies.update({f"ticker {ticker!r:.20}": make_signal(ticker) for ticker in NASTY_TICKERS})
    tickers = [f"N{number}" for number in range(len(cases))]
    pipeline = trading.add_pipeline(*tickers, *(one for one in NASTY_TICKERS if "\x00" not in one),
                                    "GOOD", name='the "nasty" \\ 😀')
    with Trigger(signals, queue).start() as trigger, Worker(queue, celery=celery) as worker:
        signals.send(*bodies.values())
        last = signals.send(make_signal("GOOD"))
        wait_until(lambda: any(run["signal_context"]["signal_id"] == last for run in worker.runs()), 60,
                   "the good signal at the end")
        outcomes = trigger.outcomes()
        runs = wait_until(lambda: len(ended := worker.lines("ended")) == outcomes["enqueued"] and ended,
                          30, "a run of each task")
        lives = worker.lives()
    assert lives
    assert len(runs) == len({run["task"] for run in worker.runs()})
    assert [run for run in worker.runs() if run["faults"]] == []
    assert all(run["pipeline_id"] == pipeline for run in worker.runs())
    for word in ("CRITICAL", "Traceback", "ERROR"):
        assert word not in worker.log.read_text(errors="replace")
    # Everything is run, or refused with a reason for itself.
    letters = dead_letter_messages(signals.topic, 10, at_least=len(bodies) - len(runs))
    sent = {body if isinstance(body, bytes) else json.dumps(body).encode(): name
            for name, body in bodies.items()}
    refused = sorted(sent[value] for _, _, value in letters)
    print(f"{len(bodies)} nasty signals: {len(runs) - 1} run, {refused} refused")
    assert set(NASTY_TICKERS) - {run["symbol"] for run in worker.runs()} == {"\x00"}  # nobody's
    assert (len(runs) - 1) + len(letters) + 1 == len(bodies)


def test_the_stacks_own_worker_takes_tasks_from_the_originals_queue(trading, signals):
    url = BROKER_URL.removesuffix(f"/{DATABASE}") + "/0"
    pipeline = trading.add_pipeline("STACK")
    stack("start", "celery")
    try:
        with Trigger(signals, "celery", CELERY_BROKER_URL=url, CELERY_RESULT_BACKEND=url).start() as one:
            signals.send(make_signal("STACK"))
            event, = wait_until(lambda: one.events("pipeline_execution_enqueued"), 30, "a task")
            key = f"celery-task-meta-{event['task_id']}"
            result = wait_until(lambda: (text := connect_redis().get(key))
                                and (found := json.loads(text))["status"] == "SUCCESS" and found, 30,
                                "the worker's result")
            assert result["result"] == {"status": "completed"}
            assert event["pipeline_id"] == pipeline
    finally:
        stack("stop", "celery")


def intervals_of(worker):
    """(signal, start, end) of each run, in order of their starts."""
    ends = {line["task"]: line["at"] for line in worker.lines("ended")}
    return [(run["signal_context"]["signal_id"], run["at"], ends[run["task"]]) for run in worker.runs()]


def assert_never_two_at_once(worker):
    intervals = intervals_of(worker)
    for (_, _, ended), (_, started, _) in zip(intervals, intervals[1:]):
        assert started >= ended


def run_busy(trading, signals, queue, count, *, settings=None, config=None):
    """Sends signals of one pair while the first one runs; returns ids, runs and outcomes."""
    pipeline = trading.add_pipeline("AAPL", name="momentum one", config=config or {})
    outcomes = Outcomes()
    with (Trigger(signals, queue, **(settings or {})).start() as trigger,
          Worker(queue, seconds=1.5, rows=True) as worker):
        ids = [signals.send(make_signal("AAPL"))]
        wait_until(worker.runs, 30, "the first run")
        for _ in range(count - 1):
            ids.append(signals.send(make_signal("AAPL")))
        wait_for_signals(trigger.group, signals)
        wait_until(lambda: trigger.trigger()["queue"] and trigger.trigger()["queue"]["held_signals"] == 0
                   and trigger.trigger()["queue"]["waiting_tasks"] == 0
                   and len(worker.lines("ended")) == len(worker.runs()), 40, "no signal that waits", 0.3)
        time.sleep(2)  # nothing more comes
        assert trigger.trigger()["balanced"]
    found = [outcomes.of(one, pipeline, "AAPL") for one in ids]
    assert_never_two_at_once(worker)
    return ids, [one for one, _, _ in intervals_of(worker)], found


def test_a_busy_pair_skips_signals(trading, signals, queue):
    ids, ran, found = run_busy(trading, signals, queue, 3)
    assert ran == ids[:1]
    assert found == [["enqueued"], ["busy"], ["busy"]]


def test_a_busy_pair_keeps_the_latest_signal(trading, signals, queue):
    ids, ran, found = run_busy(trading, signals, queue, 4, settings={"WHEN_BUSY": "keep_latest"})
    assert ran == [ids[0], ids[3]]
    assert found == [["enqueued"], ["held", "superseded"], ["held", "superseded"],
                     ["held", "enqueued"]]


def test_a_busy_pair_queues_two_signals(trading, signals, queue):
    """By a pattern of names, which outranks the owner's word."""
    ids, ran, found = run_busy(
        trading, signals, queue, 4, settings={"WHEN_BUSY_BY_PIPELINE": "momentum*=queue:2"},
        config={"signalbox": {"when_busy": "skip"}})
    assert ran == ids[:3]
    assert found == [["enqueued"], ["held", "enqueued"], ["held", "enqueued"], ["queue_full"]]


def test_the_owner_of_a_pipeline_sets_its_policy(trading, signals, queue):
    ids, ran, found = run_busy(trading, signals, queue, 3,
                               config={"signalbox": {"when_busy": "keep_latest"}})
    assert ran == [ids[0], ids[2]]
    assert found == [["enqueued"], ["held", "superseded"], ["held", "enqueued"]]


def test_a_task_that_nobody_took_in_time_is_dropped_and_its_pair_is_free_again(trading, signals, queue,
                                                                              celery):
    trading.add_pipeline("AAPL")
    with Trigger(signals, queue, TASK_EXPIRES_SECONDS=2).start() as trigger:
        signals.send(make_signal("AAPL"))
        wait_until(lambda: queued(queue), 20, "a task")
        time.sleep(2.5)
        with Worker(queue, celery=celery) as worker:
            wait_until(lambda: connect_queue().llen(queue) == 0, 20, "the worker takes it")
            wait_until(lambda: open_claims(trigger) == 0, 30, "the claim is given back")
            assert worker.runs() == []
            fresh = signals.send(make_signal("AAPL"))
            run, = wait_until(worker.runs, 20, "a run of the next signal")
            assert run["signal_context"]["signal_id"] == fresh


@pytest.mark.parametrize("held", [False, True])
def test_a_killed_workers_run_is_not_repeated_when_its_time_is_over(trading, signals, queue, held):
    """acks_late and the visibility time-out give a dead worker's task to the next one; `expires` makes
    that one drop it. Nothing of the pair is lost: the next signal runs, or the one that waited."""
    trading.add_pipeline("AAPL")
    settings = {"TASK_EXPIRES_SECONDS": 3, "TASK_HARD_LIMIT_SECONDS": 4,
                "WHEN_BUSY": "keep_latest" if held else "skip"}
    with Trigger(signals, queue, **settings).start() as trigger:
        first = Worker(queue, seconds=60, visibility=5).start()
        signals.send(make_signal("AAPL"))
        wait_until(first.runs, 20, "a run")
        waiting = signals.send(make_signal("AAPL")) if held else None
        first.kill()
        time.sleep(6)
        with Worker(queue, visibility=5, record=first.record.with_suffix(".second.jsonl")) as second:
            wait_until(lambda: connect_queue().hlen("unacked") == 0, 60, "the task came again", 0.2)
            if held:
                wait_until(second.runs, 120, "the signal that waited")
            else:
                wait_until(lambda: open_claims(trigger) == 0, 120, "the claim is given back")
                waiting = signals.send(make_signal("AAPL"))
            run, = wait_until(second.runs, 20, "a run of the next signal")
            assert run["signal_context"]["signal_id"] == waiting
