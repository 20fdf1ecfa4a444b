"""Candles in quantity, each with a minute and a close of its own, and what became of them."""

import threading

from harness import candle, connect_postgres, create_topics, stored_minutes, wait_until

TIMEFRAMES = ("1m", "5m", "15m")
PARTITIONS = 3


def channels_of(symbol):
    return [f"roottrading:market:data:{symbol}:{timeframe}" for timeframe in TIMEFRAMES]


def topics_of(symbol):
    """The topics with their numbers of partitions."""
    return {f"market.data.{symbol}.{timeframe}": PARTITIONS for timeframe in TIMEFRAMES}


class Load:
    """Candles for every topic of a symbol, in bursts or in the background."""

    def __init__(self, symbol, produced, burst=500, pause=0.05):
        self.symbol, self.produced = symbol, produced
        self.burst_size, self.pause = burst, pause
        self.minute = 0
        self.expected = {timeframe: {} for timeframe in TIMEFRAMES}
        self.stopping = threading.Event()
        self.thread = None
        create_topics(*topics_of(symbol), partitions=PARTITIONS)
        for topic, partitions in topics_of(symbol).items():
            produced.learn(topic, partitions)

    def send(self, count):
        for _ in range(count):
            minute = self.minute
            timeframe = TIMEFRAMES[minute % len(TIMEFRAMES)]
            close = float(1 + minute % 9973)
            self.produced.send(f"market.data.{self.symbol}.{timeframe}",
                               candle(self.symbol, minute, close=close, timeframe=timeframe),
                               partition=minute // len(TIMEFRAMES) % PARTITIONS)
            self.expected[timeframe][minute] = close
            self.minute += 1

    def start(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            self.send(self.burst_size)
            self.stopping.wait(self.pause)

    def finish(self):
        self.stopping.set()
        if self.thread:
            self.thread.join()
        self.produced.flush()

    def wrong_rows(self):
        """Rows that are missing, too many, or hold another value than was produced."""
        wrong = 0
        for timeframe, expected in self.expected.items():
            stored = stored_minutes(self.symbol, timeframe)
            wrong += len(stored.items() ^ expected.items())
        return wrong


def rows(symbol):
    with connect_postgres() as connection:
        return connection.execute("SELECT count(*) FROM public.market_data WHERE symbol = %s",
                                  (symbol.upper(),)).fetchone()[0]


def wait_for_rows(symbol, produced, seconds=120):
    wait_until(lambda: rows(symbol) == produced.count(), seconds, "every candle in the table", 0.2)


def settle(symbol, produced, subscriber, seconds=120):
    """Until the table and the subscriber have as many as were produced."""
    wait_for_rows(symbol, produced, seconds)
    wait_until(lambda: len(set(subscriber.places())) == produced.count(), 60, "every candle heard",
               0.2)
