"""Tests a rule natively, without WebAssembly.

A test runs the same code as the component: parameters are read and checked, only the declared columns are filled, and
no more candles are passed than the strategy asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import evaluation
from .candle import COLUMNS, Column, Window
from .signal import Signal
from .strategy import Context, Strategy

_MINUTE = 60_000.0


@dataclass
class Candles:
    """Candles made up by a test, one minute apart, oldest first."""

    open_time: list[float] = field(default_factory=list)
    open: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    close: list[float] = field(default_factory=list)
    volume: list[float] = field(default_factory=list)

    @classmethod
    def from_closes(cls, closes: Sequence[float]) -> Candles:
        """Candles with these closes.

        Each opens at the close before it, its highest and lowest price are those two prices, and its volume is 1.
        """
        opens = [*closes[:1], *closes[:-1]]
        prices = zip(opens, closes)
        return cls.from_rows((open, max(open, close), min(open, close), close, 1.0) for open, close in prices)

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[float]]) -> Candles:
        """Candles from rows of open, high, low, close and volume."""
        candles = cls()
        for row in rows:
            candles.append(*row)
        return candles

    def append(self, open: float, high: float, low: float, close: float, volume: float) -> None:
        """Appends a candle."""
        self.open_time.append(len(self) * _MINUTE)
        columns = (self.open, self.high, self.low, self.close, self.volume)
        for column, value in zip(columns, (open, high, low, close, volume)):
            column.append(float(value))

    def __len__(self) -> int:
        """The number of candles."""
        return len(self.close)

    def window(self) -> Window:
        """All columns of all candles, for calling a rule directly."""
        return Window(self, COLUMNS, "test")

    def handed_over(self, lookback: int, columns: Sequence[Column]) -> Candles:
        """The newest candles with the declared columns, as a host passes them."""
        start = max(len(self) - lookback, 0)
        return Candles(*(getattr(self, name)[start:] if not columns or name in columns else [] for name in COLUMNS))


def evaluate(
    strategy: type[Strategy[Any]],
    candles: Candles,
    *,
    extra: Sequence[Candles] = (),
    context: Context | None = None,
    **parameters: Any,
) -> Signal | None:
    """Evaluates a strategy as a host would: on the newest of these candles, with these parameters.

    Parameters that are not given have their defaults; `extra` has the further series that the strategy declares. Raises
    the fault that the host would be told, and whatever else the rule raises.
    """
    about = context or Context("BTCUSDT", "1m", len(candles) * _MINUTE)
    further = [given.handed_over(entry.lookback, entry.columns) for given, entry in zip(extra, strategy.extra)]
    further.extend(extra[len(further) :])
    base = candles.handed_over(strategy.lookback, strategy.columns)
    return evaluation.evaluate(strategy(), about, base, further, list(parameters.items()))


def check(strategy: type[Strategy[Any]], **parameters: Any) -> str | None:
    """What the host would be told about these parameters: None, or what is wrong."""
    return evaluation.refusal(strategy(), list(parameters.items()))
