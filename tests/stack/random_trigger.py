"""Random pipelines, runs and signals, which reach every rule of a match."""

import json
import random
import uuid

TYPES = ("golden_cross", "death_cross", "rsi_oversold", "rsi_overbought", "macd_bullish", "news",
         "external", "mock", "macd_bearish", "volume_spike", "bollinger_squeeze", "gap_up", "ünïcode",
         "GOLDEN_CROSS")
GENERATED_TIMEFRAMES = ("1", "5", "15", "60", "240", "D", "W")
APP_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")
STATUSES = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "SKIPPED", "PAUSED",
            "MONITORING", "COMMUNICATION_ERROR", "NEEDS_RECONCILIATION", "AWAITING_APPROVAL")
ODD_TICKERS = ("BTC-USD", "ETH-USD", "EUR_USD", "GBP_JPY", "BRK-B", "BRK_B", "BTC/USD", "ÄÖÜ",
               "日本", "😀", "a b", "it's", "A\"B", "A\\B", "A|B", "aapl")
BAD_MESSAGES = (
    None, b"", b"{", b"[1, 2]", b"17", b"null", b'"text"', b"\xff\xfe{}",
    b'{"signal_id": "x", "tickers": [{"ticker": "T\xe9"}]}', b'{"signal_id": "x", "tickers": null}',
    b'{"signal_id": "x", "tickers": "T1"}', b'{"signal_id": "x", "tickers": ["T1", 5]}',
    b'{"signal_id": "x"}', b'{"signal_id": "x", "tickers": [{"ticker": "T1"}], "metadata": [1]}',
    b'{"signal_id": "x", "tickers": [{"ticker": "T1"}], "metadata": {"a": 1}} {}')


