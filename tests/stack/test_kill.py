"""kill -9 with messages outstanding, replicas that come and go, a drain that loses nothing."""

import threading
import time

from harness import (Dispatcher, Produced, Subscriber, candle, connect_postgres, create_topics,
                     stored_minutes, verdict, wait_until)

TIMEFRAMES = ("1m", "5m", "15m")


def channels_of(symbol):
    return [f"roottrading:market:data:{symbol}:{timeframe}" for timeframe in TIMEFRAMES]


class Load(threading.Thread):
    """Bursts of candles, each with a minute of its own, until told to stop."""

    def __init__(self, symbol, produced, burst=4_000, pause=0.15):
        super().__init__(daemon=True)
        self.symbol, self.produced = symbol, produced
        self.burst, self.pause = burst, pause
        self.minute = 0
        self.stopping = threading.Event()
        for timeframe in TIMEFRAMES:
            create_topics(f"market.data.{symbol}.{timeframe}")

    def run(self):
        while not self.stopping.is_set():
            for _ in range(self.burst):
                timeframe = TIMEFRAMES[self.minute % len(TIMEFRAMES)]
                self.produced.send(f"market.data.{self.symbol}.{timeframe}",
                                   candle(self.symbol, self.minute, timeframe=timeframe),
                                   partition=self.minute % 3)
                self.minute += 1
            self.stopping.wait(self.pause)

    def finish(self):
        self.stopping.set()
        self.join()
        self.produced.flush()


def rows(symbol):
    return sum(len(stored_minutes(symbol, timeframe)) for timeframe in TIMEFRAMES)


def settle(dispatcher, symbol, produced, subscriber):
    wait_until(lambda: rows(symbol) == produced.count(), 120, "every candle in the table")
    wait_until(lambda: len(set(subscriber.places())) == produced.count(), 60, "every candle heard")


def test_twenty_kills_with_a_thousand_messages_outstanding_lose_and_repeat_nothing(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced)
    dispatcher = Dispatcher([symbol]).start()
    load.start()
    kills = 0
    try:
        while kills < 20:
            before = len(subscriber.received)
            wait_until(lambda: len(subscriber.received) > before + 500, 60, "progress")
            wait_until(lambda: produced.count() - len(subscriber.received) >= 1_000, 60,
                       "a thousand outstanding")
            dispatcher.kill()
            kills += 1
            dispatcher.start(ready=False)
        load.finish()
        settle(dispatcher, symbol, produced, subscriber)
    finally:
        dispatcher.kill()
    print(f"{kills} kills, {produced.count()} messages:"
          f" {verdict(produced.messages, subscriber.places())}")
    assert verdict(produced.messages, subscriber.places()) == (0, 0, 0)
    assert rows(symbol) == produced.count()
    subscriber.close()


def test_records_are_stored_once_across_kills(symbol, produced):
    """Rows without a natural key would show a repeat that an upsert hides."""
    mark = symbol
    dispatcher = Dispatcher([symbol]).start()
    try:
        for kill in range(6):
            for number in range(2_000):
                produced.send("executions", b'{"order_id": "%s-%d-%d", "symbol": "BTCUSDC"}'
                              % (mark.encode(), kill, number))
            produced.producer.poll(0.05)
            dispatcher.kill()
            dispatcher.start(ready=False)
        produced.flush()
        with connect_postgres() as connection:
            count = lambda: connection.execute(
                "SELECT count(*), count(DISTINCT order_id) FROM signalbox.executions"
                " WHERE order_id LIKE %s", (mark + "-%",)).fetchone()
            wait_until(lambda: count()[1] == 12_000, 90, "every execution")
            assert count() == (12_000, 12_000)
    finally:
        dispatcher.kill()


def test_replicas_that_join_leave_and_die_lose_and_repeat_nothing(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced, burst=1_500)
    first = Dispatcher([symbol]).start()
    load.start()
    second = Dispatcher([symbol], group=first.group)
    try:
        for ending in ("stop", "kill", "stop"):
            second.start(ready=False)
            wait_until(lambda: second.lanes().get("redis", {}).get("partitions"), 40,
                       "the second replica has partitions")
            time.sleep(1)
            if ending == "stop":
                assert second.stop() == 0
            else:
                second.kill()
        load.finish()
        settle(first, symbol, produced, subscriber)
    finally:
        first.kill()
        if second.process.poll() is None:
            second.kill()
    assert verdict(produced.messages, subscriber.places()) == (0, 0, 0)
    subscriber.close()


def test_another_member_takes_over_within_12_s_of_a_kill(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    first = Dispatcher([symbol]).start()
    second = Dispatcher([symbol], group=first.group).start()
    try:
        wait_until(lambda: second.lanes()["redis"]["partitions"] > 0, 30)
        first.kill()
        killed = time.monotonic()
        for minute in range(30):
            produced.send(topic, candle(symbol, minute), partition=minute % 3)
        produced.flush()
        wait_until(lambda: len(stored_minutes(symbol)) == 30, 30)
        assert time.monotonic() - killed < 12 + 2  # the session's 10 s, and the first poll
    finally:
        second.kill()


def test_sigterm_drains_within_10_s_and_ends_with_0(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced)
    dispatcher = Dispatcher([symbol]).start()
    load.start()
    wait_until(lambda: len(subscriber.received) > 2_000)
    began = time.monotonic()
    assert dispatcher.stop() == 0
    assert time.monotonic() - began < 10
    load.finish()
    with dispatcher.start():
        settle(dispatcher, symbol, produced, subscriber)
    assert verdict(produced.messages, subscriber.places()) == (0, 0, 0)
    subscriber.close()


def test_the_counters_agree_with_what_was_produced_and_heard(symbol):
    produced = Produced()
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced, burst=2_000)
    with Dispatcher([symbol]).start() as dispatcher:
        load.start()
        time.sleep(2)
        load.finish()
        settle(dispatcher, symbol, produced, subscriber)
        lanes = dispatcher.lanes()
        for lane in lanes.values():
            assert lane["counters"]["balanced"]
        redis_lane = lanes["redis"]["counters"]
        assert redis_lane["delivered"] == produced.count() == len(subscriber.received)
        assert redis_lane["receivers"] == len(subscriber.received)
    subscriber.close()
