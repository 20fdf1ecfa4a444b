"""Beside the original: what a shadow touches, what compare explains, the switch-over and back."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import uuid

import pytest
import redis

from harness import (BINARY, BROKER, REDIS_HOST, REDIS_PORT, Dispatcher, Produced, Subscriber, candle,
                     connect_postgres, connect_redis, create_topics, stored_minutes, unique_symbol,
                     wait_until)
from original import Original

RECORDS = ("orders", "executions", "signals", "analyzer.signals")


def market_topics(symbol):
    return [f"market.data.{symbol}", *(f"market.data.{symbol}.{timeframe}" for timeframe in
                                       ("1m", "3m", "5m", "15m", "1h", "1d", "4h"))]


def shadow(symbol, **environment):
    return Dispatcher([symbol], arguments=("--shadow",), KAFKA_AUTO_OFFSET_RESET="latest",
                      **environment)


def order(**changes):
    return json.dumps({"symbol": "BTCUSDC", "side": "BUY", "quantity": 0.0036, "price": None,
                       "client_order_id": uuid.uuid4().hex, "strategy": "CONSENSUS", **changes})


def execution(**changes):
    return json.dumps({"order_id": uuid.uuid4().hex, "symbol": "BTCUSDC", "side": "BUY",
                       "status": "FILLED", "price": 115001.4, "quantity": 0.0036,
                       "timestamp": "2025-10-27T13:57:01.120000+00:00", **changes})


def signal(**changes):
    return json.dumps({"strategy": "EMA", "symbol": "BTCUSDC", "side": "BUY", "price": 1.5,
                       "timestamp": "2025-10-27T13:57:12.480211+00:00", **changes})


class Comparison:
    """`signalbox compare` in the background; its table as counts."""

    def __init__(self, group, seconds, *arguments):
        self.process = subprocess.Popen(
            [BINARY, "compare", "--seconds", str(seconds), *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "KAFKA_BROKER": BROKER, "KAFKA_GROUP_ID": group})
        assert "listening" in self.process.stdout.readline()
        time.sleep(2.7)  # the margin before the interval

    def finish(self):
        self.output = self.process.communicate(timeout=90)[0]
        return self.process.returncode

    def counts(self):
        """{"only in the original": {"rejected_here": (messages, candles)}, …}"""
        counts = {}
        for line in self.output.splitlines():
            if row := re.match(r"(agree|differ|only in the \w+)\s+(\d+)\s+(\d+)$", line):
                block = counts[row[1]] = {"": (int(row[2]), int(row[3]))}
            elif row := re.match(r"  (\w+)\s+(\d+)\s+(\d+)  ", line):
                block[row[1]] = (int(row[2]), int(row[3]))
        return counts


@contextlib.contextmanager
def side_by_side(symbol, produced, alter=None):
    """The original and a shadow, both past the first messages that they share."""
    create_topics(*market_topics(symbol), partitions=1)
    create_topics(*RECORDS)
    topic = f"market.data.{symbol}.1m"
    heard = Subscriber(f"roottrading:market:data:{symbol}:1m", "roottrading:trade:order")
    minutes = iter(range(900_000, 910_000))
    with Original(*market_topics(symbol), *RECORDS, alter=alter) as original, \
            shadow(symbol).start() as dispatcher:
        def both_deliver():
            produced.send(topic, candle(symbol, next(minutes)))
            produced.send("orders", order())
            produced.flush()
            streams = [f"signalbox:shadow:stream:{channel}" for channel in heard.channels]
            return ({channel for channel, _ in heard.received} == set(heard.channels)
                    and all(connect_redis().exists(stream) for stream in streams))

        wait_until(both_deliver, 40, "both deliver", every=1.2)
        heard.close()
        time.sleep(1.5)  # what was sent last is out of the original's mind
        yield original, dispatcher


def test_every_difference_between_shadow_and_original_is_explained(symbol, produced):
    one, legacy = f"market.data.{symbol}.1m", f"market.data.{symbol}"
    with side_by_side(symbol, produced) as (_, dispatcher):
        comparison = Comparison(dispatcher.group, 9)
        for minute in range(40):  # agree
            produced.send(one, candle(symbol, minute, close=100.0 + minute / 8))
        produced.send(one, candle(symbol, 40, time="2020-09-13T13:06:00+00:00", close=1e2,
                                  note="Grüße \u2028 \\ \" 😀", nested={"b": [1, 2.50, None], "a": 1e-7}))
        produced.send(legacy, candle(symbol, 41))
        for timeframe in ("1h", "1d"):  # own_channel
            produced.send(f"market.data.{symbol}.{timeframe}", candle(symbol, 0, timeframe=timeframe))
        produced.send(f"market.data.{symbol}.4h", candle(symbol, 0, timeframe="4h"))
        for minute in (50, 51):  # original_dedup, on the channel and in the table
            body = json.loads(candle(symbol, minute, close=77.25))
            del body["close_time"]
            produced.send(one, json.dumps(body))
        for _ in range(2):  # original_dedup
            produced.send("orders", order())
            produced.send("executions", execution())
        produced.send("signals", signal())
        produced.send("analyzer.signals", signal())
        produced.send("signals.filtered", signal(confidence=0.74))
        produced.send(one, candle(symbol, 52, high=0.125))  # rejected_here, from here on
        produced.send(one, candle(symbol, 53, close=float("nan")))
        produced.send(one, candle(symbol, 54, time=1_600_000_000 + 54 * 60))
        start = json.loads(candle(symbol, 55))["time"]
        produced.send(one, candle(symbol, 55, time=float(start)))  # time_not_read
        late = json.loads(candle(symbol, 56))
        late["start_time"] = late.pop("time")
        produced.send(one, json.dumps(late))
        produced.send(one, candle(symbol, 57, close=8.5))  # open_over_closed
        produced.send(one, candle(symbol, 57, close=9.5, is_closed=False))
        produced.flush()
        status = comparison.finish()
    counts = comparison.counts()
    assert status == 0, comparison.output
    assert counts["differ"] == {"": (0, 1), "open_over_closed": (0, 1)}, comparison.output
    assert counts["only in the original"] == {
        "": (4, 1), "unknown_timeframe": (1, 0), "rejected_here": (3, 1)}, comparison.output
    assert counts["only in the shadow"] == {
        "": (8, 3), "signals_dropped": (3, 0), "own_channel": (2, 0), "original_dedup": (3, 1),
        "time_not_read": (0, 2)}, comparison.output
    assert counts["agree"][""] == (42 + 2 + 1 + 2 + 2 + 2, 42 + 2 + 1), comparison.output


def test_a_changed_price_is_found_on_the_channel_and_in_the_table(symbol, produced):
    def alter(body):
        return {**body, "close": 101.5} if body.get("close") == 101.25 else body

    with side_by_side(symbol, produced, alter) as (_, dispatcher):
        topic = f"market.data.{symbol}.1m"
        comparison = Comparison(dispatcher.group, 5, "--topic", topic)
        for minute in range(20):
            produced.send(topic, candle(symbol, minute, close=100.0 + minute / 4))
        produced.flush()
        assert comparison.finish() == 1
    assert comparison.counts()["differ"] == {"": (1, 1), "unexplained": (1, 1)}, comparison.output
    assert comparison.counts()["agree"][""] == (19, 19), comparison.output
    assert "close 101.5 | 101.25" in comparison.output
    assert "close 101.50000000 | 101.25000000" in comparison.output


def test_a_message_that_the_original_alone_publishes_is_found(symbol, produced):
    with side_by_side(symbol, produced) as (_, dispatcher):
        topic = f"market.data.{symbol}.1m"
        comparison = Comparison(dispatcher.group, 4, "--topic", topic)
        produced.send(topic, candle(symbol, 1))
        produced.flush()
        body = {**json.loads(candle(symbol, 2)),
                "_routing": {"source_topic": topic, "priority": "high",
                             "data_type": "raw_market_data"}}
        connect_redis().publish(f"roottrading:market:data:{symbol}:1m", json.dumps(body))
        connect_redis().publish(f"roottrading:market:data:{symbol}:1m", candle(symbol, 3))
        assert comparison.finish() == 1
    assert comparison.counts()["only in the original"] == {"": (1, 0), "unexplained": (1, 0)}
    assert "1 without _routing" in comparison.output


def test_compare_does_not_call_silence_agreement(symbol):
    create_topics(f"market.data.{symbol}.1m", partitions=1)
    with shadow(symbol).start() as dispatcher:
        comparison = Comparison(dispatcher.group, 1, "--topic", f"market.data.{symbol}.1m")
        assert comparison.finish() == 1
    assert "nothing was compared" in comparison.output


class Monitor:
    """Every command that Redis takes, by the address of its client."""

    def __init__(self):
        self.commands = []
        self.stopping = threading.Event()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def _listen(self):
        patient = redis.Redis(host=REDIS_HOST, port=REDIS_PORT, socket_timeout=None)
        with patient.monitor() as monitor:
            self.ready.set()
            while not self.stopping.is_set():
                command = monitor.next_command()
                self.commands.append((f"{command['client_address']}:{command['client_port']}",
                                      command["command"]))

    def of_clients(self, is_ours):
        """The commands of each client that has named itself as wanted."""
        named = {address for address, command in self.commands
                 if (found := re.match(r"CLIENT SETNAME (\S+)", command)) and is_ours(found[1])}
        assert named
        return [command for address, command in self.commands if address in named]

    def close(self):
        self.stopping.set()
        connect_redis().ping()
        self.thread.join(10)


@contextlib.contextmanager
def logged_statements():
    """Every statement of new connections goes to the server's log with its program's name."""
    log = pathlib.Path(os.environ.get("STACK_DIR", ".stack")) / "postgres/postgres.log"
    with connect_postgres() as connection:
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("ALTER SYSTEM SET log_duration = off")
        connection.execute("SELECT pg_reload_conf()")
        try:
            begin = log.stat().st_size
            yield lambda: log.read_bytes()[begin:].decode(errors="replace")
        finally:
            connection.execute("ALTER SYSTEM RESET log_statement")
            connection.execute("ALTER SYSTEM RESET log_duration")
            connection.execute("SELECT pg_reload_conf()")


def statements_of(log, pids):
    """The log's statements of some server processes, each on one line."""
    entries = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] )", log)
    statements = []
    for entry in entries:
        found = re.match(r"\S+ \S+ \S+ \[(\d+)\] LOG:\s+(?:statement|execute [^:]*): (.*)", entry,
                         re.S)
        if found and int(found[1]) in pids:
            statements.append(" ".join(found[2].split()))
    return statements


