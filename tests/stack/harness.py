"""The dispatcher as a process, a producer that remembers, and a subscriber that verifies."""

import collections
import contextlib
import functools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid

import psycopg
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

REPO = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SIGNALBOX", REPO / "build/signalbox"))
BROKER = os.environ.get("KAFKA_BROKER", "127.0.0.1:19092")
REDIS_HOST = os.environ.get("REDIS_HOST", "127.0.0.1")
REDIS_PORT = int(os.environ.get("REDIS_PORT", "16379"))

NO_PARTITION = (KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC)

Place = collections.namedtuple("Place", "topic partition offset")


def stack(*words):
    """tools/stack, on the stack that the environment names."""
    subprocess.run([REPO / "tools/stack", *words], check=True, stdout=subprocess.DEVNULL)


def wait_until(condition, seconds=30, what="the condition", every=0.05):
    """Polls until the condition holds; its last value is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(every)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect_redis():
    return redis.Redis(host=REDIS_HOST, port=REDIS_PORT, socket_timeout=10)


def connect_postgres():
    return psycopg.connect(autocommit=True, connect_timeout=5)


def unique_symbol(prefix="t"):
    return prefix + uuid.uuid4().hex[:10]


def candle(symbol, minute, *, close=100.0, is_closed=True, timeframe="1m", **changes):
    """A candle as the original's gateway sends it."""
    start = 1_600_000_000_000 // 60_000 * 60_000 + minute * 60_000
    body = {"symbol": symbol.upper(), "timeframe": timeframe, "time": start,
            "close_time": start + 59_999, "open": 100.5, "high": 1e6, "low": 0.25, "close": close,
            "volume": 3.10254, "is_closed": is_closed, "quote_asset_volume": 356794.11,
            "number_of_trades": 418, "taker_buy_base_asset_volume": 1.66,
            "taker_buy_quote_asset_volume": 190904.2, "source": "binance_websocket",
            "timestamp": 1761573420.112}
    body.update(changes)
    return json.dumps(body).encode()


class Produced:
    """A producer that remembers what went where: the ledger's left side."""

    def __init__(self, compression="snappy"):
        self.messages = {}
        self.lock = threading.Lock()
        self.producer = Producer({
            "bootstrap.servers": BROKER, "enable.idempotence": True, "compression.type": compression,
            "linger.ms": 5, "log_level": 2, "queue.buffering.max.messages": 1_000_000,
            "message.max.bytes": 2_200_000, "delivery.timeout.ms": 120_000})

    def send(self, topic, value, key=None, partition=None, headers=None, timestamp=None):
        def delivered(error, message):
            assert error is None, error
            with self.lock:
                place = Place(message.topic(), message.partition(), message.offset())
                self.messages[place] = value

        options = {} if partition is None else {"partition": partition}
        if timestamp is not None:  # milliseconds; else the time of sending
            options["timestamp"] = timestamp
        deadline = time.monotonic() + 30
        while True:
            try:
                self.producer.produce(topic, value, key=key, headers=headers,
                                      on_delivery=delivered, **options)
                break
            except BufferError:
                self.producer.poll(0.1)
            except KafkaException as error:
                self.wait_for_partition(error.args[0], topic, partition, deadline)
        self.producer.poll(0)

    def wait_for_partition(self, error, topic, partition, deadline):
        """What the producer knows of a topic may be older than its partitions."""
        if error.code() not in NO_PARTITION or time.monotonic() > deadline:
            raise KafkaException(error)
        self.producer.list_topics(topic, timeout=10)
        self.producer.poll(0.05)

    def learn(self, topic, partitions):
        """Before the first message with a partition, which would fail while the producer knows of
        none: those that it holds until it has asked are judged by its first answer."""
        wait_until(lambda: len(self.producer.list_topics(topic, timeout=10).topics[topic].partitions)
                   >= partitions, 30, f"the partitions of {topic}")

    def flush(self, seconds=120):
        assert self.producer.flush(seconds) == 0, "the broker did not take everything"

    def count(self):
        with self.lock:
            return len(self.messages)


def create_topics(*names, partitions=3, config=None):
    """Returns when every partition has a leader: who asks earlier is told of none."""
    admin = AdminClient({"bootstrap.servers": BROKER})
    futures = admin.create_topics(
        [NewTopic(name, partitions, 1, config=config or {}) for name in names])
    for future in futures.values():
        with contextlib.suppress(Exception):  # it may exist
            future.result(30)

    def led(name):
        topic = admin.list_topics(name, timeout=10).topics[name]
        return not topic.error and topic.partitions and all(
            partition.leader >= 0 for partition in topic.partitions.values())

    for name in names:
        wait_until(lambda name=name: led(name), 30, f"leaders of {name}")


