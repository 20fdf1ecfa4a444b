"""The trigger and Celery workers as processes, signals, and what became of them."""

import base64
import collections
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import uuid

import redis

import harness
from harness import REDIS_HOST, REDIS_PORT, REPO, wait_until

DATABASE = 5  # of Redis: claims are not named by group, so these tests have one to themselves
BROKER_URL = f"redis://{REDIS_HOST}:{REDIS_PORT}/{DATABASE}"
TASK = "app.orchestration.tasks.execute_pipeline"
OUTCOME_STREAM = "signalbox:trigger:outcomes"
OUTCOMES = dict(zip("EHBSQVDXMNTCRUK", (
    "enqueued", "held", "busy", "superseded", "queue_full", "deactivated", "duplicate", "expired",
    "market_closed", "no_subscription", "wrong_timeframe", "below_confidence", "not_routed", "no_user",
    "backtest_off")))

NEWEST = REPO / ".venv/bin/celery"
OLDEST = REPO / ".deps/original/bin/celery"

Triple = collections.namedtuple("Triple", "signal pipeline ticker")


def connect_queue():
    return redis.Redis(host=REDIS_HOST, port=REDIS_PORT, db=DATABASE, socket_timeout=30)


def make_signal(*tickers, signal_id=None, confidence=85.0, **changes):
    """A signal as the original's generator sends it; returns its dictionary."""
    body = {"signal_id": signal_id or str(uuid.uuid4()), "signal_type": "golden_cross",
            "source": "golden_cross_generator", "timestamp": int(time.time()),
            "tickers": [{"ticker": ticker, "signal": "BULLISH", "confidence": confidence,
                         "reasoning": f"{ticker} looks good"} for ticker in tickers],
            "metadata": {"timeframe": "D", "sma_short": 50, "sma_long": 200}}
    body.update(changes)
    return body


class Signals:
    """A topic of its own, and a producer that remembers."""

    def __init__(self, partitions=1):
        self.topic = "signals-" + uuid.uuid4().hex[:10]
        harness.create_topics(self.topic, partitions=partitions)
        self.produced = harness.Produced(compression="none")  # as the original's generator sends

    def send(self, *signals, partition=None, **options):
        """Dictionaries, or bytes as they are; returns once the broker has them."""
        for body in signals:
            value = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            self.produced.send(self.topic, value, partition=partition, **options)
        self.produced.flush()
        return signals[0]["signal_id"] if signals and isinstance(signals[0], dict) else None

    def count(self):
        return self.produced.count()

    def close(self):
        harness.delete_topics(self.topic)


class Trigger(harness.Dispatcher):
    """`signalbox trigger` with a group of its own, unless it is another's replica."""

    command = "trigger"

    def __init__(self, signals, queue, *, group=None, arguments=(), **environment):
        super().__init__(group=group or "t" + uuid.uuid4().hex[:10], arguments=arguments,
                         log=REPO / "build/logs" / f"trigger-{uuid.uuid4().hex[:10]}.log",
                         **{"MARKET_HOURS": "off", "CACHE_REFRESH_INTERVAL_SECONDS": "1",
                            **environment})
        for name in ("KAFKA_BROKER", "KAFKA_GROUP_ID", "SYMBOLS", "DISPATCHER_PORT"):
            self.environment.pop(name, None)
        self.environment.update({
            "KAFKA_BOOTSTRAP_SERVERS": harness.BROKER, "KAFKA_SIGNAL_TOPIC": signals.topic,
            "KAFKA_CONSUMER_GROUP": self.group, "TRIGGER_PORT": str(self.port),
            "CELERY_BROKER_URL": BROKER_URL, "CELERY_RESULT_BACKEND": BROKER_URL,
            "CELERY_QUEUE": queue, "CELERY_BACKTEST_QUEUE": queue + "-backtest"} |
            {name: str(value) for name, value in environment.items()})

    def works(self):
        return any(lane["works"] for lane in self.lanes().values())

    def trigger(self):
        """What /diagnostic says of the trigger itself."""
        return self.diagnostic().get("trigger", {})

    def outcomes(self):
        return {name: count for name, count in self.trigger().get("outcomes", {}).items() if count}

    def handled(self):
        return self.trigger().get("signals", 0)


def fence_sum(group, topic, partitions=1):
    """Signals that the group has behind it, by its fences: offsets of the topic begin at 0."""
    client = connect_queue()
    keys = [f"signalbox:fence:{group}:{topic}:{partition}" for partition in range(partitions)]
    return sum(int(fence.split()[0]) for fence in client.mget(keys) if fence)


