"""Reads a series from its newest end, which is the one that rules look at.

A missing value is NaN, and a missing range is empty. NaN compares false with everything, so a rule gives no signal on
short data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


class Series(list[float]):
    """A column or an indicator, oldest first. It is a list, so `series[-1]` and slices work as well."""

    __slots__ = ()

    def ago(self, candles: int) -> float:
        """The value `candles` before the newest; `ago(0)` is the newest. NaN if the series is shorter."""
        _must_not_be_negative("candles", candles)
        return self[-1 - candles] if candles < len(self) else math.nan

    def newest(self) -> float:
        """The newest value, or NaN."""
        return self[-1] if self else math.nan

    def tail(self, count: int) -> Series:
        """The newest `count` values, oldest first, or as many as exist."""
        _must_not_be_negative("count", count)
        return Series(self[max(len(self) - count, 0) :])

    def span(self, start: int, end: int) -> Series:
        """The existing values with an age from `start` to below `end`, oldest first.

        `span(5, 20)` gives fifteen values, from the 20th-newest to the 6th-newest.
        """
        _must_not_be_negative("start", start)
        _must_not_be_negative("end", end)
        return Series(self[max(len(self) - end, 0) : max(len(self) - start, 0)])

    def is_rising(self) -> bool:
        """Whether every value is greater than the one before it: `ema.tail(3).is_rising()` compares two pairs."""
        return all(newer > older for older, newer in zip(self, self[1:]))

    def is_falling(self) -> bool:
        """Whether every value is less than the one before it."""
        return all(newer < older for older, newer in zip(self, self[1:]))

    def is_above(self, other: Sequence[float]) -> bool:
        """Whether every value is greater than the other's at the same place: `close.tail(4).is_above(ema.tail(4))`."""
        return len(self) == len(other) and all(value > against for value, against in zip(self, other))

    def is_below(self, other: Sequence[float]) -> bool:
        """Whether every value is less than the other's at the same place."""
        return len(self) == len(other) and all(value < against for value, against in zip(self, other))

    def crossed_above(self, other: Series) -> bool:
        """Whether the newest value is above the other's newest, and the one before was not above."""
        return self.ago(1) <= other.ago(1) and self.newest() > other.newest()

    def crossed_below(self, other: Series) -> bool:
        """Whether the newest value is below the other's newest, and the one before was not below."""
        return other.crossed_above(self)


def _must_not_be_negative(name: str, given: int) -> None:
    # Python would read a negative index from the other end, which is a wrong candle rather than an error.
    if given < 0:
        raise ValueError(f"{name} = {given} must be at least 0: ages are counted back from the newest candle")
