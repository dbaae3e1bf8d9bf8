"""Trades the same signals on the same candles with another backtester.

    python money_oracle.py INPUT OUTPUT

INPUT is a JSON object:

    with      "backtesting" or "vectorbt"
    candles   [[open_time_ms, open, high, low, close], …], of one hour each
    signals   [[index of the candle whose close made it, "buy" | "sell" | "close", stop or null, target or null], …]
    quantity  how much a trade has, a whole number
    fee       the share of a fill's value
    slippage  the share of the price; only for vectorbt, which slips on both sides
    cash      what the account begins with

OUTPUT is a JSON object with `trades`, [[side, index of the candle of the entry, price, index of the candle of the exit,
price, profit], …], and `equity`, one number for each candle.

`backtesting` knows stops and targets, with the stop first. `vectorbt` looks at stops only from the candle after the
entry's, so it gets the signals without them.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd


def frame(candles: list[list[float]]) -> pd.DataFrame:
    columns = np.array(candles, dtype=float)
    index = pd.to_datetime(columns[:, 0], unit="ms")
    return pd.DataFrame(columns[:, 1:], index=index, columns=["Open", "High", "Low", "Close"])


def with_backtesting(data: pd.DataFrame, given: dict) -> dict:
    from backtesting import Backtest, Strategy

    by_candle: dict[int, list] = {}
    for signal in given["signals"]:
        by_candle.setdefault(signal[0], []).append(signal[1:])

    class Given(Strategy):
        def init(self) -> None:
            pass

        def next(self) -> None:
            for action, stop, target in by_candle.get(len(self.data) - 1, []):
                if action == "close":
                    self.position.close()
                    continue
                is_buy = action == "buy"
                if self.position and self.position.is_long == is_buy:
                    continue
                self.position.close()
                order = self.buy if is_buy else self.sell
                order(size=given["quantity"], sl=stop, tp=target)

    test = Backtest(data, Given, cash=given["cash"], commission=given["fee"], finalize_trades=False)
    result = test.run()
    trades = result["_trades"]
    rows = zip(
        trades["Size"], trades["EntryBar"], trades["EntryPrice"], trades["ExitBar"], trades["ExitPrice"], trades["PnL"]
    )
    listed = [
        ["long" if size > 0 else "short", int(entry), float(paid), int(left), float(got), float(profit)]
        for size, entry, paid, left, got, profit in rows
    ]
    return {"trades": sorted(listed, key=lambda trade: trade[1]), "equity": result["_equity_curve"]["Equity"].tolist()}


def with_vectorbt(data: pd.DataFrame, given: dict) -> dict:
    import vectorbt as vbt

    # The position that is wanted after each candle's close; what is bought at an open follows from its changes.
    wanted, held = np.zeros(len(data)), 0
    by_candle = {signal[0]: signal[1] for signal in given["signals"]}
    for index in range(len(data)):
        held = {"buy": 1, "sell": -1, "close": 0}.get(by_candle.get(index), held)
        wanted[index] = held
    at_open = np.concatenate([[0], wanted[:-1]]) * given["quantity"]
    portfolio = vbt.Portfolio.from_orders(
        data["Close"],
        size=at_open,
        size_type="targetamount",
        price=data["Open"],
        fees=given["fee"],
        slippage=given["slippage"],
        init_cash=given["cash"],
        freq="1h",
    )
    trades = portfolio.trades.records
    rows = zip(
        trades["direction"],
        trades["entry_idx"],
        trades["entry_price"],
        trades["exit_idx"],
        trades["exit_price"],
        trades["pnl"],
    )
    listed = [
        ["short" if direction else "long", int(entry), float(paid), int(left), float(got), float(profit)]
        for direction, entry, paid, left, got, profit in rows
    ]
    return {"trades": sorted(listed, key=lambda trade: trade[1]), "equity": portfolio.value().tolist()}


def main() -> None:
    # Both print advice for people.
    warnings.simplefilter("ignore")
    given = json.loads(pathlib.Path(sys.argv[1]).read_text())
    data = frame(given["candles"])
    answer = {"backtesting": with_backtesting, "vectorbt": with_vectorbt}[given["with"]](data, given)
    pathlib.Path(sys.argv[2]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
