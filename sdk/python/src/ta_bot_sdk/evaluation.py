"""What the exports of a component do, without its types. The same functions run natively under `testing`, so a test
sees what the host sees."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from .candle import Window
from .faults import Failed, InvalidParameters
from .mistakes import told
from .parameters import read
from .signal import Signal
from .strategy import Context, Strategy


def strategy_of(module: ModuleType) -> Strategy[Any]:
    """An instance of the one strategy that a module defines. Raises TypeError if there is none, or more than one."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        names = ", ".join(entry.__name__ for entry in found) or "none"
        raise TypeError(f"{module.__name__} must define one subclass of ta_bot_sdk.Strategy, and defines: {names}")
    return found[0]()


def refusal(strategy: Strategy[Any], values: Sequence[tuple[str, Any]]) -> str | None:
    """What is wrong with these parameters, or None."""
    try:
        _parsed(strategy, values)
    except InvalidParameters as fault:
        return str(fault)
    return None


def evaluate(
    strategy: Strategy[Any], context: Context, base: Any, extra: Sequence[Any], values: Sequence[tuple[str, Any]]
) -> Signal | None:
    """One decision. Raises a Fault, or whatever the rule raises."""
    parameters = _parsed(strategy, values)
    window = Window(base, strategy.columns, "base")
    if len(extra) != len(strategy.extra):
        raise Failed(f"{len(extra)} extra series where {len(strategy.extra)} are declared")
    windows = [
        Window(candles, entry.columns, f"extra {index}")
        for index, (candles, entry) in enumerate(zip(extra, strategy.extra), 1)
    ]
    signal = strategy.evaluate(context, window, windows, parameters)
    if signal is not None and not isinstance(signal, Signal):
        raise TypeError(
            f"{type(strategy).__name__}.evaluate returned a {type(signal).__name__}: it must be a Signal or None"
        )
    return signal


def _parsed(strategy: Strategy[Any], values: Sequence[tuple[str, Any]]) -> Any:
    parameters = read(strategy.parameters, strategy.declaration, values)
    try:
        refused = strategy.check(parameters)
    except InvalidParameters:
        raise
    except Exception as mistake:
        raise InvalidParameters(f"check: {told(mistake)}") from None
    if refused is not None and not isinstance(refused, str):
        refused = f"check returned {refused!r}: it must be None, or a text that says what is wrong"
    if refused is not None:
        raise InvalidParameters(refused)
    return parameters
