"""Averages. `ema` and `ema_adjusted` differ only in how they begin."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..series import Series
from .numbers import checked
from .smoothing import Adjusted, Smoothing


def mean(values: Sequence[float]) -> float:
    """The mean of all values, in their unit.

    NaN for an empty series, and if one of the values is NaN. Identical values give exactly that value.
    """
    if not values:
        return math.nan
    first = values[0]
    if all(value == first for value in values):
        return first
    return sum_of(values) / float(len(values))


def sum_of(terms: Sequence[float]) -> float:
    """The sum of all terms in eight lanes that are added up at the end, which loses fewer digits than a running sum."""
    whole = len(terms) - len(terms) % 8
    a = b = c = d = e = f = g = h = 0.0
    for at in range(0, whole, 8):
        a += terms[at]
        b += terms[at + 1]
        c += terms[at + 2]
        d += terms[at + 3]
        e += terms[at + 4]
        f += terms[at + 5]
        g += terms[at + 6]
        h += terms[at + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for term in terms[whole:]:
        total += term
    return total


def sma(values: Sequence[float], period: int) -> Series:
    """Simple moving average: the mean of the last `period` values, in their unit.

    First value at index `period - 1`. `period` identical values give exactly that value. No running sum is kept, so
    neither a large value nor NaN leaves a trace once it has left the window.
    """
    averages = Series([math.nan] * len(values))
    if checked("period", period) == 0 or len(values) < period:
        return averages
    # The values are split into blocks of `period`. Each window consists of the end of one block and the beginning of
    # the next, so two partial sums give its sum and nothing is ever subtracted.
    block_end = [0.0] * (period + 1)
    run = 0
    begin = 0.0
    for index, value in enumerate(values):
        place = index % period
        if place == 0 and index > 0:
            total = 0.0
            for slot in range(period - 1, -1, -1):
                total += values[index - period + slot]
                block_end[slot] = total
            begin = 0.0
        begin += value
        run = run + 1 if index > 0 and value == values[index - 1] else 1
        if index + 1 >= period:
            averages[index] = value if run >= period else (block_end[place + 1] + begin) / float(period)
    return averages


def ema(values: Sequence[float], period: int) -> Series:
    """Exponential moving average with the weight `2 / (period + 1)`, seeded with the mean of the first `period` values.

    First value at index `period - 1`, the seed; in the unit of the values. Flat data stays at the value exactly. NaN is
    skipped: the average keeps its value, and the next number weighs more.
    """
    return Smoothing.exponential(period).over(values)


def ema_adjusted(values: Sequence[float], period: int) -> Series:
    """Exponential moving average over the whole window, adjusted for its beginning.

    The mean of all values so far with weights `(1 - a)^age`, `a = 2 / (period + 1)`: what pandas computes with
    `ewm(span=period, adjust=True, min_periods=period - 1).mean()`. First value at index `period - 2` (at least 0). At
    period 80 it still differs from `ema` by about a thousandth after 250 candles.
    """
    average = Adjusted(checked("period", period), 2.0 / (float(period) + 1.0), max(period - 1, 0))
    return Series(map(average.push, values))


def rma(values: Sequence[float], period: int) -> Series:
    """Wilder's moving average: exponential with weight `1 / period`, seeded with the mean of the first `period` values.

    First value `period - 1` after the first one that is not NaN; in the unit of the values. NaN is skipped, as in
    `ema`.
    """
    return Smoothing.wilder(period).over(values)