def rows_outside_our_schema():
    """Rows that were ever written, by table that is not ours."""
    with connect_postgres() as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        return dict(connection.execute(
            "SELECT schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del"
            " FROM pg_stat_user_tables WHERE schemaname <> 'signalbox'").fetchall())


def test_a_shadow_touches_nothing_that_anybody_else_reads(symbol, produced):
    create_topics(*market_topics(symbol), partitions=1)
    heard = Subscriber(patterns=("*",))
    monitor = Monitor()
    before = rows_outside_our_schema()
    with logged_statements() as log, shadow(symbol, REDIS_STREAMS="true",
                                            REDIS_LAST_VALUES="true").start() as dispatcher:
        with connect_postgres() as connection:
            pids = {pid for pid, in connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name"
                " LIKE 'signalbox-shadow-postgres%%'").fetchall()}
        assert len(pids) >= 3, "a priority lane and two loops of candles"
        for minute in range(50):
            produced.send(f"market.data.{symbol}.1m", candle(symbol, minute))
            produced.send(f"market.data.{symbol}.1h", candle(symbol, minute * 60, timeframe="1h"))
        produced.send(f"market.data.{symbol}.1m", candle(symbol, 50, high=0.125))
        marks = [uuid.uuid4().hex for _ in range(10)]
        for mark in marks:
            produced.send("orders", order(client_order_id=mark))
            produced.send("executions", execution(order_id=mark))
            produced.send("signals", signal(strategy=mark))
        produced.flush()
        wait_until(lambda: shadow_rows(symbol) == 100 and stored_orders(marks) == 10 and
                   has_letter(f"market.data.{symbol}.1m", "shadow-redis") and
                   has_letter(f"market.data.{symbol}.1m", "shadow-postgres"))
        assert dispatcher.stop() == 0
        statements = statements_of(log(), pids)
    monitor.close()
    heard.close()
    assert heard.received == []
    assert rows_outside_our_schema() == before
    assert stored_minutes(symbol) == {}

    assert any("shadow_market_data" in statement for statement in statements)
    for statement in statements:
        targets = re.findall(r"(?i)\b(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|ALTER \w+|"
                             r"CREATE \w+|NOTIFY|COPY|LOCK)\s+([\w.\"]+)", statement)
        assert all(target.startswith("signalbox.") for target in targets if target.lower() != "set"), \
            statement
        assert "pg_notify" not in statement, statement

    commands = monitor.of_clients(lambda name: name.startswith("signalbox-shadow-redis"))
    assert any(command.startswith("XADD signalbox:shadow:stream:") for command in commands)
    keyless = ("MULTI", "EXEC", "UNWATCH", "PING", "INFO", "SELECT", "CLIENT", "CONFIG GET", "AUTH",
               "PUBSUB NUMPAT")
    for command in commands:
        if command.startswith(keyless):
            continue
        name, first = command.split(" ")[:2]
        keys = command.split(" ")[1:] if name in ("WATCH", "MGET") else [first]
        assert name in ("XADD", "SET", "WATCH", "MGET", "TYPE"), command
        assert all(key.startswith("signalbox:") for key in keys), command
        if name == "SET":
            assert first.startswith(f"signalbox:fence:{dispatcher.group}-shadow-redis"), command
        if name == "XADD":
            assert first.startswith("signalbox:shadow:stream:"), command


