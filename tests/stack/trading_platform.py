"""The trading platform's database: users, pipelines, scanners and executions."""

import contextlib
import json
import os
import uuid

import psycopg

import harness

SCHEMA = harness.REPO / "tests/stack/platform.sql"
USER = "00000000-0000-4000-8000-000000000001"


def connect():
    return psycopg.connect(autocommit=True, connect_timeout=5,
                           dbname=os.environ.get("POSTGRES_DB", "trading_platform"))


def renew():
    """An empty platform with one user."""
    with connect() as connection:
        # Ours is named as the tests' role is: what the platform creates would land in it.
        connection.execute("DROP SCHEMA IF EXISTS signalbox CASCADE; DROP SCHEMA public CASCADE;"
                           " CREATE SCHEMA public; SET search_path = public")
        connection.execute(SCHEMA.read_text())
        connection.execute("INSERT INTO public.users (id, email) VALUES (%s, 'one@example.org')",
                           (USER,))


def text_of(value):
    return None if value is None else json.dumps(value)


def add_pipelines(pipelines):
    """Pipelines as dictionaries: tickers, and whatever differs from an idle live pipeline's row."""
    scanners, rows = [], []
    for pipeline in pipelines:
        scanner = None
        if "scanner_config" in pipeline or "tickers" in pipeline:
            scanner = str(uuid.uuid4())
            config = pipeline.get("scanner_config", {"tickers": pipeline.get("tickers")})
            scanners.append((scanner, pipeline.get("user_id", USER), text_of(config),
                             pipeline.get("scanner_active", True)))
        rows.append((pipeline["id"], pipeline.get("user_id", USER), pipeline.get("name", "pipeline"),
                     text_of(pipeline.get("config", {})), pipeline.get("is_active", True),
                     pipeline.get("trigger_mode", "signal"), scanner,
                     text_of(pipeline.get("subscriptions")),
                     text_of(pipeline.get("scanner_tickers"))))
    with connect() as connection, connection.transaction(), connection.cursor() as cursor:
        users = {row[1] for row in scanners + rows}
        cursor.executemany("INSERT INTO public.users (id, email) VALUES (%s, %s)"
                           " ON CONFLICT DO NOTHING", [(user, user) for user in users])
        cursor.executemany("INSERT INTO public.scanners (id, user_id, name, config, is_active)"
                           " VALUES (%s, %s, 'scanner', %s, %s)", scanners)
        cursor.executemany(
            "INSERT INTO public.pipelines (id, user_id, name, config, is_active, trigger_mode,"
            " scanner_id, signal_subscriptions, scanner_tickers)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)", rows)


def pipeline(*tickers, **changes):
    """A pipeline's description; it is in the table after add_pipelines()."""
    return {"id": str(uuid.uuid4()), "tickers": list(tickers), **changes}


def add_pipeline(*tickers, **changes):
    described = pipeline(*tickers, **changes)
    add_pipelines([described])
    return described["id"]


def update_pipeline(identity, **columns):
    with connect() as connection:
        for name, value in columns.items():
            connection.execute(f"UPDATE public.pipelines SET {name} = %s,"
                               " updated_at = now() AT TIME ZONE 'UTC' WHERE id = %s",
                               (value, identity))


def add_run(pipeline_id, symbol, status="RUNNING", *, started_minutes_ago=0.0,
            created_minutes_ago=None, mode="paper"):
    """A row of somebody else's run. `started_minutes_ago` None: it has not started."""
    add_runs([{"pipeline_id": pipeline_id, "symbol": symbol, "status": status, "mode": mode,
               "started_minutes_ago": started_minutes_ago,
               "created_minutes_ago": started_minutes_ago or 0.0 if created_minutes_ago is None
                                      else created_minutes_ago}])


def add_runs(runs):
    with connect() as connection, connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO public.executions (id, pipeline_id, user_id, status, mode, symbol,"
            " execution_phase, version, started_at, created_at)"
            " VALUES (%(id)s, %(pipeline_id)s, (SELECT user_id FROM public.pipelines"
            " WHERE id = %(pipeline_id)s), %(status)s, %(mode)s, %(symbol)s, 'execution', 1,"
            " now() AT TIME ZONE 'UTC' - %(started_minutes_ago)s * interval '1 minute',"
            " now() AT TIME ZONE 'UTC' - %(created_minutes_ago)s * interval '1 minute')",
            [{"id": uuid.uuid4(), **run} for run in runs])


def end_runs():
    with connect() as connection:
        connection.execute("UPDATE public.executions SET status = 'COMPLETED',"
                           " completed_at = now() AT TIME ZONE 'UTC'")


@contextlib.contextmanager
def taken_away(table):
    """A question about this table fails meanwhile."""
    with connect() as connection:
        connection.execute(f"ALTER TABLE public.{table} RENAME TO {table}_away")
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE public.{table}_away RENAME TO {table}")
