"""The recursion behind the exponential averages. It takes one value at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..series import Series
from .numbers import checked, divide, power


class Smoothing:
    """An exponential average from its first value on: `y = (1 - a)*y + a*x`.

    A value that equals the average leaves it untouched, bit for bit. NaN leaves the average as it is, but the next
    number weighs more: the older values count less by a factor of `1 - a` for each value missed.
    """

    __slots__ = (
        "_constant",
        "_count",
        "_first",
        "_keep",
        "_missed",
        "_remaining",
        "_skip",
        "_sum",
        "_value",
        "_weight",
    )

    def __init__(self, period: int, weight: float, skip_leading_nan: bool) -> None:
        self._weight = weight
        self._keep = 1.0 - weight
        self._skip = skip_leading_nan
        # With a period of 0, the average never begins.
        self._remaining = period if period > 0 else -1
        self._first = math.nan
        self._constant = True
        self._sum = 0.0
        self._count = 0
        self._value = math.nan
        self._missed = 0

    @classmethod
    def exponential(cls, period: int) -> Smoothing:
        """An average with the weight `2 / (period + 1)`, seeded with the mean of the first `period` values."""
        return cls(checked("period", period), 2.0 / (float(period) + 1.0), False)

    @classmethod
    def wilder(cls, period: int) -> Smoothing:
        """An average with the weight `1 / period`, whose seed is counted from the first value that is not NaN."""
        return cls(checked("period", period), divide(1.0, float(period)), True)

    def push(self, value: float) -> float:
        """Takes the next value and returns the average after it; NaN until the average has begun."""
        if self._remaining != 0:
            return self._seed(value)
        if self._missed == 0 and value < math.inf:
            if value != self._value:
                self._value = self._keep * self._value + self._weight * value
        elif value != value:
            self._missed += 1
        else:
            self._after_gap(value)
            self._missed = 0
        return self._value

    def over(self, values: Iterable[float]) -> Series:
        """The average at each of these values; NaN until the average has begun."""
        return Series(map(self.push, values))

    def _seed(self, value: float) -> float:
        if value != value:
            if self._skip and self._count == 0:
                return math.nan
        else:
            if self._count == 0:
                self._first = value
            self._constant = self._constant and value == self._first
            self._sum += value
            self._count += 1
        self._remaining -= 1
        if self._remaining != 0:
            return math.nan
        self._value = self._first if self._constant else self._sum / float(self._count)
        # The value is NaN if all values so far were NaN. The next number then replaces it.
        self._missed = int(self._value != self._value)
        return self._value

    def _after_gap(self, value: float) -> None:
        """The average after a number that follows NaN, and after infinity."""
        if self._value != self._value or value == self._value:
            self._value = value
            return
        keep = power(self._keep, self._missed + 1)
        self._value = divide(keep * self._value + self._weight * value, keep + self._weight)


class Adjusted:
    """An exponential average of all values so far, adjusted for its beginning.

    The weights `(1 - a)^age` are divided by their sum. NaN carries no weight, but the older values keep ageing.
    """

    __slots__ = ("_keep", "_needed", "_seen", "_value", "_weights")

    def __init__(self, period: int, weight: float, needed: int) -> None:
        """An average with this weight and a value from the `needed`th number on; none with a period of 0."""
        self._keep = 1.0 - weight
        self._needed = math.inf if period == 0 else max(needed, 1)
        self._seen = 0
        self._value = math.nan
        self._weights = 0.0

    def push(self, value: float) -> float:
        """Takes the next value and returns the average after it; NaN until it has seen enough."""
        self._weights *= self._keep
        if value == value:
            if self._seen == 0:
                self._value = value
            elif value != self._value:
                self._value = divide(self._weights * self._value + value, self._weights + 1.0)
            self._weights += 1.0
            self._seen += 1
        return self._value if self._seen >= self._needed else math.nan
