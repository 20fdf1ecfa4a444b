"""Age limits, databases that are away, pipelines that are switched off, health, a switch-over."""

import json
import subprocess
import textwrap
import time

import pytest

import harness
from harness import REPO, signalbox, stack, wait_until
from trigger import (Outcomes, Trigger, connect_queue, fence_sum, make_signal, queued, take,
                     wait_for_signals)


def ago(seconds):
    """Kafka's timestamp."""
    return int((time.time() - seconds) * 1000)


def test_a_signal_beyond_the_age_limit_is_recorded_as_expired(trading, signals, queue):
    pipeline = trading.add_pipeline("OLD", "NEW")
    outcomes = Outcomes()
    old = signals.send(make_signal("OLD"), timestamp=ago(60))
    new = signals.send(make_signal("NEW"), timestamp=ago(5))
    with Trigger(signals, queue, SIGNAL_MAX_AGE_SECONDS=30).start() as trigger:
        wait_for_signals(trigger.group, signals)
        assert [task.triple.signal for task in queued(queue)] == [new]
        assert outcomes.of(old, pipeline, "OLD") == ["expired"]
        assert trigger.outcomes() == {"enqueued": 1, "expired": 1}


def test_without_an_age_limit_a_day_old_signal_runs(trading, signals, queue):
    trading.add_pipeline("OLD")
    old = signals.send(make_signal("OLD"), timestamp=ago(86_400))
    with Trigger(signals, queue, SIGNAL_MAX_AGE_SECONDS=0).start() as trigger:
        wait_for_signals(trigger.group, signals)
        assert [task.triple.signal for task in queued(queue)] == [old]


def test_a_database_that_is_away_at_the_start_loses_no_signal(trading, signals, queue):
    """The original matched against nothing, and committed."""
    trading.add_pipeline("AAPL")
    stack("stop", "postgres")
    trigger = Trigger(signals, queue)
    try:
        with trigger.start(ready=False):
            first = signals.send(make_signal("AAPL"))
            wait_until(lambda: trigger.get("/live")[0] == 200, 20)
            time.sleep(3)
            assert trigger.health()[0] == 503
            assert fence_sum(trigger.group, signals.topic) == 0
            stack("start", "postgres")
            wait_for_signals(trigger.group, signals)
            assert [task.triple.signal for task in queued(queue)] == [first]
            wait_until(lambda: trigger.health()[0] == 200, 20)
    finally:
        stack("start", "postgres")


@pytest.mark.parametrize("service", ["redis", "postgres"])
def test_a_server_that_is_away_for_a_while_costs_nothing_but_time(trading, signals, queue, service):
    """And the consumer is not expelled: it is still the same member afterwards."""
    tickers = [f"T{number}" for number in range(40)]
    trading.add_pipeline(*tickers)
    with Trigger(signals, queue).start() as trigger:
        signals.send(*[make_signal(ticker) for ticker in tickers[:20]])
        wait_for_signals(trigger.group, signals)
        stack("kill", service)
        try:
            signals.send(*[make_signal(ticker) for ticker in tickers[20:]])
            time.sleep(14)  # beyond the session time-out of ten seconds
        finally:
            stack("start", service)
        wait_for_signals(trigger.group, signals)
        assert [task.triple.ticker for task in queued(queue)] == tickers
        lane, = trigger.lanes().values()
        assert lane["partitions"] == 1
        assert not trigger.events("partitions_lost")


def test_a_pipeline_that_is_switched_off_stops_within_a_refresh(trading, signals, queue):
    pipeline = trading.add_pipeline("AAPL")
    with Trigger(signals, queue, CACHE_REFRESH_INTERVAL_SECONDS=2).start() as trigger:
        signals.send(make_signal("AAPL"))
        wait_for_signals(trigger.group, signals)
        assert len(take(queue)) == 1
        trading.update_pipeline(pipeline, is_active=False)
        time.sleep(2.5)
        signals.send(make_signal("AAPL"))
        wait_for_signals(trigger.group, signals)
        assert queued(queue) == []
        assert trigger.trigger()["unwatched_signals"] == 1


def migrate_notify():
    done = signalbox("migrate", "--notify", PGDATABASE="trading_platform")
    assert done.returncode == 0


def test_with_notify_a_change_is_seen_at_once(trading, signals, queue):
    pipeline = trading.add_pipeline("AAPL")
    migrate_notify()
    with Trigger(signals, queue, CACHE_REFRESH_INTERVAL_SECONDS=600).start() as trigger:
        loads = lambda: len(trigger.events("pipeline_cache_refreshed"))
        wait_until(loads, 20)
        for active in (False, True, False, True):
            before, began = loads(), time.monotonic()
            trading.update_pipeline(pipeline, is_active=active)
            wait_until(lambda: loads() > before, 5, "a reload", every=0.002)
            print(f"seen after {(time.monotonic() - began) * 1000:.0f} ms")
            assert time.monotonic() - began < 1
            signals.send(make_signal("AAPL"))
            wait_for_signals(trigger.group, signals)
            assert len(take(queue)) == active
        other = trading.add_pipeline("MSFT")
        wait_until(lambda: trigger.trigger()["pipeline_cache"]["pipelines"] == 2, 5, "the new pipeline")
        signals.send(make_signal("MSFT"))
        wait_for_signals(trigger.group, signals)
        assert [task.triple.pipeline for task in queued(queue)] == [other]


