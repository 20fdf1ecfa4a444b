"""Three replicas, kill -9 with work outstanding, servers that restart: every task once."""

import collections
import json
import os
import pathlib
import random
import threading
import time

import pytest

from harness import REPO, connect_redis, stack, wait_until
from trigger import (Outcomes, Signals, Task, Trigger, Triple, Worker, connect_queue, fence_sum,
                     make_signal, queued, triple_of, wait_for_signals)

KILLS = 24
PARTITIONS = 6
# After which of the kills a server is killed and started as well.
RESTARTS = {6: "postgres", 11: "redis", 16: "postgres", 20: "redis"}


class Load:
    """Signals in the background, each for a ticker of its own: what must run is known by itself."""

    def __init__(self, trading, signals, pipelines, tickers):
        self.signals, self.tickers = signals, [f"T{number}" for number in range(tickers)]
        rows = [trading.pipeline(*self.tickers) for _ in range(pipelines)]
        trading.add_pipelines(rows)
        self.pipelines = [row["id"] for row in rows]
        self.expected = set()
        self.stopping = threading.Event()
        self.next = 0

    def burst(self, count):
        for _ in range(count):
            ticker = self.tickers[self.next]
            body = make_signal(ticker)
            self.signals.produced.send(self.signals.topic, json.dumps(body).encode(),
                                       partition=self.next % PARTITIONS)
            self.expected |= {Triple(body["signal_id"], one, ticker) for one in self.pipelines}
            self.next += 1

    def outstanding(self, group):
        return self.next - fence_sum(group, self.signals.topic, PARTITIONS)


def pushed_to(queue):
    """Every task that ever was pushed, from Redis's own journal: no worker's fault is in it."""
    tasks = []
    folder = pathlib.Path(os.environ.get("STACK_DIR", REPO / ".stack")) / "redis/appendonlydir"
    for path in sorted(folder.glob("*.incr.aof"), key=lambda one: int(one.name.split(".")[-3])):
        for words in commands_of(path):
            if words[0].upper() == b"LPUSH" and words[1] == queue.encode():
                tasks += [Task(element) for element in words[2:]]
    return tasks


def commands_of(path):
    with path.open("rb") as file:
        while header := file.readline():
            if header.startswith(b"#"):
                continue
            words = []
            for _ in range(int(header[1:])):
                size = int(file.readline()[1:])
                words.append(file.read(size + 2)[:-2])
            yield words


@pytest.fixture
def journal():
    """Redis keeps every command meanwhile."""
    client = connect_redis()
    client.bgrewriteaof()  # what was before is not looked at
    wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], 60)
    client.config_set("auto-aof-rewrite-percentage", 0)
    yield
    connect_redis().config_set("auto-aof-rewrite-percentage", 100)


def tasks_of(worker):
    return [triple_of(run) for run in worker.runs()]


def judged(expected, seen):
    counts = collections.Counter(seen)
    return {"missing": len(expected - counts.keys()), "extra": len(counts.keys() - expected),
            "doubled": sum(count > 1 for count in counts.values())}


NOTHING = {"missing": 0, "extra": 0, "doubled": 0}


def restart(service, load, worker, replicas, queue):
    """With signals outstanding. Celery itself loses a task that Redis gave away while it died, so the
    worker is given nothing in that moment."""
    if service == "redis":
        for replica in replicas:
            replica.pause()
        wait_until(lambda: connect_queue().llen(queue) == 0 and connect_queue().hlen("unacked") == 0,
                   240, "an idle worker", 0.2)
        worker.kill()
        load.burst(60)
        load.signals.produced.flush()
        for replica in replicas:
            replica.go_on()
        time.sleep(random.Random(load.next).random() / 20)
    stack("kill", service)
    load.burst(60)
    load.signals.produced.flush()
    time.sleep(1)
    stack("start", service)
    if service == "redis":
        connect_redis().config_set("auto-aof-rewrite-percentage", 0)
        worker.start()


