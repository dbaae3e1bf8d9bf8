"""Arithmetic of floats as the other languages do it: Python raises an error for a division by zero."""

from __future__ import annotations

import math


def divide(number: float, by: float) -> float:
    """The quotient; infinite or NaN if `by` is 0."""
    if by != 0.0:
        return number / by
    if number == 0.0 or math.isnan(number):
        return math.nan
    return math.copysign(math.inf, number) * math.copysign(1.0, by)


def power(base: float, exponent: int) -> float:
    """A positive whole power, by squaring: the order in which the compilers of the Rust SDK multiply."""
    result = 1.0
    while True:
        if exponent & 1:
            result *= base
        exponent >>= 1
        if exponent == 0:
            return result
        base *= base


def checked(name: str, period: int) -> int:
    """The period, unless it is negative: Python would read such a place from the other end."""
    if period < 0:
        raise ValueError(f"{name} = {period} must be at least 0, in candles")
    return period
