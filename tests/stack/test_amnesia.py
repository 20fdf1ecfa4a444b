"""The fence and the log do not fit: each row of the table in docs/FENCES.md, on real servers."""

import json
import time
import urllib.request

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions
from confluent_kafka import TopicPartition

from harness import (BROKER, Dispatcher, Subscriber, candle, connect_postgres, connect_redis,
                     create_topics, delete_topics, stored_minutes, wait_until)


@pytest.fixture
def topic(symbol):
    name = f"market.data.{symbol}.1m"
    create_topics(name, partitions=1)
    return name


@pytest.fixture
def subscriber(symbol):
    listening = Subscriber(f"roottrading:market:data:{symbol}:1m")
    yield listening
    listening.close()


def send(produced, topic, symbol, minutes, **options):
    for minute in minutes:
        produced.send(topic, candle(symbol, minute), **options)
    produced.flush()


def heard(subscriber):
    """The minutes that were published, in that order."""
    first = 1_600_000_000_000 // 60_000
    return [json.loads(data)["time"] // 60_000 - first for _, data in subscriber.received]


def have_all(symbol, subscriber, minutes):
    wait_until(lambda: set(heard(subscriber)) >= set(minutes), 40, "every candle heard")
    wait_until(lambda: stored_minutes(symbol).keys() >= set(minutes), 40, "every candle stored")


def run_once(dispatcher, symbol, subscriber, minutes):
    with dispatcher.start():
        have_all(symbol, subscriber, minutes)
        assert dispatcher.stop() == 0


def delete_records(topic, before):
    admin = AdminClient({"bootstrap.servers": BROKER})
    for future in admin.delete_records([TopicPartition(topic, 0, before)]).values():
        assert future.result(30).low_watermark == before


def make_anew(topic):
    """Deletes the topic and makes it again, empty, under the same name."""
    delete_topics(topic)
    admin = AdminClient({"bootstrap.servers": BROKER})
    wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, 20, "the topic is gone")
    create_topics(topic, partitions=1)
    wait_until(lambda: topic in admin.list_topics(timeout=10).topics, 20, "the topic is back")


def gap_codes(dispatcher):
    concerns = dispatcher.health()[1].get("concerns", [])
    return sorted(c["lane"] for c in concerns if c["code"] == "GAP_UNACKNOWLEDGED")


def acknowledge(dispatcher):
    request = urllib.request.Request(f"http://127.0.0.1:{dispatcher.port}/gaps/acknowledge",
                                     method="POST", data=b"")
    assert urllib.request.urlopen(request, timeout=5).status == 202


def lost(dispatcher):
    return {lane: state["lost_to_retention"] for lane, state in dispatcher.lanes().items()
            if not lane.endswith("-priority")}


def test_what_retention_took_is_counted_until_somebody_acknowledges(
        symbol, topic, subscriber, produced):
    dispatcher = Dispatcher([symbol], POSTGRES_LOOPS="1")
    send(produced, topic, symbol, range(50))
    run_once(dispatcher, symbol, subscriber, range(50))
    send(produced, topic, symbol, range(50, 150))
    delete_records(topic, before=120)
    send(produced, topic, symbol, range(150, 160))
    with dispatcher.start():
        have_all(symbol, subscriber, range(120, 160))
        wait_until(lambda: lost(dispatcher) == {"redis": 70, "postgres": 70})
        status, health = dispatcher.health()
        assert (status, health["status"]) == (200, "degraded")
        assert gap_codes(dispatcher) == ["postgres", "redis"]
        acknowledge(dispatcher)
        wait_until(lambda: dispatcher.health()[1]["status"] == "healthy")
        assert lost(dispatcher) == {"redis": 0, "postgres": 0}
        dispatcher.stop()
    assert len(dispatcher.events("fence_alarm", case="outside_log")) == 2  # one a lane
    with dispatcher.start():  # and it stays acknowledged
        assert dispatcher.health()[1]["status"] == "healthy"
    expected = [*range(50), *range(120, 160)]
    assert heard(subscriber) == expected and sorted(stored_minutes(symbol)) == expected


@pytest.mark.parametrize("messages, case", [(30, "outside_log"), (80, "log_replaced")])
def test_a_topic_made_anew_under_its_name_is_delivered_whole(
        symbol, topic, subscriber, produced, messages, case):
    """With fewer messages than the fence, and with more: then the place looks right."""
    dispatcher = Dispatcher([symbol], POSTGRES_LOOPS="1")
    send(produced, topic, symbol, range(50))
    run_once(dispatcher, symbol, subscriber, range(50))
    make_anew(topic)
    minutes = range(100, 100 + messages)
    send(produced, topic, symbol, minutes)
    with dispatcher.start():
        have_all(symbol, subscriber, minutes)
        wait_until(lambda: lost(dispatcher) == {"redis": 50, "postgres": 50})
        assert dispatcher.health()[1]["status"] == "degraded"
        send(produced, topic, symbol, [300])
        have_all(symbol, subscriber, [300])
    assert {event["lane"] for event in dispatcher.events("fence_alarm", case=case)} == {
        "redis", "postgres"}
    assert heard(subscriber) == [*range(50), *minutes, 300]
    assert sorted(stored_minutes(symbol)) == [*range(50), *minutes, 300]


def test_a_topic_made_anew_while_it_runs_is_delivered_whole(symbol, topic, subscriber, produced):
    with Dispatcher([symbol], POSTGRES_LOOPS="1").start() as dispatcher:
        send(produced, topic, symbol, range(50))
        have_all(symbol, subscriber, range(50))
        make_anew(topic)
        send(produced, topic, symbol, range(100, 130))
        have_all(symbol, subscriber, range(100, 130))
        assert dispatcher.events("fence_alarm")
    assert heard(subscriber) == [*range(50), *range(100, 130)]