def delete_topics_of(symbol):
    """So that a broker that is killed has little to look through when it is back."""
    admin = AdminClient({"bootstrap.servers": BROKER})
    delete_topics(*[topic for topic in admin.list_topics(timeout=30).topics if symbol in topic])


def delete_topics(*names):
    if not names:
        return
    admin = AdminClient({"bootstrap.servers": BROKER})
    for future in admin.delete_topics(list(names)).values():
        with contextlib.suppress(Exception):
            future.result(30)


Note = collections.namedtuple("Note", "place seq epoch payload")

NOTE = re.compile(rb', "_routing": {"source_topic": "([^"]+)", .*"partition": (\d+), "offset": (\d+),'
                  rb' "seq": (\d+), "epoch": (\d+), [^{}]*}}$')


def note_of(data):
    """The place, the count and the payload as it came in, of a published message."""
    match = NOTE.search(data)
    assert match, data
    topic, partition, offset, seq, epoch = match.groups()
    return Note(Place(topic.decode(), int(partition), int(offset)), int(seq), int(epoch),
                data[:match.start()] + b"}")


class Subscriber:
    """Notes every message of some channels, in the order in which Redis sent them."""

    def __init__(self, *channels, patterns=()):
        self.received = []  # (channel, bytes)
        self.read = []
        self.channels, self.patterns = channels, patterns
        self.failures = 0
        self.ready = threading.Event()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        assert self.ready.wait(30)

    def _listen(self):
        while not self.stopping.is_set():
            try:
                client = connect_redis()
                client.config_set("client-output-buffer-limit", "pubsub 0 0 0")
                listener = client.pubsub()
                if self.channels:
                    listener.subscribe(*self.channels)
                if self.patterns:
                    listener.psubscribe(*self.patterns)
                expected = len(self.channels) + len(self.patterns)
                while not self.stopping.is_set():
                    message = listener.get_message(timeout=0.2)
                    if message is None:
                        continue
                    if message["type"] in ("subscribe", "psubscribe"):
                        expected -= 1
                        if expected == 0:
                            self.ready.set()
                    elif message["type"] in ("message", "pmessage"):
                        self.received.append((message["channel"].decode(), message["data"]))
            except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
                self.failures += 1
                time.sleep(0.05)

    def notes(self):
        """What `_routing` says of every message so far; each is read once."""
        for _, data in self.received[len(self.read):]:
            self.read.append(note_of(data))
        return self.read

    def places(self):
        """(topic, partition, offset) of what came, in that order."""
        return [note.place for note in self.notes()]

    def close(self):
        self.stopping.set()
        self.thread.join(10)


Verdict = collections.namedtuple("Verdict", "lost repeated disordered")


def damaged(messages, notes):
    """How many payloads are not byte for byte what was produced at their place."""
    return sum(messages.get(note.place) != note.payload for note in notes)


def uncounted(notes):
    """How many messages break the count (`seq`) of their partition within an epoch."""
    last, broken = {}, 0
    for note in notes:
        key = note.place[:2], note.epoch
        broken += key in last and note.seq != last[key] + 1
        last[key] = note.seq
    return broken


def verdict(expected, seen):
    """Counts what is lost, repeated and out of order within its partition."""
    counts = collections.Counter(seen)
    lost = [place for place in expected if place not in counts]
    repeated = sum(count - 1 for count in counts.values())
    disordered = 0
    last = {}
    for place in seen:
        key = place[:2]
        if key in last and place.offset < last[key]:
            disordered += 1
        last[key] = max(place.offset, last.get(key, -1))
    return Verdict(len(lost), repeated, disordered)


