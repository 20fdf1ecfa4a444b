"""Each row of the table of odd input: it works as its reader would want, or costs itself alone."""

import json

import pytest

from harness import Place, create_topics, dead_letter_messages, wait_until
from trigger import (Outcomes, Trigger, make_signal, queued, take, wait_for_signals)


def raw(text):
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


START = '{"signal_id": "odd", "signal_type": "golden_cross", "source": "s", "timestamp": 1, '
ODD = '"tickers": [{"ticker": "ODD", "confidence": 85}]'

WORKS = {
    "null metadata": START + ODD + ', "metadata": null}',
    "no metadata": START + ODD + "}",
    "null confidence without a bar": START + '"tickers": [{"ticker": "ODD", "confidence": null}]}',
    "an element that is no object": START + '"tickers": [null, 5, "ODD", {"ticker": "ODD"}]}',
    "a NaN literal": START + ODD + ', "metadata": {"a": NaN, "b": -Infinity}}',
    "an id that is no UUID": START.replace('"odd"', '"gc_1702234567_ODD"') + ODD + "}",
    "a number as id": START.replace('"odd"', "17") + ODD + "}",
    "null source and type": '{"signal_id": "odd", "signal_type": null, "source": null, ' + ODD + "}",
    "no id": "{" + ODD + "}",
    "1 MB": START + ODD + ', "metadata": {"timeframe": "D", "blob": "' + "x" * 1_000_000 + '"}}',
    "deep nesting": START + ODD + ', "metadata": {"a": ' + "[" * 500 + "]" * 500 + "}}",
    "repeated keys": START + '"tickers": null, ' + ODD + "}",
    "another order, white space": "\n { " + ODD + ' ,\t"signal_id":"odd"}\n',
    "escapes in every key": START + '"\\u0074ickers": [{"t\\u0069cker": "\\u004fDD"}]}',
    "an unknown field": START + ODD + ', "version": 2, "x": {"tickers": 5}}',
}

REFUSED = {
    "a tombstone": None,
    "nothing": "",
    "no JSON": "{" + ODD,
    "text behind it": START + ODD + "} x",
    "an array": "[" + START + ODD + "}]",
    "a number": "17",
    "null": "null",
    "invalid UTF-8": b'{"signal_id": "\xff\xfe", ' + ODD.encode() + b"}",
    "null tickers": START + '"tickers": null}',
    "no tickers": START + '"metadata": {}}',
    "tickers as a text": START + '"tickers": "ODD"}',
    "tickers without a name": START + '"tickers": [{"symbol": "ODD"}]}',
    "metadata as a list": START + ODD + ', "metadata": []}',
    "deeper than anybody reads": START + ODD + ', "metadata": ' + '{"a":' * 100_000 + "1"
                                 + "}" * 100_000 + "}",
}


@pytest.mark.parametrize("case", WORKS)
def test_odd_input_that_says_what_it_means_runs(trading, signals, queue, case):
    trading.add_pipeline("ODD")
    with Trigger(signals, queue).start() as trigger:
        signals.send(raw(WORKS[case]), make_signal("ODD"))
        wait_for_signals(trigger.group, signals)
        task, = take(queue)
        assert task.triple.ticker == "ODD"
        context = task.kwargs["signal_context"]
        assert context["signal_id"] not in (None, "", "None")
        assert isinstance(context["source"], str) and isinstance(context["signal_type"], str)
        assert trigger.outcomes() == {"enqueued": 1, "busy": 1}