def shadow_rows(symbol):
    with connect_postgres() as connection:
        return connection.execute("SELECT count(*) FROM signalbox.shadow_market_data WHERE symbol = %s",
                                  (symbol.upper(),)).fetchone()[0]


def stored_orders(marks):
    with connect_postgres() as connection:
        return connection.execute("SELECT count(*) FROM signalbox.orders WHERE client_order_id"
                                  " = ANY (%s)", (marks,)).fetchone()[0]


def has_letter(topic, lane):
    with connect_postgres() as connection:
        return connection.execute("SELECT 1 FROM signalbox.dead_letters WHERE topic = %s AND lane = %s",
                                  (topic, lane)).fetchone()


def test_a_live_lane_does_not_store_again_what_its_shadow_stored(symbol, produced):
    create_topics(*RECORDS)
    marks = [uuid.uuid4().hex for _ in range(20)]
    with shadow(symbol).start() as dispatcher:
        for mark in marks:
            produced.send("orders", order(client_order_id=mark))
        produced.flush()
        wait_until(lambda: stored_orders(marks) == 20)
        group = dispatcher.group
        dispatcher.stop()
    with Dispatcher([symbol], group=group, LANES="postgres").start():  # reads from the beginning
        last = uuid.uuid4().hex
        produced.send("orders", order(client_order_id=last))
        produced.flush()
        wait_until(lambda: stored_orders([last]) == 1)
        assert stored_orders(marks) == 20


