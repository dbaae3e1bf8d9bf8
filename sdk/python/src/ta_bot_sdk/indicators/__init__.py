"""Technical indicators over whole columns: those of TA Bot's Rust SDK, with the same names and the same numbers.

A function returns as many values as its shortest input has, oldest first. They are NaN until it has seen enough (the
*warm-up*; each function states the index of its first value). Short, empty or broken data therefore gives NaN, and no
indicator raises an error for it. NaN compares false with everything, so a rule that compares readings gives no signal
if there are none.

Everything is computed from the window alone, since each evaluation runs in a fresh instance. An exponential average
therefore depends on its seed: after `k` periods beyond the warm-up, the seed's share has fallen to about `e^-2k` for
`ema` and `e^-k` for `rma`.

A constant series gives constant averages, bit for bit, so strict comparisons on flat data are safe. A period of 0 gives
NaN throughout; a negative period is a ValueError. Operations are done in the order of the Rust SDK, so the numbers are
equal to it to the bit; `sdk/conformance` holds the answers that the tests of each SDK compare with.
"""

from .average import ema, ema_adjusted, mean, rma, sma
from .extremes import highest, lowest, midprice, rolling_max, rolling_min
from .momentum import Macd, macd, rsi, rsi_adjusted
from .trend import Adx, adx
from .volatility import (
    Band,
    Bollinger,
    atr,
    bollinger,
    bollinger_band,
    rolling_standard_deviation,
    standard_deviation,
    true_range,
)

__all__ = [
    "Adx",
    "Band",
    "Bollinger",
    "Macd",
    "adx",
    "atr",
    "bollinger",
    "bollinger_band",
    "ema",
    "ema_adjusted",
    "highest",
    "lowest",
    "macd",
    "mean",
    "midprice",
    "rma",
    "rolling_max",
    "rolling_min",
    "rolling_standard_deviation",
    "rsi",
    "rsi_adjusted",
    "sma",
    "standard_deviation",
    "true_range",
]