def test_three_replicas_that_are_killed_make_every_task_exactly_once(trading, queue, journal):
    signals = Signals(partitions=PARTITIONS)
    load = Load(trading, signals, pipelines=2, tickers=8_000)
    outcomes = Outcomes()
    replicas = [Trigger(signals, queue, INSTANCE_ID="a", LOG_LEVEL="WARNING")]
    group = replicas[0].group
    replicas += [Trigger(signals, queue, group=group, INSTANCE_ID=name, LOG_LEVEL="WARNING")
                 for name in "bc"]
    worker = Worker(queue, concurrency=4).start()
    outstanding, choice = [], random.Random(1)
    try:
        for replica in replicas:
            replica.start()
        wait_until(lambda: all(next(iter(one.lanes().values()))["partitions"] == 2 for one in replicas),
                   60, "two partitions each")
        for kill in range(1, KILLS + 1):
            victim = replicas[kill % 3]
            while True:
                load.burst(40)
                load.signals.produced.flush()
                time.sleep(choice.random() / 50)
                victim.kill()
                if (left := load.outstanding(group)) > 0:
                    break
                victim.start(ready=False)
                wait_until(victim.works, 40, "the replica works")
            outstanding.append(left)
            if kill in RESTARTS:
                restart(RESTARTS[kill], load, worker, [one for one in replicas if one is not victim],
                        queue)
            victim.start(ready=False)
            wait_until(victim.works, 60, "the replica works")
            outcomes.read()
        wait_for_signals(group, signals, PARTITIONS, 120)
        wait_until(lambda: connect_queue().llen(queue) == 0 and connect_queue().hlen("unacked") == 0,
                   400, "every run", 0.5)
        wait_until(lambda: len(worker.lines("ended")) == len(worker.runs()), 30)
        malformed = sum(bool(run["faults"]) for run in worker.runs())
        tasks = pushed_to(queue)
        found = judged(load.expected, [task.triple for task in tasks])
        ran = judged(load.expected, tasks_of(worker))
        print(f"{len(outstanding)} kills of 3 replicas, {len(RESTARTS)} restarts of Redis and"
              f" PostgreSQL, outstanding at each kill {outstanding}; {load.next} signals,"
              f" {len(load.expected)} tasks expected, {len(tasks)} pushed: {found};"
              f" {len(worker.runs())} executed: {ran}, malformed {malformed}")
        assert found == NOTHING
        assert ran == NOTHING
        assert malformed == 0
        assert collections.Counter(tuple(one) for one in outcomes.read().values()) == {
            ("enqueued",): len(load.expected)}
        assert len(outstanding) == KILLS and min(outstanding) > 0
    finally:
        for replica in replicas:
            replica.__exit__()
        worker.kill()
        signals.close()


def test_kills_never_put_two_runs_of_a_pair_in_flight(trading, queue):
    """Many signals for few pairs: who is busy waits or is skipped, whoever is killed."""
    signals = Signals(partitions=PARTITIONS)
    tickers = [f"T{number}" for number in range(10)]
    pipelines = [trading.add_pipeline(*tickers) for _ in range(3)]
    replicas = [Trigger(signals, queue, INSTANCE_ID="a", WHEN_BUSY="queue:3")]
    replicas += [Trigger(signals, queue, group=replicas[0].group, INSTANCE_ID="b",
                         WHEN_BUSY="queue:3")]
    outcomes, sent = Outcomes(), 0
    try:
        with Worker(queue, concurrency=4, seconds=0.05, rows=True) as worker:
            for replica in replicas:
                replica.start()
            for kill in range(8):
                for _ in range(30):
                    signals.produced.send(signals.topic, json.dumps(
                        make_signal(tickers[sent % 10])).encode(), partition=sent % PARTITIONS)
                    sent += 1
                signals.produced.flush()
                time.sleep(0.2)
                victim = replicas[kill % 2]
                victim.kill()
                victim.start(ready=False)
                wait_until(victim.works, 60, "the replica works")
                outcomes.read()
            wait_for_signals(replicas[0].group, signals, PARTITIONS, 120)
            wait_until(lambda: connect_queue().hlen("signalbox:trigger:held") == 0
                       and connect_queue().llen(queue) == 0 and connect_queue().hlen("unacked") == 0,
                       240, "no signal that waits", 0.5)
            wait_until(lambda: len(worker.lines("ended")) == len(worker.runs()), 30)
            ends = {line["task"]: line["at"] for line in worker.lines("ended")}
            by_pair = collections.defaultdict(list)
            for run in worker.runs():
                by_pair[run["pipeline_id"], run["symbol"]].append((run["at"], ends[run["task"]]))
            overlapping = sum(later[0] < earlier[1] for several in by_pair.values()
                              for earlier, later in zip(sorted(several), sorted(several)[1:]))
        ended = outcomes.read()
        ran = collections.Counter(tasks_of(worker))
        expected = {triple for triple, found in ended.items() if found[-1] == "enqueued"}
        print(f"{sent} signals for {len(by_pair)} pairs, {sum(ran.values())} runs, {overlapping} of them"
              f" overlap; {collections.Counter(tuple(found) for found in ended.values())}")
        assert overlapping == 0
        assert len(ended) == sent * len(pipelines)
        assert judged(expected, ran.elements()) == NOTHING
        assert {found[-1] for found in ended.values()} <= {"enqueued", "busy", "queue_full"}
    finally:
        for replica in replicas:
            replica.__exit__()
        signals.close()


