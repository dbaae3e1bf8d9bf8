"""Computes TA-Lib's indicators for every candle series in a folder.

The indicators of the Rust SDK are compared with the result. TA-Lib is an independent implementation that most of the
field uses as its reference.

    python talib_oracle.py CANDLES OUTPUT

reads CANDLES/*.csv (open_time_ms,open,high,low,close,volume) and writes OUTPUT/<series>.csv: one line for each candle,
one column for each indicator, `nan` while TA-Lib has no value yet.
"""

import csv
import pathlib
import sys

import numpy as np
import talib


def ema_from_first_value(values: np.ndarray, period: int) -> np.ndarray:
    """TA-Lib's EMA of a series that begins with NaN. TA-Lib itself would spread the NaN over the whole result."""
    average = np.full(len(values), np.nan)
    numbers = np.flatnonzero(~np.isnan(values))
    if len(numbers):
        average[numbers[0] :] = talib.EMA(values[numbers[0] :], period)
    return average


def indicators(candles: np.ndarray) -> dict[str, np.ndarray]:
    high, low, close, volume = (np.ascontiguousarray(candles[:, column]) for column in (2, 3, 4, 5))
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    macd, macd_signal, _ = talib.MACD(close, 12, 26, 9)
    composed = talib.EMA(close, 12) - talib.EMA(close, 26)
    return {
        "close": close,
        "sma20": talib.SMA(close, 20),
        "volume_sma20": talib.SMA(volume, 20),
        "ema12": talib.EMA(close, 12),
        "ema80": talib.EMA(close, 80),
        "rsi2": talib.RSI(close, 2),
        "rsi14": talib.RSI(close, 14),
        "tr": talib.TRANGE(high, low, close),
        "atr14": talib.ATR(high, low, close, 14),
        "adx14": talib.ADX(high, low, close, 14),
        "plus_di14": talib.PLUS_DI(high, low, close, 14),
        "minus_di14": talib.MINUS_DI(high, low, close, 14),
        "stddev20": talib.STDDEV(close, 20, 1.0),
        "bb_lower": lower,
        "bb_middle": middle,
        "bb_upper": upper,
        "max20": talib.MAX(high, 20),
        "min20": talib.MIN(low, 20),
        "macd": macd,
        "macd_signal": macd_signal,
        "macd_composed": composed,
        "macd_composed_signal": ema_from_first_value(composed, 9),
    }


def main() -> None:
    candles_folder, output_folder = map(pathlib.Path, sys.argv[1:3])
    output_folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(candles_folder.glob("*.csv")):
        columns = indicators(np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2))
        with (output_folder / path.name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


if __name__ == "__main__":
    main()