class Feed:
    """Candles of consecutive minutes until it is stopped."""

    def __init__(self, symbol):
        self.symbol, self.topic = symbol, f"market.data.{symbol}.1m"
        self.produced = Produced()
        self.sent = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.wait(0.01):
            self.produced.send(self.topic, candle(self.symbol, self.sent, close=1.0 + self.sent))
            self.sent += 1

    def stop(self):
        self.stopping.set()
        self.thread.join(10)
        self.produced.flush()
        return self.sent

    def wait_for(self, more):
        goal = self.sent + more
        wait_until(lambda: self.sent >= goal)


def test_switching_over_and_back_loses_nothing(symbol):
    """Start the new one before the old one is stopped, both times: no candle is lost on the
    channel or in the table, and each comes twice at most while both run."""
    create_topics(f"market.data.{symbol}.1m", partitions=3)
    heard = Subscriber(f"roottrading:market:data:{symbol}:1m")

    def minutes(is_signalbox):
        start = json.loads(candle(symbol, 0))["time"]
        bodies = [json.loads(data) for _, data in list(heard.received)]
        return [(body["time"] - start) // 60_000 for body in bodies
                if ("epoch" in body["_routing"]) == is_signalbox]

    original = Original(f"market.data.{symbol}.1m").start()
    feed = Feed(symbol)
    try:
        wait_until(lambda: len(minutes(False)) > 50)
        first = min(minutes(False))
        with Dispatcher([symbol], KAFKA_AUTO_OFFSET_RESET="").start() as dispatcher:
            wait_until(lambda: len(set(minutes(True))) > 50)  # in the place of the original …
            original.stop()
            feed.wait_for(200)
            back = Original(f"market.data.{symbol}.1m").start()  # … and back
            count = len(minutes(False))
            wait_until(lambda: len(minutes(False)) > count + 50)
            # A partition may be on its way from one loop to the other: what came before the
            # original was back must be stored before the only one who can do so is stopped.
            taken_over = set(range(first, minutes(False)[count + 50]))
            wait_until(lambda: taken_over <= set(stored_minutes(symbol)), 30, "no lag")
            assert dispatcher.stop() == 0
        feed.wait_for(100)
        sent = feed.stop()
        everything = set(range(first, sent))
        wait_until(lambda: everything <= {*minutes(True), *minutes(False)}, 20, "the last candle")
        back.stop()
    finally:
        feed.stop()
        original.stop()
    ours = minutes(True)
    assert len(ours) == len(set(ours)), "Signalbox published a candle twice"
    assert sorted(everything - set(stored_minutes(symbol))) == []
    assert all(close == 1.0 + minute for minute, close in stored_minutes(symbol).items())


def test_a_second_try_goes_on_where_the_first_one_stopped(symbol, produced):
    """Back to the original and over again: the groups have kept their place, so that the tables
    get what came meanwhile, and so do the channels, late and marked by their delay."""
    topic = f"market.data.{symbol}.1m"
    create_topics(topic, partitions=1)
    dispatcher = Dispatcher([symbol])
    with dispatcher.start():
        produced.send(topic, candle(symbol, 1))
        produced.flush()
        wait_until(lambda: stored_minutes(symbol))
        assert dispatcher.stop() == 0
    produced.send(topic, candle(symbol, 2))  # nobody is there
    produced.flush()
    heard = Subscriber(f"roottrading:market:data:{symbol}:1m")
    with dispatcher.start():
        wait_until(lambda: set(stored_minutes(symbol)) == {1, 2} and heard.received)
    heard.close()
    assert len(heard.places()) == 1


@pytest.fixture
def symbol():
    return unique_symbol("c")
