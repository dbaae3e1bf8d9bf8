"""The rule and what it declares about itself."""

from __future__ import annotations

import re
import typing
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from .candle import COLUMNS, Column, Window
from .parameters import NoParameters, Parameter, declared
from .signal import Signal
from .spelling import suggestion

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Context:
    """What is evaluated."""

    symbol: str
    """Such as "BTCUSDT"."""
    timeframe: str
    """Such as "15m"."""
    close_time: float
    """When the newest base candle closed, in milliseconds since the Unix epoch: the "now" of this evaluation."""


@dataclass(frozen=True, slots=True)
class Input:
    """A further series that a rule reads, such as the next higher timeframe: `Input(200, columns=("close",))`."""

    lookback: int
    """How many candles the rule gets."""
    timeframe: str | None = None
    """Always this timeframe, such as "1h". None: the one after the evaluated."""
    symbol: str | None = None
    """Always this symbol, such as "BTCUSDT". None: the evaluated."""
    columns: tuple[Column, ...] = ()
    """The columns that the rule reads of this series. Empty: all."""


class Strategy(Generic[P]):
    """A trading rule: a pure function from closed candles and parameters to a decision.

    A subclass names the dataclass of its parameters: `class Breakout(Strategy[Parameters])`. Mistakes in what it
    declares are a TypeError when the class is made, before there is a component.
    """

    id: ClassVar[str]
    """The name in URLs and metrics: lower case letters, digits and underscores, beginning with a letter."""
    name: ClassVar[str]
    """The name for people."""
    version: ClassVar[str]
    """The semantic version of the rule."""
    description: ClassVar[str]
    """What the rule does, in a sentence or two."""
    lookback: ClassVar[int]
    """The number of candles that the rule gets. It gets fewer only if the market has fewer."""
    columns: ClassVar[tuple[Column, ...]] = ()
    """The columns that the rule reads; others can't be read. Empty: all. Each one costs time."""
    timeframes: ClassVar[tuple[str, ...]] = ()
    """The timeframes that the rule may run on, such as "15m". Empty: any."""
    extra: ClassVar[tuple[Input, ...]] = ()
    """Further series, passed to `evaluate` in this order."""

    declaration: ClassVar[tuple[Parameter, ...]] = ()
    """The declared parameters. Set by the SDK."""
    parameters: ClassVar[type] = NoParameters
    """The dataclass of the parameters. Set by the SDK."""

    def check(self, parameters: P) -> str | None:
        """Checks the constraints between parameters; types and ranges have been checked before.

        Returns None if all is well, or a text that names the constraint and the values. It runs when an operator sets
        parameters and again before each evaluation.
        """
        return None

    def evaluate(self, context: Context, window: Window, extra: list[Window], parameters: P) -> Signal | None:
        """Makes one decision on one window. None means no signal for this candle."""
        raise NotImplementedError(f"{type(self).__name__} has no method evaluate")

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for base in getattr(cls, "__orig_bases__", ()):
            if typing.get_origin(base) is Strategy and isinstance(typing.get_args(base)[0], type):
                cls.parameters = typing.get_args(base)[0]
        cls.declaration = declared(cls.parameters)
        _check_names(cls)
        _check_values(cls)


_TEXTS = {
    "id": "the name in URLs and metrics",
    "name": "the name for people",
    "version": "the semantic version of the rule",
    "description": "what the rule does, in a sentence or two",
}
_DECLARED = (*_TEXTS, "lookback", "columns", "timeframes", "extra", "check", "evaluate")


def _check_names(cls: type) -> None:
    for name in vars(cls):
        meant = suggestion(name, _DECLARED) if not name.startswith("_") and name not in _DECLARED else ""
        if meant:
            raise TypeError(f"{cls.__name__}.{name} is nothing that a strategy declares{meant}")


def _check_values(cls: type[Strategy[Any]]) -> None:
    for name, meaning in _TEXTS.items():
        text = getattr(cls, name, None)
        if not isinstance(text, str) or not text.strip():
            raise TypeError(f"{cls.__name__}.{name} = {text!r} must be a text: {meaning}")
    if not re.fullmatch("[a-z][a-z0-9_]{0,63}", cls.id):
        raise TypeError(
            f"{cls.__name__}.id = {cls.id!r} must be up to 64 lower case letters, digits and underscores, "
            "a letter first"
        )
    lookback = getattr(cls, "lookback", None)
    if not isinstance(lookback, int) or isinstance(lookback, bool) or lookback < 1:
        raise TypeError(f"{cls.__name__}.lookback = {lookback!r} must be a number of candles, from 1 on")
    extra = [(f"{cls.__name__}.extra", entry.columns) for entry in cls.extra]
    for owner, columns in [(cls.__name__, cls.columns), *extra]:
        if isinstance(columns, str):
            raise TypeError(f"{owner}.columns = {columns!r} must be a tuple: ({columns!r},)")
        for column in columns:
            if column not in COLUMNS:
                raise TypeError(
                    f"{owner}.columns has {column!r}{suggestion(column, COLUMNS)}: the columns are {', '.join(COLUMNS)}"
                )
