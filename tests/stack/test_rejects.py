"""Bad input goes to dead letters alone; its neighbours do not notice."""

import json
import time

from harness import (Dispatcher, Subscriber, candle, connect_postgres, create_topics,
                     dead_letter_messages, signalbox, stored_minutes, verdict, wait_until)

NOW_MS = int(time.time() * 1000)


def changed(symbol, **changes):
    return candle(symbol, 1, **changes)


def literal(symbol, field, token):
    """A candle with a token that json.dumps would not write the same way."""
    return candle(symbol, 1, **{field: 424242.5}).replace(b"424242.5", token)


def bad_candles(symbol):
    return {
        "tombstone": None,
        "not_utf8": b'{"a": "\xff\xfe"}',
        "not_json": b'{"open": 1',
        "not_an_object": b"[1, 2]",
        "wrong_type": changed(symbol, open={"a": 1}),
        "not_finite": literal(symbol, "close", b"NaN"),
        "high_below_low": changed(symbol, high=1, low=2),
        "time_in_seconds": changed(symbol, time=1_761_573_360),
        "time_before_2009": changed(symbol, time="2008-12-31T23:59:59+00:00"),
        "time_in_future": changed(symbol, time=NOW_MS + 2 * 86_400_000),
        "time_malformed": changed(symbol, time="yesterday"),
        "malformed_symbol": candle("???", 1),
        "too_large": changed(symbol, filler="x" * 2_000_000),
    }


def test_each_kind_of_bad_candle_becomes_a_dead_letter_of_both_lanes(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic, partitions=1, config={"max.message.bytes": "3000000"})
    subscriber = Subscriber(f"roottrading:market:data:{symbol}:1m")
    bad = bad_candles(symbol)
    with Dispatcher([symbol]).start():
        minute = 100
        for payload in bad.values():
            produced.send(topic, candle(symbol, minute))
            produced.send(topic, payload)
            minute += 1
        produced.send(topic, candle(symbol, minute))
        produced.flush()
        good = len(bad) + 1
        wait_until(lambda: len(subscriber.received) == good)
        wait_until(lambda: len(stored_minutes(symbol)) == good)
        letters = dead_letter_messages(topic, at_least=2 * len(bad))
        reasons = {}
        for key, headers, value in letters:
            reasons.setdefault(headers["signalbox-lane"], []).append(headers["signalbox-reason"])
        assert sorted(reasons) == ["postgres", "redis"]
        for lane, found in reasons.items():
            assert sorted(found) == sorted(bad), lane
        by_reason = {headers["signalbox-reason"]: value for _, headers, value in letters}
        for reason, payload in bad.items():
            if reason == "too_large":
                assert payload.startswith(by_reason[reason]) and len(by_reason[reason]) <= 900_000
            else:
                assert by_reason[reason] == payload
        with connect_postgres() as connection:
            count = lambda: connection.execute(
                "SELECT count(*) FROM signalbox.dead_letters WHERE topic = %s",
                (topic,)).fetchone()[0]
            wait_until(lambda: count() == 2 * len(bad), 30, "the table holds every letter")
    subscriber.close()


def test_nan_in_a_field_that_nobody_checks_passes_through(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    subscriber = Subscriber(f"roottrading:market:data:{symbol}:1m")
    payload = candle(symbol, 1)[:-1] + b', "rsi": NaN, "far": -Infinity}'
    with Dispatcher([symbol]).start():
        produced.send(topic, payload)
        produced.flush()
        wait_until(lambda: subscriber.received)
        assert subscriber.received[0][1].startswith(payload[:-1])
        wait_until(lambda: stored_minutes(symbol) == {1: 100.0})
    subscriber.close()


def test_an_unknown_timeframe_is_a_dead_letter(symbol, produced):
    topic = f"market.data.{symbol}.4h"
    create_topics(topic)
    with Dispatcher([symbol]).start():
        produced.send(topic, candle(symbol, 1, timeframe="4h"))
        produced.flush()
        letters = dead_letter_messages(topic, at_least=2)
    assert {headers["signalbox-reason"] for _, headers, _ in letters} == {"unknown_timeframe"}


def test_a_row_that_the_database_refuses_costs_that_row_and_can_be_replayed(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic, partitions=1)
    subscriber = Subscriber(f"roottrading:market:data:{symbol}:1m")
    with Dispatcher([symbol]).start() as dispatcher:
        for minute in range(20):
            produced.send(topic, candle(symbol, minute))
        produced.send(topic, candle(symbol, 20, close=2e6))  # above its high: CHECK refuses it
        for minute in range(21, 40):
            produced.send(topic, candle(symbol, minute))
        produced.flush()
        wait_until(lambda: len(stored_minutes(symbol)) == 39)
        wait_until(lambda: len(subscriber.received) == 40)
        (key, headers, value), = dead_letter_messages(topic)
        assert headers["signalbox-reason"] == "refused_by_sink"
        assert "23514" in headers["signalbox-detail"]

        listed = wait_until(lambda: (out := signalbox("dead-letters", "list", "--topic", topic,
                                                      group=dispatcher.group).stdout)
                            and topic in out and out)
        assert "refused_by_sink" in listed
        shown = signalbox("dead-letters", "show", key, group=dispatcher.group).stdout
        assert value.decode() in shown

        with connect_postgres() as connection:  # the operator mends the table …
            constraints = connection.execute(
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conrelid = 'public.market_data'::regclass AND contype = 'c'"
                " AND pg_get_constraintdef(oid) LIKE '%%high%%'").fetchall()
            for name, _ in constraints:
                connection.execute(f'ALTER TABLE public.market_data DROP CONSTRAINT "{name}"')
            try:
                signalbox("dead-letters", "replay", key, group=dispatcher.group)  # … and replays
                wait_until(lambda: stored_minutes(symbol).get(20) == 2e6, 30)
            finally:
                connection.execute("DELETE FROM public.market_data WHERE close > high")
                for name, definition in constraints:
                    connection.execute(
                        f'ALTER TABLE public.market_data ADD CONSTRAINT "{name}" {definition}')
        time.sleep(1)
        assert len(subscriber.received) == 40  # the lane that had taken it hears nothing
    assert verdict(produced.messages, subscriber.places()) == (0, 0, 0)
    subscriber.close()


def test_a_bad_signal_does_not_stop_the_next(symbol, produced):
    subscriber = Subscriber("roottrading:signals")
    with Dispatcher([symbol]).start() as dispatcher:
        wait_until(lambda: dispatcher.lanes()["redis-priority"]["partitions"] > 0)
        produced.send("signals", b"\xff\xff", partition=0)
        produced.send("signals", json.dumps({"symbol": "BTCUSDC", "strategy": symbol,
                                             "price": 1}).encode(), partition=0)
        produced.flush()
        wait_until(lambda: [data for _, data in subscriber.received if symbol.encode() in data])
    subscriber.close()
