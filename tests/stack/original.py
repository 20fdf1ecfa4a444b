"""The dispatcher that Signalbox replaces, as it behaves: its routing, its repeats, its rows.

Written from the description of its behaviour, so that comparing and switching over are tested
beside something that makes the same mistakes.
"""

import contextlib
import datetime
import decimal
import json
import threading
import time
import uuid

import psycopg
from confluent_kafka import Consumer

from harness import BROKER, connect_postgres, connect_redis

TIMEFRAMES = ("1m", "3m", "5m", "15m")
ENRICHED = ("rsi_14", "ema_12", "macd_line", "bb_upper")
COLUMNS = ("open", "high", "low", "close", "volume", "quote_asset_volume", "number_of_trades",
           "taker_buy_base_asset_volume", "taker_buy_quote_asset_volume")
UPSERT = (f"INSERT INTO public.market_data (time, symbol, timeframe, {', '.join(COLUMNS)})"
          f" VALUES (%s, %s, %s{', %s' * len(COLUMNS)})"
          " ON CONFLICT (time, symbol, timeframe) DO UPDATE SET "
          + ", ".join(f"{column} = excluded.{column}" for column in COLUMNS) + ", updated_at = now()")


def channel_of(topic):
    """Where a topic's messages go; None drops them. 1h and 1d lose their timeframe."""
    named = {"executions": "roottrading:trade:execution", "orders": "roottrading:trade:order"}
    if not topic.startswith("market.data."):
        return named.get(topic)
    symbol, _, timeframe = topic.removeprefix("market.data.").partition(".")
    channel = f"roottrading:market:data:{symbol}"
    return f"{channel}:{timeframe}" if timeframe in TIMEFRAMES else channel


def data_type_of(topic, body):
    if not topic.startswith("market.data."):
        return {"executions": "execution", "orders": "order"}[topic]
    if topic.count(".") < 3 or topic.rpartition(".")[2] not in (*TIMEFRAMES, "1h", "1d"):
        return "raw_market_data_legacy"
    return "corrupted_enriched_data" if any(key in body for key in ENRICHED) else "raw_market_data"


def row_time(value):
    """A whole number is milliseconds, even where seconds were meant; a float is an error."""
    if isinstance(value, int):
        return datetime.datetime.fromtimestamp(value / 1000, datetime.timezone.utc)
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    raise ValueError(f"no time: {value!r}")


class Original:
    """Reads with a group that is new at each start, from the end of the log."""

    def __init__(self, *topics, alter=None):
        self.topics = topics
        self.alter = alter  # a mistake to make: body -> body
        self.handled = 0
        self.seen = {}
        self.stopping = threading.Event()
        self.assigned = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        assert self.assigned.wait(30)
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join(20)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _run(self):
        consumer = Consumer({
            "bootstrap.servers": BROKER, "group.id": f"original-{uuid.uuid4().hex}",
            "auto.offset.reset": "latest", "session.timeout.ms": 10_000})
        with contextlib.closing(consumer), contextlib.closing(connect_redis()) as client, \
                connect_postgres() as database:
            consumer.subscribe(list(self.topics), on_assign=lambda *_: self.assigned.set())
            while not self.stopping.is_set():
                for message in consumer.consume(100, timeout=0.2):
                    if message.error() is None and message.value() is not None:
                        self._handle(client, database, message.topic(), message.value())

    def _handle(self, client, database, topic, raw):
        self.handled += 1
        try:
            body = json.loads(raw.decode())
        except ValueError:
            return
        if not isinstance(body, dict) or self._is_repeat(topic, body):
            return
        if self.alter:
            body = self.alter(body)
        if topic.startswith("market.data."):
            with contextlib.suppress(psycopg.Error, ArithmeticError, ValueError, KeyError):
                self._store(database, topic, body)
        channel = channel_of(topic)
        if channel is None:
            return
        if topic.startswith("market.data."):
            parts = topic.split(".")
            body.setdefault("symbol", parts[2])
            if len(parts) > 3:
                body.setdefault("timeframe", parts[3])
        is_high = topic.startswith("market.data") and body.get("is_closed") is True
        body["_routing"] = {
            "source_topic": topic,
            "received_at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "priority": "high" if is_high else "normal",
            "data_type": data_type_of(topic, body)}
        client.publish(channel, json.dumps(body))

    def _is_repeat(self, topic, body):
        now = time.monotonic()
        self.seen = {key: at for key, at in self.seen.items() if now - at < 1.0}
        key = f"{topic}:{body.get('close_time')}:{body.get('close')}"
        if key in self.seen:
            return True
        self.seen[key] = now
        return False

    @staticmethod
    def _store(database, topic, body):
        parts = topic.split(".")
        symbol = parts[2] if len(parts) > 3 else body["symbol"]
        timeframe = parts[3] if len(parts) > 3 else body.get("timeframe", "1m")
        values = [None if body.get(column) is None else decimal.Decimal(str(body[column]))
                  for column in COLUMNS]
        database.execute(UPSERT, (row_time(body["time"]), symbol.upper(), timeframe, *values))