class Random:
    """One world from one seed."""

    def __init__(self, seed, pipelines, tickers):
        self.random = random.Random(seed)
        self.tickers = [*ODD_TICKERS, *(f"T{number}" for number in range(tickers))]
        self.users = [self.uuid() for _ in range(20)]
        self.rows = [self.pipeline() for _ in range(pipelines)]
        self.sent = []  # what a repeat repeats

    def uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def chance(self, of_one):
        return self.random.random() < of_one

    def some_tickers(self):
        """Few to some; some tickers are popular."""
        count = self.random.choice((1, 1, 2, 3, 5, 8, 16))
        return [self.tickers[int(len(self.tickers) * self.random.random() ** 1.5)]
                for _ in range(count)]

    def pipeline(self):
        row = {"id": self.uuid(), "user_id": self.random.choice(self.users),
               "name": self.random.choice(("momentum", "Ünïcode 😀", "x" * 255, "it's")),
               "subscriptions": self.subscriptions()}
        match self.random.randrange(20):
            case 0:
                row["is_active"] = False
            case 1:
                row["trigger_mode"] = "periodic"
        match self.random.randrange(24):
            case 0:
                row["scanner_tickers"] = self.some_tickers()
            case 1:
                row.update(scanner_config={}, scanner_tickers=self.some_tickers())
            case 2:
                row.update(scanner_config={"tickers": []}, scanner_tickers=self.some_tickers())
            case 3:
                row["scanner_config"] = {"tickers": "AAPL"}
            case 4:
                row["scanner_config"] = self.random.choice(([1], "text", 5))
            case 5:
                row["scanner_config"] = {"tickers": [["T1"], "T2"]}
            case 6:
                row["scanner_config"] = {"filter": {}}
            case 7:
                row.update(tickers=self.some_tickers(), scanner_active=False)
            case 8:
                row.update(tickers=self.some_tickers(), scanner_tickers=self.some_tickers())
            case _:
                row["tickers"] = self.some_tickers()
        return row

    def subscriptions(self):
        match self.random.randrange(20):
            case 0:
                return {"signal_type": "news"}
            case 1:
                return [{"signal_type": "news", "timeframe": None, "min_confidence": "80"}]
            case 2 | 3:
                return None
            case 4:
                return []
            case _:
                return [self.subscription() for _ in range(self.random.choice((1, 1, 2, 4)))]

    def subscription(self):
        one = {"signal_type": self.random.choice(TYPES)}
        if self.chance(0.7):
            one["timeframe"] = self.random.choice(
                (*GENERATED_TIMEFRAMES, *APP_TIMEFRAMES, "", None))
        if self.chance(0.7):
            one["min_confidence"] = self.random.choice((0, 50, 80, 80.0, 99.5, 100, None))
        return one

    def runs(self, count):
        live = [row for row in self.rows if row.get("tickers")]
        for _ in range(count):
            row = self.random.choice(live)
            started = self.random.choice((0.1, 4, 6, 14, 60, None))
            yield {"pipeline_id": row["id"], "mode": self.random.choice(("paper", "live", "backtest")),
                   "status": self.random.choice(STATUSES), "started_minutes_ago": started,
                   "created_minutes_ago": self.random.choice((1, 7, 20)) if started is None
                                          else started + 1,
                   "symbol": self.random.choice((*row["tickers"], *row["tickers"][:3], None, ""))}

    def signal(self):
        """Bytes, or None for a tombstone."""
        if self.chance(0.01):
            return self.random.choice(BAD_MESSAGES)
        if self.sent and self.chance(0.03):
            return self.random.choice(self.sent[-2000:])
        body = {"signal_id": self.uuid(), "signal_type": self.random.choice(TYPES),
                "source": self.random.choice(("generator", "généré", "", None)),
                "timestamp": self.random.randrange(1_672_600_000, 1_793_000_000),  # 2023 to 2026
                "tickers": [self.entry() for _ in range(self.random.choice((1, 1, 1, 1, 2, 3)))]}
        if not self.chance(0.05):
            body["metadata"] = None if self.chance(0.03) else self.metadata(body["tickers"])
        match self.random.randrange(40):
            case 0:
                number, ticker = self.random.randrange(10 ** 12), body["tickers"][0]["ticker"]
                body["signal_id"] = f"gc_{number}_{ticker}"
            case 1:
                body["signal_type"] = None
            case 2:
                del body["signal_id"]
            case 3:
                body["tickers"].append(dict(body["tickers"][0], confidence=1))
            case 4:
                body["tickers"] += [None, "T1", {"ticker": None}, {"ticker": ""}]
            case 5:
                body["tickers"] = []
        value = json.dumps(body, ensure_ascii=self.chance(0.7)).encode()
        if self.chance(0.05):
            value = b" \n" + value.replace(b": ", b":\t ") + b"\n"
        self.sent.append(value)
        return value

    def entry(self):
        entry = {"ticker": self.tickers[int(len(self.tickers) * self.random.random() ** 1.5)],
                 "signal": self.random.choice(("BULLISH", "BEARISH", "NEUTRAL"))}
        match self.random.randrange(12):
            case 0:
                pass
            case 1:
                entry["confidence"] = None
            case 2:
                entry["confidence"] = float("nan")
            case _:
                entry["confidence"] = self.random.choice(
                    (0, 49.999, 50, 79.9, 80, 80.0, 85.5, 99.5, 100, self.random.uniform(0, 100)))
        if self.chance(0.8):
            entry["reasoning"] = self.random.choice((None, "", "Grund: größer 😀", "a \"quoted\" one"))
        return entry

    def metadata(self, entries):
        data = {}
        if self.chance(0.8):
            data["timeframe"] = self.random.choice(
                (*GENERATED_TIMEFRAMES * 4, *APP_TIMEFRAMES, "", None))
        if self.chance(0.3):
            data.update(sma_short=self.random.choice((50, 1e-7, 12345678901234567890, -0.0, 1.50)),
                        price=self.random.choice((None, float("nan"), float("inf"), 190.12)))
        if self.chance(0.1):
            data["note"] = self.random.choice(
                ("\u2028 \x00 \\ \" / ' 😀", {"deep": [[{"er": {}}]]}, []))
        if self.chance(0.03):
            data[self.random.choice(("__type__", "nested"))] = self.random.choice(
                ("datetime", {"__type__": "bogus", "__value__": "x"}, [{"a": {"__type__": 1}}]))
        if self.chance(0.02):
            data["signalbox"] = "taken"
        if self.chance(0.02):
            mark = self.random.choice(("backtest_pipeline_id", "backtest_run_id"))
            data[mark] = self.random.choice((self.uuid(), "no uuid"))
        if self.chance(0.4):
            data["ticker_pipelines"] = self.routes(entries)
        items = list(data.items())
        self.random.shuffle(items)
        return dict(items)

    def routes(self, entries):
        """Most name some watchers of the ticker, as the generator does; a few are odd."""
        if self.chance(0.1):
            return self.random.choice(({}, None, {"T1": []}, {"T1": None}))
        routes = {}
        for entry in entries:
            if self.chance(0.2):
                continue
            watchers = [row["id"] for row in self.watchers().get(entry["ticker"], ())
                        if self.chance(0.7)]
            routes[entry["ticker"]] = [{"pipeline_id": one, "pipeline_name": "p", "scanner_id": "s"}
                                       for one in watchers or [self.uuid()]]
        return routes

    def watchers(self):
        if not hasattr(self, "by_ticker"):
            self.by_ticker = {}
            for row in self.rows:
                for ticker in {*(row.get("tickers") or ()), *(row.get("scanner_tickers") or ())}:
                    self.by_ticker.setdefault(ticker, []).append(row)
        return self.by_ticker