class Dispatcher:
    """`signalbox dispatcher` with a group of its own."""

    command = "dispatcher"

    def __init__(self, symbols=(), group=None, port=None, arguments=(), log=None, **environment):
        self.port = port or free_port()
        self.group = group or "g" + uuid.uuid4().hex[:10]
        self.log_path = pathlib.Path(log or REPO / "build/logs" / f"dispatcher-{self.group}.log")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ, "KAFKA_BROKER": BROKER, "KAFKA_GROUP_ID": self.group,
            "KAFKA_AUTO_OFFSET_RESET": "earliest", "SYMBOLS": ",".join(symbols),
            "DISPATCHER_PORT": str(self.port), "LOG_DIR": str(self.log_path.parent / self.group),
            **{name: str(value) for name, value in environment.items()}}
        self.arguments = arguments
        self.process = None

    def start(self, ready=True, seconds=40):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [BINARY, self.command, "--bind", "127.0.0.1", *self.arguments],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT)
        if ready:
            try:
                wait_until(self.works, seconds, "a dispatcher whose every lane works")
            except BaseException:
                self.__exit__()  # no with block is there yet to end it
                raise
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=12):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, urllib.error.URLError):
            return 0, ""

    def health(self):
        status, body = self.get("/health")
        return status, json.loads(body) if body else {}

    def diagnostic(self):
        status, body = self.get("/diagnostic")
        return json.loads(body) if status == 200 else {}

    def lanes(self):
        return self.diagnostic().get("lanes", {})

    def works(self):
        lanes = self.lanes()
        return lanes and all(lane["works"] for lane in lanes.values())

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def events(self, name=None, **fields):
        """Lines of its log, all its lives together, that have this event and these fields."""
        found = []
        for line in self.log_path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # the last line may be half there
                event = json.loads(line)
                if name in (None, event["event"]) and fields.items() <= event.items():
                    found.append(event)
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def signalbox(*arguments, check=True, group=None, **environment):
    """One command of the program; its standard output."""
    done = subprocess.run(
        [BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        env={**os.environ, "KAFKA_BROKER": BROKER, **({"KAFKA_GROUP_ID": group} if group else {}),
             **environment}, check=False)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def delivered(group, topics, lane="redis"):
    """Messages that a lane has behind it, by its fences: offsets of these topics begin at 0."""
    if lane.startswith("redis"):
        keys = [f"signalbox:fence:{group}-{lane}:{topic}:{partition}"
                for topic, partitions in topics.items() for partition in range(partitions)]
        return sum(int(fence.split()[0]) for fence in fence_client().mget(keys) if fence)
    with connect_postgres() as connection:
        return int(connection.execute(
            "SELECT coalesce(sum(next_offset), 0) FROM signalbox.fences WHERE group_id = %s"
            " AND topic = ANY(%s)", (f"{group}-{lane}", list(topics))).fetchone()[0])


@functools.cache
def fence_client():
    return connect_redis()


class Proxy:
    """Stands before a server and lets everything through, until told to hold the next write.

    A held reply is a write that landed and that its sender knows nothing of.
    """

    WRITE = 8_000  # bytes without a reply: nothing else that a dispatcher sends is that large

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.going = threading.Event()  # cleared while something is held
        self.going.set()
        self.wanted = None  # "request" or "reply": what to hold of the next write
        self.held_replies = 0
        self.sockets = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, what):
        """The next write is held in its middle, or its reply is."""
        with self.lock:
            self.held_replies = 0
            self.wanted = what

    def holds(self):
        return not self.going.is_set()

    def cut(self):
        """Ends every connection, what is held included, and holds nothing more."""
        with self.lock:
            sockets, self.sockets = self.sockets, set()
            self.wanted = None
            for end in sockets:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self.going.set()

    def close(self):
        self.listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.sockets |= {client, server}
            pair = {"unanswered": 0, "held": None}
            for work in (self._requests, self._replies):
                threading.Thread(target=self._run, args=(work, client, server, pair),
                                 daemon=True).start()

    def _run(self, work, client, server, pair):
        with contextlib.suppress(OSError):
            work(client, server, pair)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _requests(self, client, server, pair):
        while data := client.recv(16384):
            pair["unanswered"] += len(data)
            with self.lock:
                if self.wanted and pair["unanswered"] > self.WRITE:
                    pair["held"], self.wanted = self.wanted, None
                    self.going.clear()
            if pair["held"] == "request":
                server.sendall(data[:len(data) // 2])
                data = data[len(data) // 2:]
                self.going.wait()
            server.sendall(data)

    def _replies(self, client, server, pair):
        while data := server.recv(65536):
            pair["unanswered"] = 0
            if pair["held"] == "reply":
                self.held_replies += len(data)
                continue  # never forwarded: this connection will be cut
            client.sendall(data)


def stored_minutes(symbol, timeframe="1m"):
    """The closes of a symbol by minute, as public.market_data holds them."""
    with connect_postgres() as connection:
        rows = connection.execute(
            "SELECT extract(epoch FROM time)::bigint / 60 - 1600000000 / 60, close"
            " FROM public.market_data WHERE symbol = %s AND timeframe = %s",
            (symbol.upper(), timeframe)).fetchall()
    return {int(minute): float(close) for minute, close in rows}


def dead_letter_messages(topic, seconds=20, at_least=1):
    """Dead letters of one source topic, read from Kafka by a client that is not ours."""
    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": uuid.uuid4().hex,
                         "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    letters = []
    try:
        metadata = consumer.list_topics("signalbox.dead-letters", timeout=10)
        consumer.assign([TopicPartition("signalbox.dead-letters", partition, 0) for partition in
                         metadata.topics["signalbox.dead-letters"].partitions])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(letters) < at_least:
            message = consumer.poll(0.5)
            if message is None or message.error():
                continue
            headers = {name: value.decode() for name, value in message.headers() or []}
            if headers.get("signalbox-topic") == topic:
                letters.append((message.key().decode(), headers, message.value()))
    finally:
        consumer.close()
    return letters