def wait_for_signals(group, signals, partitions=1, seconds=60):
    wait_until(lambda: fence_sum(group, signals.topic, partitions) >= signals.count(), seconds,
               f"every signal of {signals.topic} behind the fence", 0.02)


class Worker:
    """A Celery worker process of this test's own."""

    def __init__(self, queue, *, celery=NEWEST, concurrency=2, seconds=0.0, rows=False, record=None,
                 visibility=None, database=DATABASE):
        self.celery, self.queue, self.concurrency = celery, queue, concurrency
        self.record = pathlib.Path(record or REPO / "build/logs" / f"runs-{uuid.uuid4().hex[:8]}.jsonl")
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self.ready = self.record.with_suffix(".ready")
        self.log = self.record.with_suffix(".log")
        url = f"redis://{REDIS_HOST}:{REDIS_PORT}/{database}"
        self.environment = {
            **os.environ, "PYTHONPATH": str(REPO / "tests/stack"), "WORKER_RECORD": str(self.record),
            "WORKER_READY": str(self.ready), "WORKER_SECONDS": str(seconds),
            "WORKER_ROWS": "1" if rows else "0", "CELERY_BROKER_URL": url,
            "CELERY_RESULT_BACKEND": url}
        if visibility:
            self.environment["WORKER_VISIBILITY"] = str(visibility)
        self.process = None

    def start(self):
        self.ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.celery, "-A", "worker", "worker", "-Q", self.queue, "-n",
                 f"{uuid.uuid4().hex[:6]}@%h", f"--concurrency={self.concurrency}",
                 "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                cwd="/", start_new_session=True)
        try:
            wait_until(self.ready.exists, 40, f"a worker on {self.queue}")
        except BaseException:
            self.kill()
            raise
        return self

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """kill -9, with every child."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def lives(self):
        return self.process.poll() is None

    def lines(self, event=None):
        if not self.record.exists():
            return []
        lines = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [line for line in lines if event in (None, line["event"])]

    def runs(self):
        """Every start of a run, in order."""
        return self.lines("started")

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *_):
        self.kill()


def triple_of(run):
    """What a run, or the arguments of a task, is the task of."""
    return Triple(run["signal_context"]["signal_id"], run["pipeline_id"], run["symbol"])


class Task:
    """One element of Celery's list, taken apart."""

    def __init__(self, element):
        self.message = json.loads(element)
        self.headers, self.properties = self.message["headers"], self.message["properties"]
        self.id = self.headers["id"]
        self.args, self.kwargs, self.embed = json.loads(base64.b64decode(self.message["body"]))

    @property
    def triple(self):
        return triple_of(self.kwargs)


def queued(queue):
    """The tasks in the list, in the order in which a worker would take them."""
    return [Task(element) for element in reversed(connect_queue().lrange(queue, 0, -1))]


def finish(task, status="SUCCESS"):
    """Leaves the result that a worker would."""
    connect_queue().setex(f"celery-task-meta-{task.id}", 86400, json.dumps(
        {"status": status, "result": None, "traceback": None, "children": [], "task_id": task.id}))


def take(queue):
    """A worker that does nothing: takes every task and leaves its result."""
    tasks = queued(queue)
    client = connect_queue()
    for task in tasks:
        finish(task)
    client.ltrim(queue, 0, -1 - len(tasks))
    return tasks


class Outcomes:
    """Reads the stream of outcomes as it grows: Redis keeps only the newest part of it."""

    def __init__(self):
        self.client = connect_queue()
        self.position = "0-0"
        self.found = collections.defaultdict(list)  # Triple -> outcomes, in order

    def read(self):
        while entries := self.client.xrange(OUTCOME_STREAM, "(" + self.position, count=500):
            for identity, fields in entries:
                self.position = identity.decode()
                pairs = [(signal, *pair.split("|", 1))
                         for signal, *pairs in json.loads(fields[b"pairs"]) for pair in pairs]
                letters = fields[b"outcomes"].decode()
                assert len(pairs) == len(letters), identity
                for pair, letter in zip(pairs, letters):
                    self.found[Triple(*pair)].append(OUTCOMES[letter])
        return self.found

    def of(self, signal, pipeline, ticker):
        return self.read().get(Triple(signal, pipeline, ticker), [])

