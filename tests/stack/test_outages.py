"""Redis, PostgreSQL and Kafka away: at start, in the middle, flapping, emptied."""

import json
import time

import pytest

from harness import (Dispatcher, Place, Produced, Subscriber, candle, connect_redis, create_topics,
                     stack, stored_minutes, verdict, wait_until)
from test_kill import Load, channels_of, rows, settle


@pytest.fixture(autouse=True)
def servers_are_back():
    yield
    stack("up")


def stream_places(symbol):
    """What the streams of a symbol hold."""
    client = connect_redis()
    places = []
    for channel in channels_of(symbol):
        for _, fields in client.xrange(f"signalbox:stream:{channel}"):
            note = json.loads(next(iter(fields.values())))["_routing"]
            places.append(Place(note["source_topic"], note["partition"], note["offset"]))
    return places


def test_redis_killed_under_load_keeps_every_stream_entry_once(symbol, produced):
    """appendfsync always: what was acknowledged is still there after the kill."""
    load = Load(symbol, produced, burst=1_000)
    with Dispatcher([symbol], REDIS_STREAMS="true", REDIS_STREAM_MAXLEN="10000000").start():
        load.start()
        for _ in range(3):
            time.sleep(1.5)
            stack("kill", "redis")
            time.sleep(0.5)
            stack("start", "redis")
        load.finish()
        wait_until(lambda: len(set(stream_places(symbol))) == produced.count(), 60)
        wait_until(lambda: rows(symbol) == produced.count(), 60)
    assert verdict(produced.messages, stream_places(symbol)) == (0, 0, 0)


def test_a_subscriber_misses_only_what_passed_while_redis_was_away(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced, burst=1_000)
    with Dispatcher([symbol]).start() as dispatcher:
        load.start()
        time.sleep(1.5)
        stack("restart", "redis")
        time.sleep(1.5)
        load.finish()
        wait_until(lambda: dispatcher.lanes()["redis"]["lag"] == 0, 60)
        wait_until(lambda: rows(symbol) == produced.count(), 60)
        time.sleep(0.5)
    found = verdict(produced.messages, subscriber.places())
    assert found.repeated == 0 and found.disordered == 0
    # What is lost is one interval a partition: nothing before it, nothing after.
    heard = set(subscriber.places())
    for partition in {place[:2] for place in produced.messages}:
        missing = sorted(p.offset for p in produced.messages
                         if p[:2] == partition and p not in heard)
        if missing:
            between = [p for p in heard
                       if p[:2] == partition and missing[0] < p.offset < missing[-1]]
            assert not between
    subscriber.close()


def test_redis_emptied_under_load_loses_nothing_that_comes_after(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced, burst=1_000)
    with Dispatcher([symbol]).start() as dispatcher:
        load.start()
        time.sleep(2)
        committed_window = produced.count()
        connect_redis().flushall()
        time.sleep(2)
        load.finish()
        wait_until(lambda: len(set(subscriber.places())) == produced.count(), 60)
        wait_until(lambda: rows(symbol) == produced.count(), 60)
        alarms = dispatcher.lanes()["redis"]["alarms"]
    found = verdict(produced.messages, subscriber.places())
    assert found.lost == 0
    assert alarms > 0
    # Repeats start at Kafka's commit, which is at most about a second old.
    assert found.repeated < committed_window
    epochs = {json.loads(data)["_routing"]["epoch"] for _, data in subscriber.received}
    assert len(epochs) > 1
    subscriber.close()


def test_postgres_killed_under_load_delays_no_publish_and_loses_no_row(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced, burst=1_000)
    with Dispatcher([symbol]).start() as dispatcher:
        load.start()
        time.sleep(1)
        stack("kill", "postgres")
        time.sleep(3)
        status, health = dispatcher.health()
        assert status == 200 and health["status"] == "degraded"
        assert health["dependencies"]["postgres"]["state"] == "down"
        heard = len(subscriber.received)
        wait_until(lambda: len(subscriber.received) > heard + 1_000, 10, "publishing goes on")
        stack("start", "postgres")
        load.finish()
        settle(dispatcher, symbol, produced, subscriber)
    assert verdict(produced.messages, subscriber.places()) == (0, 0, 0)
    subscriber.close()


def test_kafka_killed_under_load(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced, burst=1_000)
    with Dispatcher([symbol]).start() as dispatcher:
        load.start()
        for _ in range(2):
            time.sleep(2)
            stack("kill", "kafka")
            time.sleep(1)
            stack("start", "kafka")
        load.finish()
        settle(dispatcher, symbol, produced, subscriber)
    assert verdict(produced.messages, subscriber.places()) == (0, 0, 0)
    subscriber.close()


@pytest.mark.parametrize("service", ["redis", "postgres", "kafka"])
def test_a_server_that_is_away_at_start_is_waited_for(symbol, produced, service):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    for minute in range(50):
        produced.send(topic, candle(symbol, minute))
    produced.flush()
    stack("stop", service)
    subscriber = None if service == "redis" else Subscriber(*channels_of(symbol))
    with Dispatcher([symbol]).start(ready=False) as dispatcher:
        wait_until(lambda: dispatcher.get("/live")[0] == 200)
        time.sleep(2)
        assert dispatcher.process.poll() is None
        stack("start", service)
        wait_until(lambda: len(stored_minutes(symbol)) == 50, 60)
        wait_until(lambda: dispatcher.lanes()["redis"]["counters"]["delivered"] == 50, 30)
    if subscriber:
        assert verdict(produced.messages, subscriber.places()) == (0, 0, 0)
        subscriber.close()


def test_memory_stays_bounded_while_a_sink_is_down_under_full_load(symbol):
    produced = Produced()
    topic = f"market.data.{symbol}.1m"
    create_topics(topic, partitions=6)
    stack("stop", "postgres")
    with Dispatcher([symbol], POSTGRES_LOOPS="1").start() as dispatcher:
        filler = "x" * 600
        for minute in range(300_000):
            produced.send(topic, candle(symbol, minute, filler=filler), partition=minute % 6)
        produced.flush()
        wait_until(lambda: dispatcher.lanes()["redis"]["lag"] == 0, 60)
        wait_until(lambda: dispatcher.lanes()["postgres"]["paused"], 30, "the lane is paused")
        time.sleep(2)
        resident = dispatcher.resident_bytes()
        print(f"resident with PostgreSQL down and {produced.count()} messages: {resident / 1e6:.0f} MB")
        assert resident < 250e6
        stack("start", "postgres")
        wait_until(lambda: len(stored_minutes(symbol)) == 300_000, 120, "catching up")


def test_redis_that_refuses_writes_costs_nothing(symbol, produced):
    """OOM is an answer, not an outage: said once, waited out."""
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    subscriber = Subscriber(*channels_of(symbol))
    client = connect_redis()
    with Dispatcher([symbol]).start() as dispatcher:
        client.config_set("maxmemory", "1")
        try:
            for minute in range(200):
                produced.send(topic, candle(symbol, minute))
            produced.flush()
            wait_until(lambda: "OOM" in (dispatcher.lanes()["redis"]["sink"]["last_error"] or ""))
            time.sleep(1)
            assert not subscriber.received
        finally:
            client.config_set("maxmemory", "0")
        wait_until(lambda: len(subscriber.received) == 200)
    assert verdict(produced.messages, subscriber.places()) == (0, 0, 0)
    subscriber.close()
