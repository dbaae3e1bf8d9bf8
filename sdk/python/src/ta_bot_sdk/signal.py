"""What a strategy answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from .spelling import suggestion

Action = Literal["buy", "sell", "hold", "close"]
Strength = Literal["weak", "medium", "strong", "extreme"]
Value = bool | int | float | str
"""A reading: a whole number of up to 32 bits stays one, a float is a number even if it is whole."""


@dataclass(frozen=True, slots=True, init=False)
class Signal:
    """A signal, for example `Signal("buy", 0.7, stop_loss=low, metadata={"rsi": now})`."""

    action: Action
    """"buy", "sell", "hold" (a notice without a trade) or "close" (what is open)."""
    confidence: float
    """In [0, 1]."""
    price: float | None
    """The entry price. None: the newest close."""
    stop_loss: float | None
    """The price at which the trade is given up. None: the host chooses it."""
    take_profit: float | None
    """The price at which the profit is taken. None: the host chooses it."""
    strength: Strength | None
    """"weak", "medium", "strong" or "extreme". None: medium."""
    rationale: str | None
    """One sentence, with the numbers, that says why. The host keeps 4 KiB of it."""
    metadata: Mapping[str, Value] = field(hash=False)
    """The readings behind the decision: 200 bytes of a name, 2 KiB of a text and 16 KiB of all of them are kept."""

    def __init__(
        self,
        action: Action,
        confidence: float,
        *,
        price: float | None = None,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        strength: Strength | None = None,
        rationale: str | None = None,
        metadata: Mapping[str, Value] | None = None,
        **unknown: Any,
    ) -> None:
        """Raises TypeError for a field that there is not, and for a value of the wrong type."""
        for name in unknown:
            known = [field.name for field in fields(Signal)]
            meant = suggestion(name, known)
            raise TypeError(f"{name} is no field of a signal{meant}: the fields are {', '.join(known)}")
        _one_of("action", action, get_args(Action))
        _number("confidence", confidence)
        for name, value in (("price", price), ("stop_loss", stop_loss), ("take_profit", take_profit)):
            if value is not None:
                _number(name, value)
        if strength is not None:
            _one_of("strength", strength, get_args(Strength))
        if rationale is not None and not isinstance(rationale, str):
            raise TypeError(f"rationale = {rationale!r} must be a text")
        readings = dict(metadata or {})
        for name, reading in readings.items():
            if not isinstance(name, str) or not isinstance(reading, (bool, int, float, str)):
                raise TypeError(
                    f"metadata[{name!r}] = {reading!r} must be a bool, an int, a float or a text under a text"
                )
        given = (action, confidence, price, stop_loss, take_profit, strength, rationale, readings)
        for entry, content in zip(fields(Signal), given):
            object.__setattr__(self, entry.name, content)

    def trade(self, price: float, stop_loss: float, reward: float) -> Signal:
        """The same signal with the levels of a trade: entry, stop, and the target `reward` times as far as the stop.

        The target of a sell lies below the price, that of any other action above.
        """
        distance = abs(price - stop_loss) * reward
        target = price - distance if self.action == "sell" else price + distance
        return replace(self, price=price, stop_loss=stop_loss, take_profit=target)

    def number(self, name: str) -> float:
        """The reading of this name as a number; NaN if there is none or it is not a number."""
        value = self.metadata.get(name)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan


def _one_of(name: str, given: object, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise TypeError(f"{name} = {given!r}{suggestion(given, allowed)} must be one of {', '.join(allowed)}")


def _number(name: str, given: object) -> None:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"{name} = {given!r} must be a number")
