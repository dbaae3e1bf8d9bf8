"""Volatility: how far the price moves, in either direction."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ..series import Series
from .average import mean, sma, sum_of
from .numbers import checked, divide
from .smoothing import Smoothing

LEAST_RANGE = sys.float_info.epsilon
"""The range of a candle whose high and low are equal. With it, a true range can always be a divisor."""


def true_range_of(high: float, low: float, previous_close: float) -> float:
    """The greatest of the candle's range and the distances of its high and its low from the previous close."""
    span = high - low
    span = LEAST_RANGE if span == 0.0 else abs(span)
    above = abs(high - previous_close)
    below = abs(previous_close - low)
    if above > span:
        span = above
    if below > span:
        span = below
    # The comparisons ignore NaN; the sum does not.
    return math.nan if math.isnan(above + below) else span


def true_range(high: Sequence[float], low: Sequence[float], close: Sequence[float]) -> Series:
    """True range, in the unit of the price.

    The greatest of high minus low, the distance from high to previous close, and that from previous close to low. First
    value at index 1. Flat data gives 2.2e-16 rather than 0, so that it can be a divisor.
    """
    ranges = Series()
    previous = math.nan
    for top, bottom, last in zip(high, low, close):
        ranges.append(true_range_of(top, bottom, previous))
        previous = last
    return ranges


def atr(high: Sequence[float], low: Sequence[float], close: Sequence[float], period: int) -> Series:
    """Average true range: Wilder's average (`rma`) of the true range, in the unit of the price.

    First value at index `period`. On flat data it fades towards 2.2e-16, and is never exactly 0.
    """
    return Smoothing.wilder(period).over(true_range(high, low, close))


def standard_deviation(values: Sequence[float]) -> float:
    """The population standard deviation of all values (divided by their number, not by one less).

    NaN for an empty series, and if one of the values is NaN. Identical values give exactly 0.
    """
    return _deviation_from(mean(values), values)


def _deviation_from(middle: float, values: Sequence[float]) -> float:
    squares = sum_of([(value - middle) * (value - middle) for value in values])
    return math.sqrt(divide(squares, float(len(values))))


def rolling_standard_deviation(values: Sequence[float], period: int) -> Series:
    """The population standard deviation of the last `period` values, each computed from scratch.

    First value at index `period - 1`. Flat data gives exactly 0.
    """
    deviations = Series([math.nan] * len(values))
    if checked("period", period) > 0:
        for end in range(period, len(values) + 1):
            deviations[end - 1] = standard_deviation(values[end - period : end])
    return deviations


@dataclass(frozen=True, slots=True)
class Band:
    """One candle's Bollinger band."""

    lower: float
    """The mean minus the deviations."""
    middle: float
    """The mean."""
    upper: float
    """The mean plus the deviations."""

    def width(self) -> float:
        """The distance from the lower to the upper line, as a share of the middle."""
        return divide(self.upper - self.lower, self.middle)

    def position(self, price: float) -> float:
        """The position of a price between the lines: 0 on the lower, 1 on the upper, less or more beyond them.

        It is 0.5 if the two lines are equal.
        """
        width = self.upper - self.lower
        return (price - self.lower) / width if width > 0.0 else 0.5


def bollinger_band(values: Sequence[float], deviations: float) -> Band:
    """The Bollinger band of exactly these values, for a rule that looks only at the newest candle.

    `bollinger_band(window.close.tail(20), 2.0)`. NaN for an empty series; the caller makes sure that there are enough
    values.
    """
    middle = mean(values)
    width = deviations * _deviation_from(middle, values)
    return Band(middle - width, middle, middle + width)


@dataclass(frozen=True, slots=True)
class Bollinger:
    """The lines of `bollinger`."""

    lower: Series
    """The lower band."""
    middle: Series
    """The simple moving average."""
    upper: Series
    """The upper band."""


def bollinger(values: Sequence[float], period: int, deviations: float) -> Bollinger:
    """Bollinger bands: the simple average of the last `period` values, and lines `deviations` deviations beside it.

    The deviations are population standard deviations. First value at index `period - 1`. On flat data all three lines
    are the value exactly.
    """
    middle = sma(values, period)
    lower, upper = Series(middle), Series(middle)
    if period > 0:
        for end in range(period, len(values) + 1):
            center = middle[end - 1]
            width = deviations * _deviation_from(center, values[end - period : end])
            lower[end - 1] = center - width
            upper[end - 1] = center + width
    return Bollinger(lower, middle, upper)
