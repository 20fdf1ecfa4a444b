"""A Celery worker as the original's: its configuration, its task's name and signature.

Instead of trading it writes what it got to a file, a JSON line at the start and one at the end of each
run. Run by the newest Celery and by the oldest that our tasks are tried with. Variables:

  CELERY_BROKER_URL, CELERY_RESULT_BACKEND   as the original's
  WORKER_RECORD       the file that the lines are appended to
  WORKER_READY        a file that holds the worker's pid once it takes tasks
  WORKER_SECONDS      how long a run takes (0)
  WORKER_ROWS         1: each run is a row of public.executions, RUNNING, then COMPLETED
  WORKER_VISIBILITY   the broker's visibility time-out in seconds (Celery's own default)
"""

import fcntl
import json
import os
import pathlib
import time
import uuid

from celery import Celery
from celery.signals import worker_ready

app = Celery("trading_platform", broker=os.environ["CELERY_BROKER_URL"],
             backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(
    task_serializer="json", accept_content=["json"], result_serializer="json", timezone="UTC",
    enable_utc=True, task_track_started=True, task_time_limit=600, task_soft_time_limit=480,
    worker_prefetch_multiplier=1, worker_max_tasks_per_child=1000, task_acks_late=True,
    task_reject_on_worker_lost=True, broker_connection_retry_on_startup=True)
if "WORKER_VISIBILITY" in os.environ:
    app.conf.broker_transport_options = {"visibility_timeout": int(os.environ["WORKER_VISIBILITY"])}

RECORD = os.environ["WORKER_RECORD"]
RUN_SECONDS = float(os.environ.get("WORKER_SECONDS", "0"))
KEEPS_ROWS = os.environ.get("WORKER_ROWS") == "1"


@worker_ready.connect
def tell_ready(**_):
    if path := os.environ.get("WORKER_READY"):
        pathlib.Path(path).write_text(str(os.getpid()))


def record(**line):
    """The line is there, and whole, whatever happens to this process afterwards: it is in the kernel's
    hands, which outlive a kill."""
    data = (json.dumps({**line, "at": time.time(), "pid": os.getpid()}) + "\n").encode()
    with open(RECORD, "ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(data)


def faults_of(context):
    """What the backend's model of a signal context would refuse."""
    if not isinstance(context, dict):
        return ["signal_context is no object"]
    number = (int, float)
    wanted = {
        "signal_id": lambda value: isinstance(value, str),
        "signal_type": lambda value: isinstance(value, str),
        "source": lambda value: isinstance(value, str),
        "timestamp": lambda value: isinstance(value, (*number, str)) and not isinstance(value, bool),
        "tickers": lambda value: isinstance(value, list) and value
                                 and all(isinstance(ticker, str) for ticker in value),
        "confidence": lambda value: isinstance(value, number) and not isinstance(value, bool),
        "metadata": lambda value: isinstance(value, dict),
    }
    faults = [f"{name}: {context.get(name)!r}" for name, fits in wanted.items()
              if not fits(context.get(name))]
    return faults + [f"{name} is not in the model" for name in context.keys() - wanted.keys()]


class Row:
    """The run's row in the platform's table, when it is wanted."""

    def __init__(self, pipeline_id, user_id, mode, symbol):
        self.id = uuid.uuid4()
        self.execute("INSERT INTO public.executions (id, pipeline_id, user_id, status, mode, symbol,"
                     " execution_phase, version, started_at, created_at)"
                     " VALUES (%s, %s, %s, 'RUNNING', %s, %s, 'execution', 1,"
                     " now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')",
                     (self.id, pipeline_id, user_id, mode, symbol))

    def end(self):
        self.execute("UPDATE public.executions SET status = 'COMPLETED',"
                     " completed_at = now() AT TIME ZONE 'UTC' WHERE id = %s", (self.id,))

    @staticmethod
    def execute(statement, values):
        import psycopg  # here: a worker without rows needs no database

        with psycopg.connect(dbname=os.environ["POSTGRES_DB"], connect_timeout=5) as connection:
            connection.execute(statement, values)


@app.task(bind=True, name="app.orchestration.tasks.execute_pipeline")
def execute_pipeline(self, pipeline_id, user_id, mode="paper", execution_id=None,
                     signal_context=None, symbol=None, pipeline_snapshot=None,
                     runtime_snapshot=None):
    faults = faults_of(signal_context)
    record(event="started", task=self.request.id, pipeline_id=pipeline_id, user_id=user_id,
           mode=mode, execution_id=execution_id, signal_context=signal_context, symbol=symbol,
           pipeline_snapshot=pipeline_snapshot, runtime_snapshot=runtime_snapshot, faults=faults,
           queue=self.request.delivery_info.get("routing_key"),
           redelivered=self.request.delivery_info.get("redelivered"),
           expires=self.request.expires, args=self.request.args)
    row = Row(pipeline_id, user_id, mode, symbol) if KEEPS_ROWS else None
    time.sleep(RUN_SECONDS)
    if row:
        row.end()
    record(event="ended", task=self.request.id)
    if faults:
        raise ValueError("; ".join(faults))
    return {"status": "completed"}
