"""Which tasks should run, computed again from what is documented, in the slow and obvious way.

Knows nothing of the program: a signal is looked at beside every pipeline that there is. The rules are
those of docs/TRIGGER.md; the names of the outcomes are those of the outcome stream.
"""

import collections
import datetime
import json
import math
import zoneinfo

from trigger import Triple

ACTIVE = {"PENDING", "RUNNING", "MONITORING", "COMMUNICATION_ERROR", "NEEDS_RECONCILIATION"}
STALE = {"PENDING", "RUNNING"}  # these stop counting
STALE_MINUTES = 12
SAME_TIMEFRAME = {"1": "1m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "240": "4h", "D": "1d",
                  "W": "1w"}


def timeframe_of(text):
    return SAME_TIMEFRAME.get(text, text)


class Pipeline:
    """A row that the trigger can work with."""

    def __init__(self, row):
        self.id, self.user = row["id"], row.get("user_id")
        if "scanner_config" in row or "tickers" in row:
            config = row.get("scanner_config", {"tickers": row.get("tickers")})
        else:
            config = None
        # An empty configuration falls back to the old column, an empty list in it does not.
        if config:
            if not isinstance(config, dict):
                raise ValueError("config")
            tickers = config.get("tickers")
        else:
            tickers = row.get("scanner_tickers")
        tickers = tickers or []
        if not isinstance(tickers, list) or any(isinstance(one, (list, dict)) for one in tickers):
            raise ValueError("tickers")
        self.tickers = {ticker for ticker in tickers if isinstance(ticker, str) and ticker}
        # Of a row that watches nothing nobody asks more.
        subscriptions = self.tickers and row.get("subscriptions") or []
        if not isinstance(subscriptions, list):
            raise ValueError("subscriptions")
        for one in subscriptions:
            least = one.get("min_confidence")
            if least is not None and (isinstance(least, bool) or not isinstance(least, (int, float))):
                raise ValueError("min_confidence")
        self.subscriptions = subscriptions

    def against(self, signal, entry):
        """Why its subscriptions do not let this ticker of the signal in, or None."""
        if not self.subscriptions:
            return None
        fitting = [one for one in self.subscriptions
                   if one["signal_type"] == (signal.get("signal_type") or "")]
        if not fitting:
            return "no_subscription"
        timeframe = metadata_of(signal).get("timeframe")
        if timeframe:
            fitting = [one for one in fitting if not one.get("timeframe")
                       or timeframe_of(one["timeframe"]) == timeframe_of(timeframe)]
        if not fitting:
            return "wrong_timeframe"
        confidence = confidence_of(entry) or 0
        if not any(one.get("min_confidence") is None or confidence >= one["min_confidence"]
                   for one in fitting):
            return "below_confidence"
        return None


def read_pipelines(rows):
    """Those that signals start, and the ids of the rows that are none."""
    pipelines, malformed = [], []
    for row in rows:
        if not row.get("is_active", True) or row.get("trigger_mode", "signal") != "signal":
            continue
        try:
            pipeline = Pipeline(row)
        except ValueError:
            malformed.append(row["id"])
            continue
        if pipeline.tickers:
            pipelines.append(pipeline)
    return pipelines, malformed


def metadata_of(signal):
    return signal.get("metadata") or {}


def confidence_of(entry):
    confidence = entry.get("confidence")
    if confidence is None or isinstance(confidence, bool) or not math.isfinite(confidence):
        return None
    return confidence


