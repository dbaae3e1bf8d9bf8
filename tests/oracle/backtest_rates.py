"""Candles a second of an RSI strategy in two libraries, on the candles of a CSV file: backtest_rates.py CANDLES.csv

Prints a line for each: its name, a tab, and the rate. `backtesting` computes the RSI anew over 250 candles for each
candle, as a strategy of ours does, or once beforehand; `vectorbt` computes all of them at once.
"""

import sys
import time

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

PERIOD, OVERSOLD, OVERBOUGHT, WINDOW = 14, 30, 70, 250
# The slow one looks at this many candles only.
FEW = 10_000


def rsi(closes):
    """Wilder's RSI of every candle."""
    change = np.diff(closes, prepend=closes[0])
    up = pd.Series(np.maximum(change, 0.0)).ewm(alpha=1 / PERIOD, adjust=False).mean()
    down = pd.Series(np.maximum(-change, 0.0)).ewm(alpha=1 / PERIOD, adjust=False).mean()
    return (100 * up / (up + down)).to_numpy()


def newest_rsi(closes):
    """Wilder's RSI of the last candle of a window, without pandas."""
    change = np.diff(closes)
    up, down = np.maximum(change, 0.0), np.maximum(-change, 0.0)
    weights = (1 - 1 / PERIOD) ** np.arange(len(change) - 1, -1, -1)
    gain, loss = weights @ up, weights @ down
    return 100 * gain / (gain + loss) if gain + loss > 0 else 50.0


class Trades(Strategy):
    """Buys below one level and sells above another."""

    def trade(self, value):
        if value < OVERSOLD and not self.position:
            self.buy(size=1)
        elif value > OVERBOUGHT and self.position:
            self.position.close()


class Recomputed(Trades):
    def init(self):
        pass

    def next(self):
        if len(self.data) >= WINDOW:
            self.trade(newest_rsi(self.data.Close[-WINDOW:]))


class Precomputed(Trades):
    def init(self):
        self.values = self.I(rsi, self.data.Close)

    def next(self):
        self.trade(self.values[-1])


def rate(name, candles, run):
    begun = time.perf_counter()
    run()
    print(f"{name}\t{candles / (time.perf_counter() - begun):.1f}")


def main():
    data = pd.read_csv(sys.argv[1])
    data.index = pd.to_datetime(data.pop("open_time_ms"), unit="ms")
    data.columns = [name.capitalize() for name in data.columns]
    few = data.iloc[:FEW]
    rate("backtesting, RSI over 250 candles in next()", len(few), Backtest(few, Recomputed, cash=1e9).run)
    rate("backtesting, RSI computed once", len(data), Backtest(data, Precomputed, cash=1e9).run)

    import vectorbt as vbt

    def vectors():
        values = vbt.RSI.run(data["Close"], window=PERIOD).rsi
        vbt.Portfolio.from_signals(data["Close"], values < OVERSOLD, values > OVERBOUGHT).total_return()

    vectors()  # Numba compiles the first time.
    rate("vectorbt", len(data), vectors)


main()
