"""What a process says when it starts and ends: configuration, ports, lanes, symbols."""

import signal
import socket
import time

import pytest

from harness import (Dispatcher, Subscriber, candle, create_topics, signalbox, stack,
                     stored_minutes, wait_until)


@pytest.mark.parametrize("name, value", [
    ("LANES", "redis,mongodb"), ("SYMBOLS", "BTC/USDC"), ("HANDOVER_MAX_BYTES", "1"),
    ("BATCH_MAX", "0"), ("DISPATCHER_PORT", "70000"), ("KAFKA_BROKER", "kafka:many"),
    ("KAFKA_AUTO_OFFSET_RESET", "middle"), ("LOG_LEVEL", "LOUD"), ("INSTANCE_ID", "a b"),
    ("KAFKA_SECURITY_PROTOCOL", "carrier_pigeon")])
def test_an_impossible_setting_ends_with_2_and_names_itself_and_its_value(name, value):
    done = signalbox("dispatcher", check=False, **{name: value})
    assert done.returncode == 2, done.stdout + done.stderr
    assert value in done.stderr
    assert name in done.stderr or name.removeprefix("KAFKA_").replace("_", ".").lower() in done.stderr


def test_every_mistake_is_told_at_once():
    done = signalbox("dispatcher", check=False, LANES="x", BATCH_MAX="-1")
    assert done.returncode == 2 and "LANES" in done.stderr and "BATCH_MAX" in done.stderr


def test_a_busy_port_ends_with_1_and_says_so(symbol):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = signalbox("dispatcher", "--bind", "127.0.0.1", check=False, SYMBOLS=symbol,
                         DISPATCHER_PORT=str(port), LANES="redis")
    assert done.returncode == 1
    assert str(port) in done.stderr and "using the port" in done.stderr


def test_a_second_dispatcher_on_the_same_port_does_not_share_it(symbol):
    with Dispatcher([symbol], LANES="redis").start() as first:
        done = signalbox("dispatcher", "--bind", "127.0.0.1", check=False, SYMBOLS=symbol,
                         DISPATCHER_PORT=str(first.port), LANES="redis")
        assert done.returncode == 1 and str(first.port) in done.stderr


@pytest.mark.parametrize("settings, words", [
    ({"KAFKA_SECURITY_PROTOCOL": "ssl"}, "SSL"),
    ({"KAFKA_SECURITY_PROTOCOL": "sasl_plaintext", "KAFKA_SASL_MECHANISM": "PLAIN",
      "KAFKA_SASL_USERNAME": "me", "KAFKA_SASL_PASSWORD": "not this one"}, "SASL")])
def test_a_broker_of_another_security_protocol_is_told_clearly(symbol, settings, words):
    checked = signalbox("check", check=False, **settings)
    assert checked.returncode == 1 and words.lower() in checked.stdout.lower(), checked.stdout
    with Dispatcher([symbol], LANES="redis", **settings).start(ready=False) as dispatcher:
        wait_until(lambda: any(words.lower() in str(event.get("error", "")).lower()
                               for event in dispatcher.events() if event["level"] != "DEBUG"), 20)
        text = dispatcher.log_path.read_text()
        assert "not this one" not in text
        health = wait_until(lambda: dispatcher.health()[1])
        assert health["dependencies"]["kafka"]["state"] == "down"
        assert words.lower() in str(health["dependencies"]["kafka"]["last_error"]).lower()
        downs = wait_until(lambda: dispatcher.events("log_down", lane="redis"), 20)
        assert words.lower() in downs[0]["error"].lower()


def test_symbols_are_read_in_any_case_and_no_others(symbol, produced):
    other = "o" + symbol[1:]
    for name in (symbol, other):
        create_topics(f"market.data.{name}.1m")
    subscriber = Subscriber(patterns=("roottrading:market:data:*",))
    with Dispatcher([f"  {symbol.upper()} ", ""]).start():
        produced.send(f"market.data.{other}.1m", candle(other, 1))
        produced.send(f"market.data.{symbol}.1m", candle(symbol, 1))
        produced.flush()
        wait_until(lambda: stored_minutes(symbol))
        wait_until(lambda: [c for c, _ in subscriber.received if symbol in c])
        time.sleep(0.5)
    assert not stored_minutes(other)
    assert not [channel for channel, _ in subscriber.received if other in channel]
    subscriber.close()


def test_a_symbol_without_topics_is_no_fault(symbol):
    with Dispatcher([symbol]).start() as dispatcher:
        assert dispatcher.health()[1]["status"] == "healthy"
        # The topics of signals and orders hold what other tests have sent.
        loud = [event for event in dispatcher.events() if event["level"] not in ("DEBUG", "INFO")
                and event["event"] not in ("message_rejected", "log_repeats")]
        assert not loud, loud


def test_two_processes_run_a_lane_each(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    subscriber = Subscriber(f"roottrading:market:data:{symbol}:1m")
    with Dispatcher([symbol], LANES="redis").start() as publishing, \
         Dispatcher([symbol], LANES="postgres", group=publishing.group).start() as storing:
        assert set(publishing.lanes()) == {"redis", "redis-priority"}
        assert set(storing.lanes()) == {"postgres", "postgres-2", "postgres-priority"}
        for minute in range(100):
            produced.send(topic, candle(symbol, minute))
        produced.flush()
        wait_until(lambda: len(subscriber.received) == 100)
        wait_until(lambda: len(stored_minutes(symbol)) == 100)
    subscriber.close()


def test_a_second_sigterm_ends_it_at_once(symbol, produced):
    """While the first one still waits for a sink that does not answer."""
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    with Dispatcher([symbol], LANES="postgres", INSTANCE_ID="one").start() as dispatcher:
        stack("pause", "postgres")
        try:
            produced.send(topic, candle(symbol, 1))
            produced.flush()
            time.sleep(1.5)  # every lane waits for an answer: to its write, or to its ping
            dispatcher.process.send_signal(signal.SIGTERM)
            wait_until(lambda: dispatcher.events("stopping"))
            time.sleep(0.5)
            assert dispatcher.process.poll() is None
            dispatcher.process.send_signal(signal.SIGTERM)
            assert dispatcher.process.wait(1) == -signal.SIGTERM
        finally:
            stack("cont", "postgres")
    with dispatcher.start():
        wait_until(lambda: stored_minutes(symbol) == {1: 100.0})


@pytest.mark.parametrize("service", ["kafka", "postgres"])
def test_sigterm_ends_within_10_s_though_a_server_hangs(symbol, produced, service):
    """What is cut short costs nothing: it is delivered after the next start."""
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    with Dispatcher([symbol], LANES="postgres", INSTANCE_ID="one") as dispatcher:
        dispatcher.start()
        wait_until(lambda: dispatcher.lanes()["postgres"]["partitions"] +
                   dispatcher.lanes()["postgres-2"]["partitions"] >= 3)
        if service == "postgres":
            stack("pause", service)
        produced.send(topic, candle(symbol, 1))
        produced.flush()
        time.sleep(1.5)
        stack("pause", service)
        try:
            began = time.monotonic()
            assert dispatcher.stop(seconds=10) in (0, 1)
            print(f"SIGTERM while {service} hangs: ended after {time.monotonic() - began:.1f} s")
        finally:
            stack("cont", service)
    with dispatcher.start():
        wait_until(lambda: stored_minutes(symbol) == {1: 100.0}, 90)