def test_pipelines_that_are_too_old_are_not_run_and_health_says_so(trading, signals, queue):
    """Signals wait; a deactivated pipeline does not run for hours because nobody could ask."""
    pipeline = trading.add_pipeline("AAPL")
    with Trigger(signals, queue, CACHE_MAX_AGE_SECONDS=3).start() as trigger:
        assert trigger.health()[0] == 200
        with trading.taken_away("pipelines"):
            wait_until(lambda: trigger.health()[0] == 503, 20, "an unhealthy trigger")
            assert "PIPELINES_UNKNOWN" in json.dumps(trigger.health()[1])
            signals.send(make_signal("AAPL"))
            time.sleep(2)
            assert queued(queue) == []
            assert fence_sum(trigger.group, signals.topic) == 0
        wait_until(lambda: trigger.health()[0] == 200, 20, "a healthy trigger")
        wait_for_signals(trigger.group, signals)
        assert [task.triple.pipeline for task in queued(queue)] == [pipeline]


def test_a_held_signal_of_a_pipeline_that_is_switched_off_ends_as_deactivated(trading, signals, queue):
    pipeline = trading.add_pipeline("AAPL")
    outcomes = Outcomes()
    with Trigger(signals, queue, WHEN_BUSY="keep_latest").start() as trigger:
        signals.send(make_signal("AAPL"))
        held = signals.send(make_signal("AAPL"))
        wait_for_signals(trigger.group, signals)
        trading.update_pipeline(pipeline, is_active=False)
        time.sleep(1.5)
        take(queue)
        wait_until(lambda: outcomes.of(held, pipeline, "AAPL")[-1:] == ["deactivated"], 20,
                   "the end of the wait")
        assert queued(queue) == []


def test_a_held_signal_expires(trading, signals, queue):
    pipeline = trading.add_pipeline("AAPL")
    outcomes = Outcomes()
    with Trigger(signals, queue, WHEN_BUSY="queue:2", SIGNAL_MAX_AGE_SECONDS=4).start() as trigger:
        signals.send(make_signal("AAPL"))
        held = signals.send(make_signal("AAPL"))
        wait_for_signals(trigger.group, signals)
        time.sleep(4)
        take(queue)
        wait_until(lambda: outcomes.of(held, pipeline, "AAPL")[-1:] == ["expired"], 20,
                   "the end of the wait")
        assert queued(queue) == []


MEMBER = textwrap.dedent("""
    import json, sys
    from kafka import KafkaConsumer
    topic, group, servers = sys.argv[1:]
    consumer = KafkaConsumer(topic, bootstrap_servers=servers, group_id=group,
                             auto_offset_reset="earliest", enable_auto_commit=False,
                             session_timeout_ms=10_000, heartbeat_interval_ms=3_000)
    while True:
        for partition, records in consumer.poll(100).items():
            for record in records:
                print(json.dumps([record.partition, record.offset]), flush=True)
            consumer.commit()
        print(json.dumps(sorted(one.partition for one in consumer.assignment())), flush=True)
""")


class Member:
    """A member of the original: another client, another assignment protocol, the same group. As there,
    SIGTERM ends it without a word to the group."""

    def __init__(self, signals, group):
        self.log = REPO / "build/logs" / f"member-{group}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [REPO / ".deps/original/bin/python", "-c", MEMBER, signals.topic, group,
                 harness.BROKER], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("[")]

    def holds(self, partitions):
        lines = self.lines()
        return bool(lines) and lines[-1] == partitions

    def close(self):
        self.process.terminate()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def forget_fences(group):
    """As docs/SWITCHING.md says, before the second time."""
    client = connect_queue()
    keys = list(client.scan_iter(f"signalbox:fence:{group}:*"))
    assert keys
    client.delete(*keys)


def test_the_switch_over_from_a_member_of_the_original_and_back_and_over_again(trading, signals, queue):
    """The steps of docs/SWITCHING.md: no signal is left out, and none runs on both sides."""
    trading.add_pipeline("A", "B", "C", "D", "E", "F")
    trigger = Trigger(signals, queue, KAFKA_AUTO_OFFSET_RESET="latest", ON_AMNESIA="skip")
    with Member(signals, trigger.group) as member:
        wait_until(lambda: member.holds([0]), 40, "the original's member has its partition")
        signals.send(make_signal("A"))
        wait_until(lambda: [0, 0] in member.lines(), 20, "it handles the first signal")
        with trigger.start(ready=False):
            # Another assignment protocol: the broker lets nobody in while the other one is there.
            time.sleep(5)
            assert member.holds([0])
            assert all(lane["partitions"] == 0 for lane in trigger.lanes().values())
            status, health = trigger.health()
            assert (status, health["dependencies"]["kafka"]["state"]) == (503, "down")
            assert "Inconsistent group protocol" in json.dumps(health["concerns"])
            signals.send(make_signal("B"))
            wait_until(lambda: [0, 1] in member.lines() and member.holds([0]), 20,
                       "it handles and commits the second signal")
            member.close()
            c = signals.send(make_signal("C"))
            wait_until(lambda: queued(queue), 60, "the trigger takes over")
            assert [task.triple.signal for task in take(queue)] == [c]
            wait_until(lambda: trigger.health()[0] == 200, 20, "a healthy trigger")
            assert trigger.stop() == 0
    with Member(signals, trigger.group) as member:
        signals.send(make_signal("D"))
        wait_until(lambda: [0, 3] in member.lines() and member.holds([0]), 40, "the original goes on")
        assert [0, 2] not in member.lines()
        member.close()
    assert queued(queue) == []
    forget_fences(trigger.group)
    e = signals.send(make_signal("E"))
    with trigger.start():
        f = signals.send(make_signal("F"))
        wait_for_signals(trigger.group, signals)
        assert [task.triple.signal for task in queued(queue)] == [e, f]
