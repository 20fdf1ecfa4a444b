"""`signalbox up`: signals of its candles, pipelines, an embedded queue, workers; killed and started again."""

import collections
import contextlib
import json
import random
import re
import signal
import sqlite3
import subprocess
import time
import urllib.request

import harness

KILLS = 12


class Up:
    """`signalbox up` on a data folder that outlives the process."""

    def __init__(self, folder, speed=3000):
        self.folder, self.speed = folder, speed
        self.port = harness.free_port()
        self.process = None

    def start(self):
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [harness.BINARY, "up", "--data", str(self.folder / "data"), "--port", str(self.port),
                 "--speed", str(self.speed)],
                cwd=self.folder, env={"LOG_DIR": str(self.folder / "logs")}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError):
            return {}

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(12) == 0

    def rows(self, file, query):
        with contextlib.closing(sqlite3.connect(self.folder / "data" / file)) as database:
            return database.execute(query).fetchall()

    def signal_ids(self):
        return [json.loads(payload)["signal_id"] for (payload,) in self.rows(
            "log.db", "SELECT payload FROM messages JOIN partitions p ON position >> 40 = p.id"
                      " WHERE p.topic = 'trading-signals' ORDER BY position")]

    def enqueued(self):
        """Task ids that the trigger's log names; it may miss one that a kill cut off."""
        log = (self.folder / "logs" / "up.log").read_text(errors="replace")
        return set(re.findall(r'"event":"pipeline_execution_enqueued".*?"task_id":"([^"]+)"', log))


def test_a_newcomer_sees_signals_become_runs_within_a_minute(tmp_path):
    with Up(tmp_path).start() as up:
        runs = harness.wait_until(
            lambda: [run for run in up.get("/runs").get("runs", ()) if run["outcome"] == "COMPLETED"],
            60, "a run that has ended")
        assert {"signal_id", "pipeline", "ticker", "started_at", "completed_at"} <= set(runs[0])
        assert runs[0]["ticker"] in runs[0]["signal_id"]
        trigger = up.get("/diagnostic")["trigger"]
        assert trigger["balanced"] and trigger["pipeline_cache"]["pipelines"] == 5
        assert trigger["outcomes"]["enqueued"] > 0
        with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/metrics", timeout=5) as answer:
            metrics = answer.read().decode()
        assert int(re.search(r"^pipelines_enqueued_total (\d+)", metrics, re.M)[1]) > 0
        up.stop()


def test_killed_again_and_again_it_runs_no_task_twice_and_loses_none(tmp_path):
    up = Up(tmp_path)
    luck = random.Random(20261121)
    for _ in range(KILLS):
        up.start()
        time.sleep(luck.uniform(0.4, 4))
        up.kill()
    with up.start():
        harness.wait_until(lambda: up.get("/diagnostic").get("trigger", {}).get("signals", 0) > 20,
                           30, "the last start to go on")
        up.stop()

    # Signals: those of a run that nobody disturbed, in its order, each once.
    disturbed = up.signal_ids()
    assert len(disturbed) > 30
    (tmp_path / "quick").mkdir()
    with Up(tmp_path / "quick", speed=100_000).start() as quiet:
        harness.wait_until(lambda: quiet.get("/health"), 20, "a run that nobody disturbs")
        harness.wait_until(lambda: len(quiet.signal_ids()) >= len(disturbed), 60, "its signals")
        quiet.stop()
    assert disturbed == quiet.signal_ids()[:len(disturbed)]

    # Every task that was enqueued has its one run, or still is in the queue.
    runs = up.rows("platform.db",
                   "SELECT id, status, pipeline_id, symbol, result ->> '$.signal_id',"
                   " result ->> '$.starts', created_at_us, completed_at_us FROM executions")
    waiting = {task for (task,) in up.rows("tasks.db", "SELECT task_id FROM tasks WHERE NOT is_taken")}
    in_hand = {task for (task,) in up.rows("tasks.db", "SELECT task_id FROM tasks WHERE is_taken")}
    begun = {run[0] for run in runs}
    ended = {run[0] for run in runs if run[1] == "COMPLETED"}
    assert up.enqueued() <= begun | waiting | in_hand
    assert begun - ended <= in_hand
    assert not begun & waiting

    # No (signal, pipeline, ticker) twice, and no pair twice at a time.
    assert max(collections.Counter(run[2:5] for run in runs).values()) == 1
    of_pair = collections.defaultdict(list)
    for run in runs:
        of_pair[run[2:4]].append((run[6], run[7] or float("inf")))
    for spans in of_pair.values():
        spans.sort()
        assert all(spans[i][1] <= spans[i + 1][0] for i in range(len(spans) - 1)), spans
    resumed = sum(run[5] > 1 for run in runs)
    assert resumed > 0, "no kill met a run"
    print(f"{KILLS} kills, {len(disturbed)} signals, {len(runs)} runs, {resumed} resumed, "
          f"{len(waiting)} waiting")


def test_a_second_one_does_not_work_on_the_same_folder(tmp_path):
    with Up(tmp_path).start() as first:
        harness.wait_until(lambda: first.get("/health"), 20, "the first one")
        with Up(tmp_path).start() as second:
            assert second.process.wait(20) == 1
        assert "another process" in (tmp_path / "out").read_text()
        assert first.get("/health")
        first.stop()
