"""The anatomy of one candle, and closed candles by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from .faults import Failed, InsufficientData
from .series import Series

Column = Literal["open_time", "open", "high", "low", "close", "volume"]
"""The name of a column of candles."""

COLUMNS: tuple[Column, ...] = get_args(Column)
"""All columns, in the order in which candles have them."""


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle, with the names of its parts: a body from open to close, and a shadow on each side of it."""

    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def range(self) -> float:
        """The distance from the lowest to the highest price."""
        return self.high - self.low

    @property
    def body(self) -> float:
        """The distance between open and close, whichever is higher."""
        return abs(self.close - self.open)

    @property
    def upper_shadow(self) -> float:
        """The distance from the body up to the highest price."""
        return self.high - (self.close if self.close > self.open else self.open)

    @property
    def lower_shadow(self) -> float:
        """The distance from the lowest price up to the body."""
        return (self.close if self.close < self.open else self.open) - self.low

    @property
    def is_rising(self) -> bool:
        """Whether the candle closed above its open."""
        return self.close > self.open

    @property
    def is_falling(self) -> bool:
        """Whether the candle closed below its open."""
        return self.close < self.open

    def is_inside(self, before: Candle) -> bool:
        """Whether the candle lies within the range of the one before: a lower high and a higher low."""
        return self.high < before.high and self.low > before.low


class _Columns(Protocol):
    @property
    def open_time(self) -> Sequence[float]: ...

    @property
    def open(self) -> Sequence[float]: ...

    @property
    def high(self) -> Sequence[float]: ...

    @property
    def low(self) -> Sequence[float]: ...

    @property
    def close(self) -> Sequence[float]: ...

    @property
    def volume(self) -> Sequence[float]: ...


class Window:
    """Closed candles by column, oldest first. Every declared column has `len(window)` entries.

    Reading a column that the strategy does not declare is an error that names it: such a column is never filled.
    """

    __slots__ = ("_candles", "_declared", "_filled", "_len", "_series")

    def __init__(self, candles: _Columns, declared: Sequence[Column], series: str) -> None:
        """Made by the SDK. `series` names the candles in the error for columns that differ in length."""
        self._candles = candles
        self._declared = tuple(declared) or COLUMNS
        self._filled: dict[str, Series] = {}
        self._series = series
        self._len = len(getattr(candles, self._declared[0]))
        for column in self._declared:
            size = len(getattr(candles, column))
            if size != self._len:
                raise Failed(
                    f"{series}: column {column} has {size} entries where {self._declared[0]} has {self._len}"
                )

    def __len__(self) -> int:
        """The number of candles."""
        return self._len

    def require(self, *candles: int) -> None:
        """Requires as many candles as the greatest of these; the host is told how many the rule needs.

        Raises InsufficientData if there are fewer.
        """
        needed = max(candles, default=0)
        if self._len < needed:
            raise InsufficientData(needed)

    def column(self, name: Column) -> Series:
        """A column by its name."""
        column = self._filled.get(name)
        if column is None:
            if name not in COLUMNS:
                raise ValueError(f"{name!r} is no column: the columns are {', '.join(COLUMNS)}")
            if name not in self._declared:
                raise ValueError(
                    f"{self._series}: the column {name} is read, but not declared: add {name!r} to the columns "
                    f"({', '.join(self._declared)})"
                )
            column = self._filled[name] = Series(getattr(self._candles, name))
        return column

    @property
    def open_time(self) -> Series:
        """When each candle opened, in milliseconds since the Unix epoch."""
        return self.column("open_time")

    @property
    def open(self) -> Series:
        """The first price of each candle."""
        return self.column("open")

    @property
    def high(self) -> Series:
        """The highest price of each candle."""
        return self.column("high")

    @property
    def low(self) -> Series:
        """The lowest price of each candle."""
        return self.column("low")

    @property
    def close(self) -> Series:
        """The last price of each candle."""
        return self.column("close")

    @property
    def volume(self) -> Series:
        """The amount traded in each candle."""
        return self.column("volume")

    def candle(self, candles: int) -> Candle:
        """The candle `candles` before the newest; `candle(0)` is the newest.

        It is NaN throughout if there are fewer candles. It needs all columns except `open_time`.
        """
        return Candle(
            self.open.ago(candles),
            self.high.ago(candles),
            self.low.ago(candles),
            self.close.ago(candles),
            self.volume.ago(candles),
        )