@pytest.mark.parametrize("policy", ["rewind", "skip"])
def test_an_emptied_redis_costs_what_on_amnesia_says(trading, signals, queue, policy):
    """The queue is gone as well: either the signals of the last minutes run again, or none does."""
    tickers = [f"T{number}" for number in range(100)]
    trading.add_pipeline(*tickers, "NEW")
    trigger = Trigger(signals, queue, ON_AMNESIA=policy, SIGNAL_MAX_AGE_SECONDS=300)
    with trigger.start():
        first = [make_signal(ticker) for ticker in tickers]
        for body in first:
            body["metadata"]["group"] = "first"
        signals.send(*first)
        signals.send(make_signal("NEW"), timestamp=int((time.time() - 290) * 1000))
        wait_for_signals(trigger.group, signals)
        assert len(queued(queue)) == 101
        time.sleep(6)  # the group has committed
        connect_queue().flushdb()
        fresh = signals.send(make_signal("NEW"))
        wait_for_signals(trigger.group, signals)
        time.sleep(2)
        tasks = [task.triple.signal for task in queued(queue)]
        status = trigger.health()[1]
    assert len(tasks) == len(set(tasks))
    if policy == "rewind":
        assert set(tasks) >= {body["signal_id"] for body in first}
        assert len(tasks) == 101
    else:
        assert tasks == [fresh]
    print(f"{policy}: {len(tasks)} tasks after Redis was emptied, health {status['status']}")


def test_a_worker_that_is_killed_amid_runs_is_given_nothing_twice_by_us(trading, signals, queue):
    """Celery gives a dead worker's tasks to the next one (acks_late), marked as redelivered; our claims
    hold as long. What Celery itself loses, a task taken from the list and not yet noted, keeps its claim
    until its deadline."""
    tickers = [f"T{number}" for number in range(60)]
    trading.add_pipeline(*tickers)
    outcomes, kills = Outcomes(), 3
    with Trigger(signals, queue).start() as trigger:
        worker = Worker(queue, seconds=0.1, visibility=4).start()
        try:
            signals.send(*[make_signal(ticker) for ticker in tickers])
            for _ in range(kills):
                wait_until(lambda: len(worker.lines("ended")) % 10 > 5, 30, "runs", 0.01)
                worker.kill()
                signals.send(*[make_signal(ticker) for ticker in tickers])  # busy, or ended
                wait_for_signals(trigger.group, signals)
                worker.start()
            wait_until(lambda: connect_queue().llen(queue) == 0
                       and connect_queue().hlen("unacked") == 0, 120, "every run", 0.3)
            triples = {run["task"]: triple_of(run) for run in worker.runs()}
            ended = {triples[line["task"]] for line in worker.lines("ended")}
            found = {triple: several for triple, several in outcomes.read().items()
                     if "enqueued" in several}
            lost = found.keys() - ended
            wait_until(lambda: trigger.trigger()["queue"]["open_claims"] <= len(lost), 60,
                       "claims of lost tasks only")
        finally:
            worker.kill()
        given = collections.Counter(run["task"] for run in worker.runs() if not run["redelivered"])
        print(f"{kills} kills of a worker: {len(found)} tasks, {len(worker.runs())} starts,"
              f" {len(lost)} lost by Celery")
        assert set(given.values()) == {1}
        assert all(several.count("enqueued") == 1 for several in found.values())
        assert set(triples.values()) <= found.keys()
        assert len(lost) <= kills
