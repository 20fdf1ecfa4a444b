"""Every way in which the original enqueues twice, and the seed's own timeline: one task each."""

import collections
import json
import time
import uuid

import pytest
from confluent_kafka import Consumer, TopicPartition

import harness
from harness import Proxy, REDIS_PORT, wait_until
from trigger import (DATABASE, Outcomes, Signals, Trigger, Triple, Worker, connect_queue, fence_sum,
                     make_signal, queued, take, wait_for_signals)


def triples(queue):
    return [task.triple for task in queued(queue)]


def settled(trigger, signals, partitions=1):
    wait_for_signals(trigger.group, signals, partitions)
    time.sleep(0.3)  # nothing more comes


def test_the_timeline_of_the_readme_makes_exactly_one_task(trading, signals, queue):
    """Three signals in half a second, AAPL twice; one pipeline is idle, the other one runs."""
    idle, running = trading.add_pipeline("AAPL"), trading.add_pipeline("MSFT")
    trading.add_run(running, "MSFT")
    outcomes = Outcomes()
    with Trigger(signals, queue).start() as trigger, Worker(queue) as worker:
        worker.pause()  # the first task is still queued when the second AAPL comes
        began = time.monotonic()
        first = signals.send(make_signal("AAPL"))
        other = signals.send(make_signal("MSFT"))
        second = signals.send(make_signal("AAPL"))
        assert time.monotonic() - began < 0.5
        settled(trigger, signals)
        worker.go_on()
        wait_until(lambda: worker.lines("ended"), 30, "the run")
        time.sleep(1)
        assert [(run["pipeline_id"], run["symbol"]) for run in worker.runs()] == [(idle, "AAPL")]
        assert worker.runs()[0]["signal_context"]["signal_id"] == first
        assert outcomes.of(first, idle, "AAPL") == ["enqueued"]
        assert outcomes.of(second, idle, "AAPL") == ["busy"]
        assert outcomes.of(other, running, "MSFT") == ["busy"]
        assert trigger.outcomes() == {"enqueued": 1, "busy": 2}


def test_1_a_queued_task_that_has_no_row_yet_keeps_its_pair_busy(trading, signals, queue):
    pipeline = trading.add_pipeline("AAPL")
    with Trigger(signals, queue).start() as trigger:
        first = signals.send(make_signal("AAPL"))
        wait_until(lambda: queued(queue), 20, "a task")
        for _ in range(3):
            time.sleep(0.7)  # batches of their own
            signals.send(make_signal("AAPL"))
        settled(trigger, signals)
        assert triples(queue) == [Triple(first, pipeline, "AAPL")]


def test_2_two_signals_in_one_batch_never_run_in_both_slots(trading, signals, queue):
    pipelines = [trading.add_pipeline("AAPL") for _ in range(20)]
    with Trigger(signals, queue).start(), Worker(queue, seconds=0.2) as worker:
        signals.send(*[make_signal("AAPL") for _ in range(10)])
        wait_until(lambda: len(worker.lines("ended")) == 20, 40, "a run of each pipeline")
        time.sleep(1)
        assert sorted(run["pipeline_id"] for run in worker.runs()) == sorted(pipelines)


def test_3_replicas_that_get_signals_of_one_pair_at_once_enqueue_one(trading, queue):
    signals = Signals(partitions=2)
    tickers = [f"T{number}" for number in range(150)]
    trading.add_pipelines([trading.pipeline(*tickers) for _ in range(4)])
    outcomes = Outcomes()
    first = Trigger(signals, queue)
    try:
        with first.start(), Trigger(signals, queue, group=first.group).start() as second:
            both = (first, second)
            wait_until(lambda: all(next(iter(one.lanes().values()), {}).get("partitions") == 1
                                   for one in both), 40, "a partition each")
            for number, ticker in enumerate(tickers):
                for partition in (number % 2, 1 - number % 2):
                    signals.produced.send(signals.topic, json.dumps(
                        make_signal(ticker)).encode(), partition=partition)
                    if number % 10 < 2:  # some one after the other, so that both take part
                        signals.produced.flush()
                        time.sleep(0.05)
            signals.produced.flush()
            wait_for_signals(first.group, signals, 2)
            assert all(one.outcomes().get("enqueued", 0) > 0 for one in both)  # both took part
        tasks = triples(queue)
        assert len(tasks) == len({task[1:] for task in tasks}) == 600
        assert collections.Counter(tuple(found) for found in outcomes.read().values()) == {
            ("enqueued",): 600, ("busy",): 600}
    finally:
        signals.close()