def test_bad_messages_amid_good_ones_cost_themselves_alone(trading, signals, queue):
    """All of them in one fetch, and the good ones are run in order."""
    goods = [f"G{number}" for number in range(len(REFUSED) + 1)]
    pipeline = trading.add_pipeline("ODD", *goods)
    bodies = [make_signal(goods[0])]
    for name, good in zip(REFUSED, goods[1:]):
        value = REFUSED[name]
        bodies += [None if value is None else raw(value), make_signal(good)]
    signals.send(*bodies)
    with Trigger(signals, queue).start() as trigger:
        wait_for_signals(trigger.group, signals)
        assert [task.triple.ticker for task in queued(queue)] == goods
        assert {task.triple.pipeline for task in queued(queue)} == {pipeline}
        letters = dead_letter_messages(signals.topic, 20, at_least=len(REFUSED))
        assert sorted(int(headers["signalbox-offset"]) for _, headers, _ in letters) == list(
            range(1, 2 * len(REFUSED), 2))
        for _, headers, _ in letters:
            print(f"{list(REFUSED)[int(headers['signalbox-offset']) // 2]}:"
                  f" {headers['signalbox-reason']}")
            assert headers["signalbox-reason"]
        lane, = trigger.lanes().values()
        assert lane["counters"]["rejected"] == len(REFUSED)
        assert lane["counters"]["balanced"]


def test_confidence_that_is_null_meets_no_bar_and_stops_nobody(trading, signals, queue):
    barred = trading.add_pipeline("AAPL", subscriptions=[
        {"signal_type": "golden_cross", "timeframe": "D", "min_confidence": 80}])
    outcomes = Outcomes()
    with Trigger(signals, queue).start() as trigger:
        low = signals.send(make_signal("AAPL", confidence=None))
        good = signals.send(make_signal("AAPL", confidence=80))
        wait_for_signals(trigger.group, signals)
        assert outcomes.of(low, barred, "AAPL") == ["below_confidence"]
        assert outcomes.of(good, barred, "AAPL") == ["enqueued"]


def test_only_tickers_that_are_watched_and_good_enough_run(trading, signals, queue):
    """The original ran all three."""
    pipeline = trading.add_pipeline("AAPL", "MSFT", subscriptions=[
        {"signal_type": "golden_cross", "timeframe": "1d", "min_confidence": 80}])
    body = make_signal("AAPL", "MSFT", "GOOG")
    body["tickers"][1]["confidence"] = 10
    outcomes = Outcomes()
    with Trigger(signals, queue).start() as trigger:
        signals.send(body)
        wait_for_signals(trigger.group, signals)
        assert [task.triple.ticker for task in queued(queue)] == ["AAPL"]
        assert outcomes.of(body["signal_id"], pipeline, "MSFT") == ["below_confidence"]
        assert outcomes.of(body["signal_id"], pipeline, "GOOG") == []


@pytest.mark.parametrize("row", [
    {"scanner_config": ["AAPL"]}, {"scanner_config": {"tickers": [["AAPL"]]}},
    {"scanner_config": {"tickers": "AAPL"}}, {"subscriptions": {"signal_type": "news"}},
    {"subscriptions": [{"signal_type": "golden_cross", "min_confidence": "80"}]},
    {"subscriptions": ["golden_cross"]}, {"config": {"signalbox": {"when_busy": "sometimes"}}}],
    ids=str)
def test_a_malformed_pipeline_costs_itself_alone(trading, signals, queue, row):
    good = trading.add_pipeline("AAPL")
    bad = trading.pipeline("AAPL", **row)
    trading.add_pipelines([bad])
    with Trigger(signals, queue).start() as trigger:
        signals.send(make_signal("AAPL"))
        wait_for_signals(trigger.group, signals)
        assert [task.triple.pipeline for task in queued(queue)] == [good]
        assert trigger.trigger()["pipeline_cache"]["malformed_rows"] == 1
        assert bad["id"] in trigger.log_path.read_text()


def test_dead_letters_of_the_trigger_are_shown(trading, signals, queue):
    """With the lane that refused, and the value as it came; nothing is enqueued of it."""
    create_topics("signalbox.dead-letters")
    trading.add_pipeline("AAPL")
    with Trigger(signals, queue).start() as trigger:
        signals.send(b'{"signal_id": "x", "tickers": "AAPL"}')
        wait_for_signals(trigger.group, signals)
        (key, headers, value), = dead_letter_messages(signals.topic, 20)
        assert key == f"trigger/{signals.topic}/0/0" or headers["signalbox-lane"] == "trigger"
        assert json.loads(value)["tickers"] == "AAPL"
        assert queued(queue) == []
        assert Place(signals.topic, 0, 0) in signals.produced.messages
        assert wait_until(lambda: trigger.health()[0]) == 200
