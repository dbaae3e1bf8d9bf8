"""Momentum: how fast and how one-sidedly the price moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..series import Series
from .numbers import checked, divide
from .smoothing import Adjusted, Smoothing


def rsi(close: Sequence[float], period: int) -> Series:
    """Relative strength index: `100*G / (G + L)`, in points from 0 (only falls) to 100 (only rises).

    `G` and `L` are Wilder's averages (`rma`) of the rises and of the falls from close to close. First value at index
    `period`. NaN until the price has moved; if it then stands still, the index keeps its value.
    """
    rises, falls = Smoothing.wilder(period), Smoothing.wilder(period)
    readings = Series()
    for rise, fall in _rises_and_falls(close):
        gain, loss = rises.push(rise), falls.push(fall)
        readings.append(divide(100.0 * gain, gain + loss))
    return readings


def rsi_adjusted(close: Sequence[float], period: int) -> Series:
    """Relative strength index whose averages are adjusted for their beginning, as in `ema_adjusted`.

    `100 - 100 / (1 + G / L)` with Wilder's weight `1 / period`, in points from 0 to 100. First value at index `period`.
    """
    weight = divide(1.0, float(checked("period", period)))
    rises, falls = Adjusted(period, weight, period), Adjusted(period, weight, period)
    readings = Series()
    for rise, fall in _rises_and_falls(close):
        gain, loss = rises.push(rise), falls.push(fall)
        readings.append(100.0 - divide(100.0, 1.0 + divide(gain, loss)))
    return readings


def _rises_and_falls(close: Sequence[float]) -> Iterator[tuple[float, float]]:
    """The rise and the fall (without its sign) of each close from the one before; NaN for the first."""
    previous = math.nan
    for price in close:
        change = price - previous
        previous = price
        yield (0.0 if change < 0.0 else change, 0.0 if change > 0.0 else -change)


@dataclass(frozen=True, slots=True)
class Macd:
    """The lines of `macd`."""

    line: Series
    """Fast average minus slow average."""
    signal: Series
    """Average of the line."""
    histogram: Series
    """Line minus signal."""


def macd(close: Sequence[float], fast: int, slow: int, signal: int) -> Macd:
    """Moving average convergence/divergence: `EMA(fast) - EMA(slow)`, and the line's own EMA; in the unit of the price.

    The line begins at index `slow - 1` (or `fast - 1` if that is later); signal and histogram begin `signal - 1`
    candles after it. Flat data gives exactly 0.
    """
    short, long = Smoothing.exponential(fast), Smoothing.exponential(slow)
    average = Smoothing.exponential(signal)
    lines = Macd(Series(), Series(), Series())
    begun = False
    for price in close:
        line = short.push(price) - long.push(price)
        begun = begun or line == line
        smoothed = average.push(line) if begun else math.nan
        lines.line.append(line)
        lines.signal.append(smoothed)
        lines.histogram.append(line - smoothed)
    return lines
