"""kill -9 with messages outstanding, replicas that come and go, a drain that loses nothing."""

import os
import time

import pytest

from harness import (Dispatcher, Proxy, REDIS_PORT, Subscriber, candle, connect_postgres,
                     create_topics, damaged, delivered, stored_minutes, uncounted, verdict,
                     wait_until)
from load import Load, channels_of, settle, topics_of

OUTSTANDING = 1_000
KILLS = 20


def assert_nothing_lost_nothing_twice(load, subscriber, what):
    found = verdict(load.produced.messages, subscriber.places())
    broken = damaged(load.produced.messages, subscriber.notes())
    uncounted_notes = uncounted(subscriber.notes())
    wrong = load.wrong_rows()
    print(f"{what}, {load.produced.count()} messages, each compared: {found}, {broken} damaged,"
          f" {uncounted_notes} uncounted, {wrong} wrong rows")
    assert found == (0, 0, 0)
    assert (broken, uncounted_notes, wrong) == (0, 0, 0)


def test_kills_with_a_thousand_messages_outstanding_lose_and_repeat_nothing(symbol, produced):
    """With an instance id, so that each restart has its partitions back at once."""
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced)
    # Small writes: a kill finds one at every stage.
    dispatcher = Dispatcher([symbol], INSTANCE_ID="one", BATCH_MAX="50").start()
    topics = topics_of(symbol)
    behind = lambda lane: produced.count() - delivered(dispatcher.group, topics, lane)
    outstanding = {"redis": [], "postgres": []}
    try:
        for _ in range(3 * KILLS):
            if len(outstanding["redis"]) == KILLS:
                break
            load.send(5_000)
            produced.flush()
            left = behind("redis")
            wait_until(lambda: behind("redis") < left, 30, "progress", every=0.001)
            dispatcher.kill()
            # The fences are what it was when it died.
            counts = {lane: behind(lane) for lane in outstanding}
            if min(counts.values()) >= OUTSTANDING:
                for lane, count in counts.items():
                    outstanding[lane].append(count)
            dispatcher.start(ready=False)
        settle(symbol, produced, subscriber)
    finally:
        dispatcher.kill()
    print(f"outstanding at each kill: {outstanding}")
    assert len(outstanding["redis"]) == KILLS
    assert_nothing_lost_nothing_twice(load, subscriber, f"{KILLS} kills")
    subscriber.close()


def through(service, proxy):
    """Settings that lead one lane through the proxy."""
    if service == "redis":
        return {"REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0"}
    return {"PGPORT": proxy.port}


def proxy_before(service):
    return Proxy(REDIS_PORT if service == "redis" else int(os.environ["PGPORT"]))


def wait_for_partitions(dispatcher):
    wait_until(lambda: all(dispatcher.lanes()[lane]["partitions"] >= 9
                           for lane in ("redis", "postgres")), 30, "every partition")


def catch_a_write(proxy, stage):
    """Returns when a write is cut in half, or has landed while its reply is held."""
    proxy.hold(stage)
    wait_until(proxy.holds, 40, "a write", every=0.002)
    held = 0
    while stage == "reply" and (held == 0 or held != proxy.held_replies):
        held = proxy.held_replies
        time.sleep(0.03)  # until the server has nothing more to say


@pytest.mark.parametrize("service", ["redis", "postgres"])
def test_kills_inside_a_write_and_before_its_reply_lose_and_repeat_nothing(symbol, produced, service):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced)
    proxy = proxy_before(service)
    # From the end, so that the other lanes have nothing to write: what is caught is a candle's write.
    dispatcher = Dispatcher([symbol], INSTANCE_ID="one", BATCH_MAX="100", POSTGRES_LOOPS="1",
                            KAFKA_AUTO_OFFSET_RESET="latest", **through(service, proxy))
    outstanding = []
    try:
        dispatcher.start()
        wait_for_partitions(dispatcher)
        dispatcher.kill()
        for stage in ("request", "reply") * 10:
            load.send(2_000)
            produced.flush()
            dispatcher.start(ready=False)
            catch_a_write(proxy, stage)
            dispatcher.kill()
            outstanding.append(produced.count() -
                               delivered(dispatcher.group, topics_of(symbol), service))
            proxy.cut()
        dispatcher.start(ready=False)
        settle(symbol, produced, subscriber)
    finally:
        dispatcher.kill()
        proxy.close()
    print(f"outstanding at each kill: {outstanding}")
    assert min(outstanding) >= OUTSTANDING
    # Of each pair of kills the first leaves nothing written, the second a write without a reply.
    landed = [2_000 * (kill + 1) - left for kill, left in enumerate(outstanding)]
    assert [after - before for before, after in zip(landed[0::2], landed[1::2])] == [
        pytest.approx(100, abs=1)] * 10  # a restart reads the message before its fence, too
    assert all(after == before for before, after in zip(landed[1::2], landed[2::2]))
    assert_nothing_lost_nothing_twice(load, subscriber, f"{len(outstanding)} kills inside a write")
    subscriber.close()


@pytest.mark.parametrize("service", ["redis", "postgres"])
def test_connections_cut_inside_a_write_and_before_its_reply(symbol, produced, service):
    """The dispatcher lives and must find out by itself what became of its write."""
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced)
    proxy = proxy_before(service)
    cuts = 0
    with Dispatcher([symbol], BATCH_MAX="100", POSTGRES_LOOPS="1", KAFKA_AUTO_OFFSET_RESET="latest",
                    **through(service, proxy)).start() as dispatcher:
        wait_for_partitions(dispatcher)
        load.start()
        for stage in ("request", "reply") * 5:
            catch_a_write(proxy, stage)
            proxy.cut()
            cuts += 1
        load.finish()
        settle(symbol, produced, subscriber)
        for lane in dispatcher.lanes().values():
            assert lane["counters"]["balanced"]
    proxy.close()
    assert_nothing_lost_nothing_twice(load, subscriber, f"{cuts} cuts")
    subscriber.close()


