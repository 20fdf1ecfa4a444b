"""What it tells and what an operator does: health, metrics, fences, check, probe, migrate."""

import json

from harness import (Dispatcher, candle, connect_postgres, connect_redis, create_topics, free_port,
                     signalbox, stack, stored_minutes, wait_until)

HEALTH_KEYS = {"status", "timestamp", "uptime", "stats"}
STATS_KEYS = {"messages_received", "messages_routed", "high_priority_routed", "messages_queued",
              "queue_processed", "errors", "last_reset", "uptime", "queue_size",
              "high_priority_queue_size", "messages_per_second", "high_priority_per_second",
              "success_rate"}


def test_health_and_diagnostic_hold_every_key_of_the_original(symbol):
    with Dispatcher([symbol]).start() as dispatcher:
        status, health = dispatcher.health()
        assert status == 200 and HEALTH_KEYS <= health.keys()
        assert STATS_KEYS <= health["stats"].keys()
        diagnostic = dispatcher.diagnostic()
        assert {"status", "timestamp", "uptime", "connections", "topics",
                "stats"} <= diagnostic.keys()
        assert diagnostic["connections"]["kafka"] == "connected"
        assert diagnostic["connections"]["redis"] == "connected"
        assert dispatcher.get("/live")[0] == 200
        metrics = dispatcher.get("/metrics")[1]
        assert 'signalbox_sink_up{lane="redis",sink="redis"} 1' in metrics
        status, body = dispatcher.get("/nothing")
        assert status == 404 and json.loads(body)["code"] == "NOT_FOUND"


def test_health_says_503_when_no_lane_can_work(symbol):
    with Dispatcher([symbol], LANES="redis").start() as dispatcher:
        stack("stop", "redis")
        try:
            status, health = wait_until(lambda: (h := dispatcher.health())[0] == 503 and h, 20)
            assert health["status"] == "unhealthy"
            assert health["dependencies"]["redis"]["state"] == "down"
            assert signalbox("probe", "--port", str(dispatcher.port), check=False).returncode == 1
        finally:
            stack("start", "redis")
        wait_until(lambda: dispatcher.health()[0] == 200, 20)
        assert signalbox("probe", "--port", str(dispatcher.port)).returncode == 0


def test_fences_are_listed_and_moved_and_a_lane_obeys_them(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic, partitions=1)
    dispatcher = Dispatcher([symbol], LANES="postgres", POSTGRES_LOOPS="1")
    with dispatcher.start():
        for minute in range(10):
            produced.send(topic, candle(symbol, minute))
        produced.flush()
        wait_until(lambda: len(stored_minutes(symbol)) == 10)
        assert dispatcher.stop() == 0
    assert topic in signalbox("fences", "list", group=dispatcher.group).stdout
    with connect_postgres() as connection:
        connection.execute("DELETE FROM public.market_data WHERE symbol = %s", (symbol.upper(),))
    move = ("fences", "set", "--lane", "postgres", "--topic", topic, "--partition", "0",
            "--offset", "4")
    assert "dry run" in signalbox(*move, group=dispatcher.group).stdout.lower()
    signalbox(*move, "--yes", group=dispatcher.group)
    with dispatcher.start():
        wait_until(lambda: set(stored_minutes(symbol)) == set(range(4, 10)))


def test_check_says_what_is_wrong_with_each_dependency():
    good = signalbox("check", check=False)
    for word in ("kafka", "redis", "postgres"):
        assert word in good.stdout.lower()
    bad = signalbox("check", check=False, REDIS_PORT=str(free_port()), REDIS_URL="")
    assert bad.returncode == 1 and "redis" in bad.stdout.lower()


def test_check_and_health_report_keys_that_may_be_evicted(symbol):
    client = connect_redis()
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", "1gb")
    try:
        assert "EVICTED" in signalbox("check", check=False).stdout
        with Dispatcher([symbol]).start() as dispatcher:
            wait_until(lambda: any("EVICTED" in concern["code"]
                                   for concern in dispatcher.health()[1]["concerns"]), 20)
            assert dispatcher.health()[1]["status"] == "degraded"
    finally:
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")


def test_migrate_is_idempotent():
    assert signalbox("migrate").returncode == 0
    assert signalbox("migrate").returncode == 0


def test_a_mistake_in_the_configuration_ends_with_2_and_names_the_variable():
    done = signalbox("dispatcher", check=False, REDIS_PORT="many", REDIS_URL="")
    assert done.returncode == 2
    assert "REDIS_PORT" in done.stderr and "many" in done.stderr


def test_a_group_keeps_its_place_when_the_process_is_restarted(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    dispatcher = Dispatcher([symbol])
    with dispatcher.start():
        produced.send(topic, candle(symbol, 1))
        produced.flush()
        wait_until(lambda: stored_minutes(symbol))
        dispatcher.stop()
    with connect_postgres() as connection:
        connection.execute("DELETE FROM public.market_data WHERE symbol = %s", (symbol.upper(),))
    with dispatcher.start():
        produced.send(topic, candle(symbol, 2))
        produced.flush()
        wait_until(lambda: set(stored_minutes(symbol)) == {2})
