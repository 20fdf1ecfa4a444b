"""The servers are there (tools/stack), the tables too, before any test."""

import json
import time
import uuid

import pytest
from confluent_kafka import Consumer, TopicPartition

import harness
import trading_platform
import trigger


@pytest.fixture(scope="session", autouse=True)
def tables():
    harness.stack("up")
    harness.signalbox("migrate")
    harness.connect_redis().config_set("client-output-buffer-limit", "pubsub 0 0 0")
    harness.create_topics("signals", "signals.filtered", "analyzer.signals", "orders", "executions")


@pytest.fixture
def symbol():
    name = harness.unique_symbol()
    yield name
    harness.delete_topics_of(name)


@pytest.fixture
def produced():
    return harness.Produced()


@pytest.fixture(scope="session", autouse=True)
def compacted(tables):
    """A topic that the broker compacts meanwhile; call it for symbol, topic and what is left."""
    symbol = harness.unique_symbol()
    topic = f"market.data.{symbol}.1m"
    harness.create_topics(topic, partitions=1, config={
        "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100",
        "max.compaction.lag.ms": "100"})
    produced = harness.Produced()
    for minute in range(60):
        produced.send(topic, harness.candle(symbol, minute), key=f"key {minute % 20}")
        if minute % 20 == 19:
            produced.flush()
            time.sleep(0.15)  # so that the next message begins a segment
    produced.send(topic, harness.candle(symbol, 60), key="the last segment stays as it is")
    produced.flush()

    def left():
        minutes = harness.wait_until(
            lambda: len(found := minutes_in(topic)) < 61 and found, 90, "compaction", 1)
        return symbol, topic, minutes

    yield left
    harness.delete_topics_of(symbol)


def minutes_in(topic):
    """The minutes of the candles that the first partition holds now."""
    consumer = Consumer({"bootstrap.servers": harness.BROKER, "group.id": "compacted",
                         "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    minutes = []
    try:
        while (message := consumer.poll(10)) and not message.error():
            minutes.append((json.loads(message.value())["time"] - 1_600_000_000_000 // 60_000 * 60_000)
                           // 60_000)
    finally:
        consumer.close()
    return minutes


@pytest.fixture
def trading():
    """An empty platform, and an empty queue with nothing claimed."""
    trading_platform.renew()
    trigger.connect_queue().flushdb()
    return trading_platform


@pytest.fixture
def signals():
    topic = trigger.Signals()
    yield topic
    topic.close()


@pytest.fixture
def queue():
    return "q" + uuid.uuid4().hex[:10]


@pytest.fixture(params=[trigger.NEWEST, trigger.OLDEST], ids=["newest", "oldest"])
def celery(request):
    return request.param