def test_records_are_stored_once_across_kills(symbol, produced):
    """Rows without a natural key would show a repeat that an upsert hides."""
    mark = symbol
    dispatcher = Dispatcher([symbol], LANES="postgres", INSTANCE_ID="one", BATCH_MAX="50").start()
    try:
        for kill in range(4):
            for number in range(1_500):
                produced.send("executions", b'{"order_id": "%s-%d-%d", "symbol": "BTCUSDC"}'
                              % (mark.encode(), kill, number))
            produced.flush()
            time.sleep(0.1)
            dispatcher.kill()
            dispatcher.start(ready=False)
        with connect_postgres() as connection:
            count = lambda: connection.execute(
                "SELECT count(*), count(DISTINCT order_id) FROM signalbox.executions"
                " WHERE order_id LIKE %s", (mark + "-%",)).fetchone()
            wait_until(lambda: count()[1] == 6_000, 90, "every execution", 0.2)
            assert count() == (6_000, 6_000)
    finally:
        dispatcher.kill()


def test_replicas_that_join_leave_and_die_lose_and_repeat_nothing(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced)
    first = Dispatcher([symbol], POSTGRES_LOOPS="1").start()
    load.start()
    second = Dispatcher([symbol], group=first.group, POSTGRES_LOOPS="1")
    try:
        for ending in ("stop", "kill", "stop"):
            second.start(ready=False)
            wait_until(lambda: all(second.lanes().get(lane, {}).get("partitions")
                                   for lane in ("redis", "postgres")), 40,
                       "the second replica has partitions")
            time.sleep(0.5)
            if ending == "stop":
                assert second.stop() == 0
            else:
                second.kill()
        load.finish()
        settle(symbol, produced, subscriber)
    finally:
        first.kill()
        if second.process.poll() is None:
            second.kill()
    assert_nothing_lost_nothing_twice(load, subscriber, "3 joins, 2 leaves, 1 kill")
    subscriber.close()


def test_a_zombie_that_wakes_up_after_its_takeover_repeats_nothing(symbol, produced):
    """SIGSTOP for longer than the session: another member takes over; then the first goes on."""
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced, burst=200)
    zombie = Dispatcher([symbol], POSTGRES_LOOPS="1").start()
    load.start()
    wait_until(lambda: len(subscriber.received) > 500)
    successor = Dispatcher([symbol], group=zombie.group, POSTGRES_LOOPS="1")
    zombie.pause()
    paused = time.monotonic()
    try:
        successor.start(ready=False)
        wait_until(lambda: all(successor.lanes().get(lane, {}).get("partitions", 0) >= 9
                               for lane in ("redis", "postgres")), 40, "a takeover")
        wait_until(lambda: time.monotonic() - paused > 15, 30, every=0.2)
        zombie.go_on()
        wait_until(lambda: zombie.lanes().get("redis", {}).get("partitions"), 40,
                   "the zombie is a member again")
        load.finish()
        settle(symbol, produced, subscriber)
    finally:
        zombie.kill()
        successor.kill()
    assert_nothing_lost_nothing_twice(load, subscriber, "a zombie")
    subscriber.close()


def test_another_member_takes_over_within_12_s_of_a_kill(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    first = Dispatcher([symbol], POSTGRES_LOOPS="1").start()
    second = Dispatcher([symbol], group=first.group, POSTGRES_LOOPS="1").start()
    try:
        wait_until(lambda: all(second.lanes()[lane]["partitions"] > 0
                               for lane in ("redis", "postgres")), 30)
        first.kill()
        killed = time.monotonic()
        for minute in range(30):
            produced.send(topic, candle(symbol, minute), partition=minute % 3)
        produced.flush()
        wait_until(lambda: len(stored_minutes(symbol)) == 30, 30)
        took = time.monotonic() - killed
        print(f"takeover after a kill: {took:.1f} s")
        assert took < 12 + 2  # the session's 10 s, and the first poll
    finally:
        second.kill()


def test_sigterm_drains_within_10_s_and_ends_with_0(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced)
    dispatcher = Dispatcher([symbol]).start()
    load.start()
    wait_until(lambda: len(subscriber.received) > 1_000)
    began = time.monotonic()
    assert dispatcher.stop() == 0
    assert time.monotonic() - began < 10
    load.finish()
    with dispatcher.start():
        settle(symbol, produced, subscriber)
    assert_nothing_lost_nothing_twice(load, subscriber, "a drain")
    subscriber.close()


def test_the_counters_agree_with_what_was_produced_and_heard(symbol, produced):
    subscriber = Subscriber(*channels_of(symbol))
    load = Load(symbol, produced)
    with Dispatcher([symbol]).start() as dispatcher:
        load.send(5_000)
        load.finish()
        settle(symbol, produced, subscriber)
        lanes = wait_until(lambda: (lanes := dispatcher.lanes())
                           and lanes["redis"]["counters"]["delivered"] == produced.count()
                           and lanes)
        for lane in lanes.values():
            assert lane["counters"]["balanced"]
        redis_lane = lanes["redis"]["counters"]
        assert redis_lane["delivered"] == len(subscriber.received)
        assert redis_lane["receivers"] == len(subscriber.received)
    subscriber.close()
