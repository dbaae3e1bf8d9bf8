"""Highest and lowest values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..series import Series
from .numbers import checked

_LARGEST_HALF = 8.98846567431158e307


def highest(values: Sequence[float]) -> float:
    """The highest value; NaN if there are no values or one of them is NaN."""
    best = values[0] if values else math.nan
    for value in values:
        if value > best:
            best = value
        elif value != value:
            return math.nan
    return best


def lowest(values: Sequence[float]) -> float:
    """The lowest value; NaN if there are no values or one of them is NaN."""
    best = values[0] if values else math.nan
    for value in values:
        if value < best:
            best = value
        elif value != value:
            return math.nan
    return best


def midprice(high: Sequence[float], low: Sequence[float]) -> float:
    """The middle between the highest high and the lowest low; NaN if there are no values or one of them is NaN."""
    top, bottom = highest(high), lowest(low)
    if abs(top) <= _LARGEST_HALF and abs(bottom) <= _LARGEST_HALF:
        return (top + bottom) / 2.0
    return top / 2.0 + bottom / 2.0


def rolling_max(values: Sequence[float], period: int) -> Series:
    """The highest of the last `period` values: the upper channel of Donchian.

    First value at index `period - 1`. NaN while any of the `period` values is NaN.
    """
    return _rolling(values, checked("period", period), 1.0)


def rolling_min(values: Sequence[float], period: int) -> Series:
    """The lowest of the last `period` values: see `rolling_max`."""
    return _rolling(values, checked("period", period), -1.0)


def _rolling(values: Sequence[float], period: int, sign: float) -> Series:
    extremes = Series([math.nan] * len(values))
    if period == 0:
        return extremes
    # The candidates begin at `head`, best first. A value is dropped when a newer one is at least as good, or by age.
    candidates: list[int] = []
    head = 0
    numbers = 0
    for index, value in enumerate(values):
        if value != value:
            candidates.clear()
            head = 0
            numbers = 0
            continue
        while len(candidates) > head and sign * value >= sign * values[candidates[-1]]:
            candidates.pop()
        candidates.append(index)
        numbers += 1
        if candidates[head] + period <= index:
            head += 1
        if numbers >= period:
            extremes[index] = values[candidates[head]]
    return extremes
