"""Trend: whether the price moves in one direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..series import Series
from .numbers import checked, divide
from .smoothing import Smoothing
from .volatility import LEAST_RANGE, true_range_of


@dataclass(frozen=True, slots=True)
class Adx:
    """The lines of `adx`."""

    adx: Series
    """Average directional movement index."""
    plus_di: Series
    """Positive directional indicator."""
    minus_di: Series
    """Negative directional indicator."""


def adx(high: Sequence[float], low: Sequence[float], close: Sequence[float], period: int) -> Adx:
    """Average directional movement index with its directional indicators, in points from 0 (no trend) to 100.

    The movement of a candle is how far its high rose above, or its low fell below, that of the candle before, whichever
    is more. Wilder's sums of movement and of true range give `DI = 100*movement / range`. Then
    `DX = 100*|+DI - -DI| / (+DI + -DI)`, and ADX is the average of DX (`rma`). The directional indicators begin at
    index `period`, ADX at `2*period - 1`. On flat data ADX is NaN until there is a movement; after that it keeps its
    value.
    """
    share = divide(1.0, float(checked("period", period))) if period > 0 else math.nan
    up = down = total = 0.0
    plus_di, minus_di = Series(), Series()
    high_before = low_before = close_before = math.nan
    for index, (top, bottom, last) in enumerate(zip(high, low, close)):
        if index > 0:
            fade = 0.0 if index < period else share
            rise, fall = _movement(top - high_before, low_before - bottom)
            up += rise - up * fade
            down += fall - down * fade
            total += true_range_of(top, bottom, close_before) - total * fade
        plus_di.append(divide(100.0 * up, total) if index >= period else math.nan)
        minus_di.append(divide(100.0 * down, total) if index >= period else math.nan)
        high_before, low_before, close_before = top, bottom, last
    indices = (divide(100.0 * abs(plus - minus), plus + minus) for plus, minus in zip(plus_di, minus_di))
    return Adx(Smoothing.wilder(period).over(indices), plus_di, minus_di)


def _movement(up: float, down: float) -> tuple[float, float]:
    """The movement up and the movement down, at least one of which is 0."""
    if up > down and up >= LEAST_RANGE:
        return up, 0.0
    if down > up and down >= LEAST_RANGE:
        return 0.0, down
    return 0.0, 0.0