def fence_keys(dispatcher):
    return connect_redis().keys(f"signalbox:fence:{dispatcher.group}-redis:*")


def test_a_redis_that_forgot_resumes_at_kafkas_commit(symbol, topic, subscriber, produced):
    dispatcher = Dispatcher([symbol], POSTGRES_LOOPS="1")
    send(produced, topic, symbol, range(50))
    run_once(dispatcher, symbol, subscriber, range(50))
    connect_redis().delete(*fence_keys(dispatcher))
    send(produced, topic, symbol, range(50, 60))
    with dispatcher.start():
        have_all(symbol, subscriber, range(60))
        assert dispatcher.events("fence_alarm", lane="redis", case="sink_forgot")
        assert not dispatcher.events("fence_alarm", lane="postgres")
    # The stop had committed everything, so nothing comes twice; the epoch tells that it could.
    assert heard(subscriber) == [*range(60)]
    assert len({note.epoch for note in subscriber.notes()}) == 2


def test_a_redis_restored_from_an_older_copy_is_filled_in_from_its_fence(
        symbol, topic, subscriber, produced):
    dispatcher = Dispatcher([symbol], POSTGRES_LOOPS="1")
    send(produced, topic, symbol, range(20))
    run_once(dispatcher, symbol, subscriber, range(20))
    client = connect_redis()
    copy = {key: client.get(key) for key in fence_keys(dispatcher)}
    send(produced, topic, symbol, range(20, 50))
    run_once(dispatcher, symbol, subscriber, range(50))
    client.mset(copy)
    send(produced, topic, symbol, range(50, 55))
    with dispatcher.start():
        have_all(symbol, subscriber, range(55))
        assert dispatcher.events("sink_restored", lane="redis")
    assert heard(subscriber) == [*range(50), *range(20, 55)]
    assert sorted(stored_minutes(symbol)) == [*range(55)]


def test_a_database_that_forgot_is_filled_in_from_kafkas_commit_on(symbol, topic, produced):
    dispatcher = Dispatcher([symbol], LANES="postgres", POSTGRES_LOOPS="1")
    send(produced, topic, symbol, range(10))
    with dispatcher.start():
        wait_until(lambda: len(stored_minutes(symbol)) == 10)
        dispatcher.stop()
    with connect_postgres() as connection:
        connection.execute("DELETE FROM signalbox.fences WHERE group_id LIKE %s",
                           (dispatcher.group + "%",))
    send(produced, topic, symbol, range(10, 20))
    with dispatcher.start():
        wait_until(lambda: len(stored_minutes(symbol)) == 20)
        assert dispatcher.events("fence_alarm", lane="postgres", case="sink_forgot")


def test_partitions_added_to_a_topic_are_read_from_their_beginning(
        symbol, topic, subscriber, produced):
    with Dispatcher([symbol], KAFKA_AUTO_OFFSET_RESET="latest").start() as dispatcher:
        wait_until(lambda: dispatcher.lanes()["redis"]["partitions"] >= 1)
        admin = AdminClient({"bootstrap.servers": BROKER})
        for future in admin.create_partitions([NewPartitions(topic, 3)]).values():
            future.result(30)
        wait_until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 3)
        began = time.monotonic()
        for partition in range(3):
            send(produced, topic, symbol, range(partition * 10, partition * 10 + 10),
                 partition=partition)
        have_all(symbol, subscriber, range(30))
        print(f"partitions added: delivered after {time.monotonic() - began:.1f} s")
    assert sorted(heard(subscriber)) == [*range(30)]


def transactional_producer(symbol):
    producer = Producer({"bootstrap.servers": BROKER, "transactional.id": symbol})
    producer.init_transactions(30)
    return producer


def test_markers_and_aborted_transactions_are_gaps_like_any_other(
        symbol, topic, subscriber, produced):
    producer = transactional_producer(symbol)
    for begin, end in ((0, "commit"), (10, "abort"), (20, "commit")):
        producer.begin_transaction()
        for minute in range(begin, begin + 10):
            producer.produce(topic, candle(symbol, minute))
        producer.commit_transaction(30) if end == "commit" else producer.abort_transaction(30)
    dispatcher = Dispatcher([symbol], POSTGRES_LOOPS="1")
    minutes = [*range(10), *range(20, 30)]
    run_once(dispatcher, symbol, subscriber, minutes)
    send(produced, topic, symbol, [40])
    with dispatcher.start():  # the message before the fence is a marker: no alarm
        have_all(symbol, subscriber, [40])
        assert dispatcher.health()[1]["status"] == "healthy"
    assert not dispatcher.events("fence_alarm")
    assert heard(subscriber) == [*minutes, 40]


def test_a_compacted_topic_has_gaps(symbol, topic, subscriber, produced, compacted):
    """Made when the session began, so that the broker's cleaner had its time."""
    compacted_symbol, compacted_topic, minutes = compacted()
    listening = Subscriber(f"roottrading:market:data:{compacted_symbol}:1m")
    dispatcher = Dispatcher([compacted_symbol], POSTGRES_LOOPS="1")
    run_once(dispatcher, compacted_symbol, listening, minutes)
    send(produced, compacted_topic, compacted_symbol, [9_000], key="last")
    with dispatcher.start():
        have_all(compacted_symbol, listening, [9_000])
        assert dispatcher.health()[1]["status"] == "healthy"
    assert not dispatcher.events("fence_alarm")
    assert heard(listening) == [*minutes, 9_000]
    listening.close()