def read_signal(value):
    """The signal, or None for what belongs into the dead letters."""
    try:
        signal = json.loads(value.decode())
    except (AttributeError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    if not isinstance(signal, dict) or not isinstance(signal.get("tickers"), list):
        return None
    if not isinstance(signal.get("metadata"), (dict, type(None))):
        return None
    entries = [entry for entry in signal["tickers"] if isinstance(entry, dict)
               and isinstance(entry.get("ticker"), str) and entry["ticker"]]
    if signal["tickers"] and not entries:
        return None
    signal["tickers"] = entries
    return signal


def is_routed(signal, ticker, pipeline):
    routes = metadata_of(signal).get("ticker_pipelines")
    named = routes.get(ticker) if isinstance(routes, dict) else None
    if not named:
        return True
    return any(isinstance(one, dict) and one.get("pipeline_id") == pipeline for one in named)


def without_typed_keys(value):
    """A worker's JSON reader would take an object with this key for something else."""
    if isinstance(value, dict):
        return {("x__type__" if name == "__type__" else name): without_typed_keys(inner)
                for name, inner in value.items()}
    return [without_typed_keys(one) for one in value] if isinstance(value, list) else value


def arguments_of(signal, entry, pipeline, key, logged_at):
    """The keyword arguments that a worker must get."""
    metadata = without_typed_keys({name: value for name, value in metadata_of(signal).items()
                                   if name != "ticker_pipelines"})
    confidence = confidence_of(entry)
    metadata["signalbox"] = {"bias": entry.get("signal") or "", "confidence": confidence,
                             "reasoning": entry.get("reasoning")}
    timestamp = signal.get("timestamp")
    return {"pipeline_id": pipeline.id, "user_id": pipeline.user, "mode": "paper",
            "symbol": entry["ticker"], "signal_context": {
                "signal_id": key, "signal_type": signal.get("signal_type") or "",
                "source": signal.get("source") or "",
                "timestamp": int(logged_at) if timestamp is None else timestamp,
                "tickers": [entry["ticker"]],
                "confidence": 50.0 if confidence is None else confidence, "metadata": metadata}}


class Oracle:
    """Signals in the order of their log. `found` has for each triple the outcomes that are right.

    More than one only where a triple fails several tests and no rule says which is named.
    """

    def __init__(self, rows, *, market_hours="off", max_age_seconds=600):
        pipelines, self.malformed = read_pipelines(rows)
        self.watchers = collections.defaultdict(list)
        for pipeline in pipelines:
            for ticker in pipeline.tickers:
                self.watchers[ticker].append(pipeline)
        self.market_hours, self.max_age_seconds = market_hours, max_age_seconds
        self.running = collections.defaultdict(set)
        self.claimed = set()  # (pipeline, ticker)
        self.seen = set()     # names of signals
        self.found = collections.defaultdict(list)
        self.tasks = {}       # Triple -> keyword arguments
        self.dead_letters = []

    def begin_wave(self, runs):
        """The workers have ended everything; these are the rows of others that the table has."""
        self.claimed.clear()
        self.running.clear()
        for run in runs:
            age = run["started_minutes_ago"]
            age = run["created_minutes_ago"] if age is None else age
            if run["status"] not in ACTIVE:
                continue
            if run["status"] in STALE and age > STALE_MINUTES:
                continue
            self.running[run["pipeline_id"]].add(run["symbol"] or "*")

    def take(self, value, place, *, logged_at, age_seconds=0.0):
        signal = read_signal(value)
        if signal is None:
            self.dead_letters.append(place)
            return
        key = signal.get("signal_id") or f"{place.topic}/{place.partition}/{place.offset}"
        is_repeat = key in self.seen
        for entry in {one["ticker"]: one for one in reversed(signal["tickers"])}.values():
            for pipeline in self.watchers.get(entry["ticker"], ()):
                triple = Triple(key, pipeline.id, entry["ticker"])
                against = self.against(signal, entry, pipeline, age_seconds)
                if not against:
                    self.seen.add(key)
                    against = self.claim(triple, is_repeat)
                if against == {"enqueued"}:
                    self.tasks[triple] = arguments_of(signal, entry, pipeline, key, logged_at)
                self.found[triple].append(against)

    def against(self, signal, entry, pipeline, age_seconds):
        """Everything that is against the triple and that the signal alone decides."""
        metadata = metadata_of(signal)
        first = {pipeline.against(signal, entry)} - {None}
        if not is_routed(signal, entry["ticker"], pipeline.id):
            first.add("not_routed")
        if metadata.get("backtest_pipeline_id") or metadata.get("backtest_run_id"):
            first.add("backtest_off")
        if first:
            return first
        if self.max_age_seconds and age_seconds > self.max_age_seconds:
            first.add("expired")
        if self.market_hours == "signal" and not is_open(entry["ticker"], signal["timestamp"]):
            first.add("market_closed")
        return first

    def claim(self, triple, is_repeat):
        if is_repeat:
            return {"duplicate"}
        pair = triple[1:]
        running = self.running.get(triple.pipeline, ())
        if pair in self.claimed or triple.ticker in running or "*" in running:
            return {"busy"}
        self.claimed.add(pair)
        return {"enqueued"}


NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def is_open(ticker, unix_seconds):
    """Whether the ticker's market trades then."""
    there = datetime.datetime.fromtimestamp(unix_seconds, NEW_YORK)
    minute = there.hour * 60 + there.minute + there.second / 60
    if "_" in ticker:  # currencies: Sunday 17:00 to Friday 17:00
        return {4: minute < 17 * 60, 5: False, 6: minute >= 17 * 60}.get(there.weekday(), True)
    if "-" in ticker and "USD" in ticker:
        return True
    if there.weekday() > 4 or there.date() in holidays(there.year):
        return False
    return 9.5 * 60 <= minute <= (13 if there.date() in half_days(there.year) else 16) * 60


def day(year, month, number):
    return datetime.date(year, month, number)


def nth(year, month, weekday, count):
    """The count-th weekday of a month; -1 is the last one."""
    days = [day(year, month, number) for number in range(1, 32)
            if number <= 28 or (datetime.date(year, month, 28)
                                + datetime.timedelta(number - 28)).month == month]
    fitting = [one for one in days if one.weekday() == weekday]
    return fitting[count - 1 if count > 0 else count]


def easter(year):
    """Gauss's rule, in the form of Meeus, Jones and Butcher."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 19 * weekday) // 433
    month = (h + weekday - 7 * m + 90) // 25
    return day(year, month, (h + weekday - 7 * m + 33 * month + 19) % 32)


def observed(date):
    """Saturday's holiday is kept on Friday, Sunday's on Monday."""
    return date + datetime.timedelta({5: -1, 6: 1}.get(date.weekday(), 0))


def holidays(year):
    new_year = day(year, 1, 1)  # on a Saturday it is not kept: Friday is the end of the year's books
    kept = {observed(new_year)} if new_year.weekday() != 5 else set()
    return kept | {
        nth(year, 1, 0, 3), nth(year, 2, 0, 3), easter(year) - datetime.timedelta(2),
        nth(year, 5, 0, -1), observed(day(year, 6, 19)), observed(day(year, 7, 4)),
        nth(year, 9, 0, 1), nth(year, 11, 3, 4), observed(day(year, 12, 25))}


def half_days(year):
    """The day after Thanksgiving; the days before Independence Day and Christmas, where trading goes
    on and the holiday itself is a weekday."""
    days = {nth(year, 11, 3, 4) + datetime.timedelta(1)}
    for eve, holiday in ((day(year, 7, 3), day(year, 7, 4)), (day(year, 12, 24), day(year, 12, 25))):
        if eve.weekday() < 5 and holiday.weekday() < 5:
            days.add(eve)
    return days - holidays(year)
