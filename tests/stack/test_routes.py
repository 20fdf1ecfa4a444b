"""Every topic reaches its channels and its table; the payload's bytes are its own."""

import json
import uuid

import pytest

from harness import (Dispatcher, Subscriber, candle, connect_postgres, create_topics,
                     stored_minutes, wait_until)

NAMED = {"signals": "roottrading:signals", "analyzer.signals": "analyzer:signals",
         "signals.filtered": "roottrading:signals:filtered", "orders": "roottrading:trade:order",
         "executions": "roottrading:trade:execution"}
TABLES = {"signals": "signals", "analyzer.signals": "signals", "signals.filtered": "signals",
          "orders": "orders", "executions": "executions"}


def record(topic, mark):
    body = {"symbol": "BTCUSDC", "side": "BUY", "strategy": mark, "price": 115001.4,
            "timestamp": "2025-10-27T13:57:01.120000+00:00"}
    if topic == "executions":
        body |= {"order_id": mark, "status": "FILLED", "quantity": 0.0036}
    return json.dumps(body).encode()


def routed_payload(data):
    """What came in, cut out of what went out: the note is appended before the last brace."""
    at = data.rindex(b', "_routing": ')
    return data[:at] + b"}"


@pytest.mark.parametrize("timeframe", ["1m", "3m", "5m", "15m", "1h", "1d"])
def test_a_candle_is_published_and_stored(symbol, produced, timeframe):
    topic = f"market.data.{symbol}.{timeframe}"
    create_topics(topic)
    own, legacy = f"roottrading:market:data:{symbol}:{timeframe}", f"roottrading:market:data:{symbol}"
    channels = [own, legacy] if timeframe in ("1h", "1d") else [own]
    subscriber = Subscriber(own, legacy)
    with Dispatcher([symbol]).start():
        payload = candle(symbol, 1, timeframe=timeframe)
        produced.send(topic, payload, key=symbol.upper())
        produced.flush()
        wait_until(lambda: len(subscriber.received) == len(channels))
        wait_until(lambda: stored_minutes(symbol, timeframe) == {1: 100.0})
    assert [channel for channel, _ in subscriber.received] == channels
    for _, data in subscriber.received:
        assert routed_payload(data) == payload
        note = json.loads(data)["_routing"]
        assert note["source_topic"] == topic
        assert (note["priority"], note["data_type"]) == ("high", "raw_market_data")
        assert note["seq"] == 1 and note["offset"] == 0 and note["delay_ms"] >= 0
    subscriber.close()


def test_the_legacy_topic_is_stored_as_1m(symbol, produced):
    topic = f"market.data.{symbol}"
    create_topics(topic)
    subscriber = Subscriber(f"roottrading:market:data:{symbol}")
    with Dispatcher([symbol]).start():
        body = json.loads(candle(symbol, 3))
        del body["timeframe"]
        produced.send(topic, json.dumps(body).encode())
        produced.flush()
        wait_until(lambda: subscriber.received)
        wait_until(lambda: stored_minutes(symbol) == {3: 100.0})
    assert json.loads(subscriber.received[0][1])["_routing"]["data_type"] == "raw_market_data_legacy"
    subscriber.close()


@pytest.mark.parametrize("topic", sorted(NAMED))
def test_signals_orders_and_executions_are_published_and_stored(symbol, produced, topic):
    mark = uuid.uuid4().hex
    subscriber = Subscriber(NAMED[topic])
    payload = record(topic, mark)
    with Dispatcher([symbol]).start() as dispatcher:
        wait_until(lambda: dispatcher.lanes()["postgres-priority"]["lag"] == 0)
        produced.send(topic, payload)
        produced.flush()
        mine = lambda: [data for _, data in subscriber.received if mark.encode() in data]
        wait_until(mine)
        with connect_postgres() as connection:
            query = (f"SELECT payload FROM signalbox.{TABLES[topic]} WHERE source_topic = %s"
                     " AND payload LIKE %s")
            rows = lambda: connection.execute(query, (topic, f"%{mark}%")).fetchall()
            wait_until(rows)
            assert rows() == [(payload.decode(),)]
    assert len(mine()) == 1 and routed_payload(mine()[0]) == payload
    subscriber.close()


def test_a_topic_made_while_it_runs_is_read_from_its_beginning(symbol, produced):
    """Even where a first start begins at the end: nothing between creation and discovery is lost."""
    first = f"market.data.{symbol}.1m"
    create_topics(first)
    with Dispatcher([symbol], KAFKA_AUTO_OFFSET_RESET="latest").start() as dispatcher:
        wait_until(lambda: dispatcher.lanes()["redis"]["partitions"] >= 3)
        later = f"market.data.{symbol}.3m"
        create_topics(later)
        for minute in range(100):
            produced.send(later, candle(symbol, minute, timeframe="3m"))
        produced.flush()
        wait_until(lambda: len(stored_minutes(symbol, "3m")) == 100, 15, "noticed within 10 s")


def test_latest_skips_what_was_there_before_the_first_start_and_nothing_after(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic)
    produced.send(topic, candle(symbol, 1))
    produced.flush()
    dispatcher = Dispatcher([symbol], KAFKA_AUTO_OFFSET_RESET="latest")
    with dispatcher.start():
        wait_until(lambda: dispatcher.lanes()["postgres"]["partitions"] +
                   dispatcher.lanes()["postgres-2"]["partitions"] >= 3)
        dispatcher.stop()
    produced.send(topic, candle(symbol, 2))
    produced.flush()
    with dispatcher.start():
        wait_until(lambda: stored_minutes(symbol) == {2: 100.0})


def test_an_open_candle_never_overwrites_a_closed_one(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic, partitions=1)
    with Dispatcher([symbol]).start():
        for close, is_closed in ((1.0, False), (2.0, False), (3.0, True), (4.0, False)):
            produced.send(topic, candle(symbol, 7, close=close, is_closed=is_closed))
            produced.flush()
        produced.send(topic, candle(symbol, 8))
        produced.flush()
        wait_until(lambda: 8 in stored_minutes(symbol))
        assert stored_minutes(symbol)[7] == 3.0


def test_the_row_trigger_of_the_analyzer_fires(symbol, produced):
    topic = f"market.data.{symbol}.1m"
    create_topics(topic, partitions=1)
    with connect_postgres() as connection:
        connection.execute("""
            CREATE OR REPLACE FUNCTION notify_market_data() RETURNS trigger AS $$ BEGIN
              PERFORM pg_notify('market_data_change', json_build_object('symbol', NEW.symbol,
                'timeframe', NEW.timeframe, 'action', TG_OP)::text);
              RETURN NEW; END $$ LANGUAGE plpgsql""")
        connection.execute(
            "CREATE OR REPLACE TRIGGER market_data_notify AFTER INSERT OR UPDATE"
            " ON public.market_data FOR EACH ROW EXECUTE FUNCTION notify_market_data()")
        connection.execute("LISTEN market_data_change")
        try:
            with Dispatcher([symbol]).start():
                produced.send(topic, candle(symbol, 1))
                produced.flush()
                told = []
                for notice in connection.notifies(timeout=20):
                    body = json.loads(notice.payload)
                    if body["symbol"] == symbol.upper():
                        told.append(body["action"])
                        break
                assert told == ["INSERT"]
        finally:
            connection.execute("DROP TRIGGER market_data_notify ON public.market_data")