def commit(group, topic, offset):
    """Moves the group's offset back, as a crash before the commit would have left it."""
    consumer = Consumer({"bootstrap.servers": harness.BROKER, "group.id": group,
                         "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def test_4_a_batch_that_kafka_delivers_again_enqueues_nothing_again(trading, signals, queue):
    tickers = [f"T{number}" for number in range(50)]
    trading.add_pipeline(*tickers)
    trigger = Trigger(signals, queue)
    with trigger.start():
        signals.send(*[make_signal(ticker) for ticker in tickers])
        settled(trigger, signals)
        assert len(take(queue)) == 50  # all have ended: nothing but the fence is left against them
        assert trigger.stop() == 0
    commit(trigger.group, signals.topic, 0)
    with trigger.start():
        extra = signals.send(make_signal("T0"))
        settled(trigger, signals)
        assert [task.signal for task in triples(queue)] == [extra]


def test_4_a_signal_that_its_sender_repeats_runs_once(trading, signals, queue):
    pipeline = trading.add_pipeline("AAPL")
    outcomes = Outcomes()
    body = make_signal("AAPL")
    with Trigger(signals, queue).start() as trigger:
        signals.send(body)
        settled(trigger, signals)
        assert len(take(queue)) == 1
        signals.send(body, body)
        settled(trigger, signals)
        assert queued(queue) == []
        assert outcomes.of(body["signal_id"], pipeline, "AAPL") == ["enqueued", "duplicate",
                                                                    "duplicate"]


def test_4_a_kill_after_the_write_and_before_its_reply_enqueues_nothing_again(trading, signals, queue):
    """What was written is known by the fence, not by what the trigger remembers."""
    tickers = [f"T{number}" for number in range(200)]
    trading.add_pipeline(*tickers)
    proxy = Proxy(REDIS_PORT)
    url = f"redis://127.0.0.1:{proxy.port}/{DATABASE}"
    trigger = Trigger(signals, queue, CELERY_BROKER_URL=url, CELERY_RESULT_BACKEND=url)
    try:
        with trigger.start():
            for stage in ("reply", "request", "reply", "request"):
                proxy.hold(stage)
                signals.send(*[make_signal(ticker) for ticker in tickers])
                wait_until(proxy.holds, 30, "a write", every=0.002)
                time.sleep(0.2)
                trigger.kill()
                proxy.cut()
                trigger.start()
                settled(trigger, signals)
                tasks = [task for task in take(queue)]
                assert len(tasks) == len({task.triple for task in tasks}) == 200, stage
    finally:
        proxy.close()


def test_5_while_nobody_knows_what_runs_nothing_is_enqueued(trading, signals, queue):
    idle, busy = trading.add_pipeline("AAPL"), trading.add_pipeline("MSFT")
    trading.add_run(busy, "MSFT")
    with Trigger(signals, queue).start() as trigger:
        with trading.taken_away("executions"):
            first = signals.send(make_signal("AAPL"))
            signals.send(make_signal("MSFT"))
            time.sleep(3)
            assert queued(queue) == []
            assert fence_sum(trigger.group, signals.topic) == 0
            status, health = trigger.health()
            assert (status, health["status"]) != (200, "healthy")
        settled(trigger, signals)
        assert triples(queue) == [Triple(first, idle, "AAPL")]
        assert trigger.outcomes() == {"enqueued": 1, "busy": 1}


@pytest.mark.parametrize("stage", ["request", "reply"])
def test_a_signal_that_is_partly_done_goes_on_where_it_was(trading, signals, queue, stage):
    """One signal for more pipelines than one call takes; the trigger is killed amid its calls."""
    count = 4_500
    pipelines = [trading.pipeline("AAPL") for _ in range(count)]
    trading.add_pipelines(pipelines)
    proxy = Proxy(REDIS_PORT)
    url = f"redis://127.0.0.1:{proxy.port}/{DATABASE}"
    trigger = Trigger(signals, queue, CELERY_BROKER_URL=url, CELERY_RESULT_BACKEND=url)
    outcomes = Outcomes()
    try:
        with trigger.start():
            proxy.hold(stage)
            body = make_signal("AAPL")
            signals.send(body)
            for call in range(2):
                wait_until(proxy.holds, 30, "a call", every=0.002)
                time.sleep(0.5)
                trigger.kill()
                proxy.cut()
                if call == 0:
                    proxy.hold(stage)
                trigger.start()
            settled(trigger, signals)
            tasks = triples(queue)
            assert len(tasks) == count
            assert {task.pipeline for task in tasks} == {row["id"] for row in pipelines}
            found = outcomes.read()
            assert {tuple(found[Triple(body["signal_id"], row["id"], "AAPL")])
                    for row in pipelines} == {("enqueued",)}
    finally:
        proxy.close()


def test_signals_without_an_id_are_told_apart_by_their_place(trading, signals, queue):
    pipeline = trading.add_pipeline("A", "B", "C")
    with Trigger(signals, queue).start() as trigger:
        for ticker in "ABC":
            body = make_signal(ticker)
            del body["signal_id"]
            signals.send(json.dumps(body).encode())
        settled(trigger, signals)
        assert triples(queue) == [Triple(f"{signals.topic}/0/{offset}", pipeline, ticker)
                                  for offset, ticker in enumerate("ABC")]


def test_an_id_of_a_task_is_the_same_for_the_same_triple_and_no_other(trading, signals, queue):
    """UUIDv5, so that whoever looks for a signal's run can name it."""
    pipeline = trading.add_pipeline("AAPL", "MSFT")
    body = make_signal("AAPL", "MSFT")
    with Trigger(signals, queue).start() as trigger:
        signals.send(body)
        settled(trigger, signals)
        tasks = {task.triple.ticker: task for task in take(queue)}
        namespace = uuid.UUID("5f2b6f0e-7d0a-5c60-9f0e-0d2f3d1c6b11")
        for ticker, task in tasks.items():
            assert task.id == str(uuid.uuid5(namespace, f"{body['signal_id']}|{pipeline}|{ticker}"))
            assert task.properties["correlation_id"] == task.headers["root_id"] == task.id
        assert len({task.properties["delivery_tag"] for task in tasks.values()}) == 2
    assert connect_queue().exists(queue) == 0
