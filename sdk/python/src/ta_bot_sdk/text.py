"""Numbers as text, the same in every SDK of TA Bot: languages round decimals differently."""

from __future__ import annotations

import math

_SIGNIFICANT_DIGITS = 7


def price(value: float) -> str:
    """A price for a rationale: seven significant digits, without trailing zeros.

    >>> price(41_983.5), price(0.000_012_345_678), price(100.0)
    ('41983.5', '0.00001234568', '100')
    """
    value = float(value)
    if not math.isfinite(value):
        return _not_finite(value)
    text = f"{value:.{_decimals(abs(value))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimals(size: float) -> int:
    """How many decimals show the significant digits."""
    decimals = _SIGNIFICANT_DIGITS - 1
    while size >= 10.0 and decimals > 0:
        size /= 10.0
        decimals -= 1
    while 0.0 < size < 1.0 and decimals < 20:
        size *= 10.0
        decimals += 1
    return decimals


def fixed(value: float, decimals: int) -> str:
    """A reading for a rationale, with 0 to 8 decimals; halves are rounded away from 0.

    >>> fixed(2.0, 2), fixed(-0.125, 2), fixed(-0.001, 2)
    ('2.00', '-0.13', '0.00')
    """
    if not 0 <= decimals <= 8:
        raise ValueError(f"decimals = {decimals} must be from 0 to 8")
    value = float(value)
    if not math.isfinite(value):
        return _not_finite(value)
    scale = 10**decimals
    scaled = abs(value) * float(scale) + 0.5
    # Beyond 2^53 every number is whole, so decimals would say nothing.
    if scaled >= 9_007_199_254_740_992.0:
        return f"{math.trunc(value)}"
    units = math.floor(scaled)
    sign = "-" if value < 0.0 and units > 0 else ""
    whole, part = divmod(units, scale)
    return f"{sign}{whole}.{part:0{decimals}}" if decimals else f"{sign}{whole}"


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "inf" if value > 0.0 else "-inf"
